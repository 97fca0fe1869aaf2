"""The same pairs and answers through TRL's trainers: the same tokens, the same loss, the same gradient."""

from __future__ import annotations

import pytest
import torch
from tests.algorithms.preference.preference_cases import built, pairs, value_and_slopes
from tests.modules import trl_preference as trl
from tests.policy.models import qwen3

from crucible.modules.given_rows import Encoder
from crucible.modules.preference import PairObjective
from crucible.modules.reference import Reference, Refresh
from crucible.modules.unpaired import LabelObjective
from crucible.ranks import ALONE
from crucible.types import Labelled, Preference, Prompt

pytest.importorskip("trl")

CLOCK = {"updates_done": 0, "progress": 0.0}
ITEMS = [
    Preference(Prompt("a", "7+8="), "7+8=15", "16"),
    Preference(Prompt("b", "1+2+3="), "6", "1+2=3;3+3=7"),
    Preference(Prompt("c", "2="), "Yes", "No;No"),
]
LABELS = [
    Labelled(Prompt("a", "7+8="), "15", True),
    Labelled(Prompt("b", "1+2="), "1+2=4", False),
    Labelled(Prompt("c", "1+5="), "6", True),
    Labelled(Prompt("d", "9="), "8", False),
]
# ours: TRL's loss type and options
SAME = {
    "dpo": ({}, "sigmoid", {}),
    "rdpo": ({}, "robust", {"label_smoothing": 0.1}),
    "ipo": ({}, "ipo", {}),
    "hinge": ({}, "hinge", {}),
    "exo_pair": ({}, "exo_pair", {"label_smoothing": 0.001}),
    "nca_pair": ({}, "nca_pair", {"beta": 0.01}),
    "bco_pair": ({}, "bco_pair", {}),
    "sppo_hard": ({"beta": 0.1}, "sppo_hard", {}),
    "apo_zero": ({}, "apo_zero", {}),
    "apo_down": ({}, "apo_down", {}),
    "discopop": ({}, "discopop", {"beta": 0.05}),
    "dpo_norm": ({}, "sigmoid_norm", {"beta": 5.0}),
    "ld_dpo": ({}, "sigmoid", {"ld_alpha": 0.5}),
    "f_dpo": ({}, "sigmoid", {"f_divergence_type": "js_divergence"}),
    "f_dpo forward": ({"divergence": "forward_kl"}, "sigmoid", {"f_divergence_type": "forward_kl"}),
    "f_dpo alpha": ({"divergence": "alpha"}, "sigmoid", {"f_divergence_type": "alpha_divergence"}),
}
WITHOUT = {
    "aot", "aot_unpaired",  # sort the log-ratios of a whole batch: not here
    "sft",  # a token mean over the better answers: a part of rpo, cpo and orpo
}  # fmt: skip


def test_trl_is_the_version_that_these_comparisons_know():
    """Fails when TRL moves: then read its losses again."""
    assert trl.version().startswith(f"{trl.KNOWN}."), trl.version()
    assert trl.dpo_loss_types() == {loss_type for _, loss_type, _ in SAME.values()} | WITHOUT


def gradients(policy):
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()])


def assert_same(trainer, batch, policy, objective, items):
    """TRL's loss of its batch is ours of the items, and so is the gradient."""
    policy.model.zero_grad()
    expected = trainer.compute_loss(trainer.model, dict(batch))
    expected.backward()
    slope = gradients(policy)
    policy.model.zero_grad()
    found = objective.learn(items, CLOCK, torch.Tensor.backward)
    assert found["policy/loss"] == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(gradients(policy), slope, rtol=1e-3, atol=1e-5 * float(slope.abs().max()))
    assert slope.abs().max() > 1e-4


def policies():
    """A policy that has moved a little from its reference, so that exponentials of log-ratios stay small."""
    policy, reference = qwen3(), qwen3()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=draw))
    return policy, reference


ROWS = [{"prompt": item.prompt.text, "chosen": item.chosen, "rejected": item.rejected} for item in ITEMS]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    policy, reference = policies()
    trainer = trl.dpo_trainer(policy, reference, ROWS, tmp_path_factory.mktemp("trl"))
    return trainer, next(iter(trainer.get_train_dataloader())), policy, reference


def pair_objective(policy, reference, loss):
    return PairObjective(
        policy=policy, encoder=Encoder(policy), loss=loss, reference=Reference(reference, Refresh()),
        micro_batch_tokens=60, ranks=ALONE,
    )  # fmt: skip


def tokens(ids, visible, counted):
    """What each row reads and what of it counts."""
    return {
        (tuple(row[seen > 0].tolist()), tuple(row[count > 0].tolist()))
        for row, seen, count in zip(ids, visible, counted, strict=True)
    }


def test_the_same_tokens_of_pairs(theirs):
    _, batch, policy, reference = theirs
    rows = pair_objective(policy, reference, built("dpo")).rows(ITEMS)
    ours = tokens(
        torch.cat([rows.prompt_ids, rows.completion_ids], 1),
        torch.cat([rows.prompt_mask, rows.mask], 1),
        torch.cat([torch.zeros_like(rows.prompt_mask), rows.mask], 1),
    )
    assert ours == tokens(batch["input_ids"], batch["attention_mask"], batch["completion_mask"])


@pytest.mark.parametrize("name", SAME)
def test_the_same_loss_and_gradient_on_pairs(theirs, name):
    trainer, batch, policy, reference = theirs
    options, loss_type, settings = SAME[name]
    trl.choose(trainer, loss_type, **settings)
    objective = pair_objective(policy, reference, built(name.partition(" ")[0], **options))
    assert_same(trainer, batch, policy, objective, ITEMS)


def test_the_same_weights_on_pairs(tmp_path):
    policy, reference = policies()
    trainer = trl.dpo_trainer(policy, reference, ROWS, tmp_path, use_weighting=True)
    batch = next(iter(trainer.get_train_dataloader()))
    assert_same(trainer, batch, policy, pair_objective(policy, reference, built("wpo")), ITEMS)


@pytest.mark.parametrize("name", ["kto", "apo_zero_unpaired"])
def test_the_same_loss_and_gradient_on_single_answers(name, tmp_path):
    policy, reference = policies()
    rows = [{"prompt": i.prompt.text, "completion": i.completion, "label": i.desirable} for i in LABELS]
    weights = {"desirable_weight": 1.25, "undesirable_weight": 0.75}
    trainer = trl.kto_trainer(policy, reference, rows, tmp_path, loss_type=name, **weights)
    batch = next(iter(trainer.get_train_dataloader()))
    objective = LabelObjective(
        policy=policy, encoder=Encoder(policy), loss=built(name, **weights), reference=Reference(reference, Refresh()),
        micro_batch_tokens=40, ranks=ALONE,
    )  # fmt: skip
    assert_same(trainer, batch, policy, objective, LABELS)


@pytest.mark.parametrize("options", [{}, {"beta": 0.4, "label_smoothing": 0.2}])
def test_the_same_contrast_as_trls_cpo(options):
    given = pairs(1)
    expected = trl.cpo_losses(given["chosen_logps"], given["rejected_logps"], **options)
    found, *_ = value_and_slopes(built("cpo", alpha=0.0, **options), given)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.25}, {"label_smoothing": 0.1, "beta": 2.5}])
def test_the_same_margin_as_trls_simpo(options):
    given = pairs(2)
    means = [given[f"{side}_logps"] / given[f"{side}_lengths"] for side in ("chosen", "rejected")]
    expected = trl.cpo_losses(*means, loss_type="simpo", simpo_gamma=0.8, **{"beta": 2.0, **options})
    found, *_ = value_and_slopes(built("simpo", gamma=0.8, **options), given)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_the_same_odds_as_trls_orpo():
    given = pairs(3)
    means = [given[f"{side}_logps"] / given[f"{side}_lengths"] for side in ("chosen", "rejected")]
    expected = given["chosen_logps"] / -given["mean_chosen_length"] - trl.odds_ratio_losses(*means, beta=0.3).double()
    found, *_ = value_and_slopes(built("orpo", beta=0.3), given)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # theirs is in float32


def test_the_prompt_that_two_answers_share_is_the_one_trl_finds():
    from trl import extract_prompt

    from crucible.data.given_answers import common_beginning

    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    for chosen, rejected in [
        ("The sky is blue", "The sky is green"),
        ("\n\nHuman: hi\n\nAssistant: hello", "\n\nHuman: hi\n\nAssistant:go away"),
        ("1+1=2", "1+1=3"),
        ([*talk, {"role": "assistant", "content": "a"}], [*talk, {"role": "assistant", "content": "b"}]),
    ]:
        found = extract_prompt({"chosen": chosen, "rejected": rejected})
        assert common_beginning(chosen, rejected, "chosen") == (found["prompt"], found["chosen"], found["rejected"])
