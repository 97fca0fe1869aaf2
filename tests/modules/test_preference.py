"""`algo=dpo`, `algo=kto` and their kin: whole runs, the gradient of a step, what is learned from, what is refused."""

from __future__ import annotations

import pytest
import torch
from tests.algorithms.preference.preference_cases import built
from tests.conftest import ROOT, same_weights
from tests.policy.models import qwen3
from tests.test_run import timeless

from crucible.config.compose import compose
from crucible.config.dry_run import report
from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.modules.deck import Deck
from crucible.modules.given_rows import Encoder
from crucible.modules.preference import PairObjective
from crucible.modules.reference import Reference, Refresh
from crucible.modules.sources import labelled, preferences
from crucible.modules.unpaired import LabelObjective, mismatched
from crucible.ranks import ALONE
from crucible.rundir import read_metrics, read_status
from crucible.types import Labelled, Preference, Prompt

CLOCK = {"updates_done": 0, "progress": 0.0}
PAIRS = [
    Preference(Prompt("a", "7+8="), "7+8=15", "16"),
    Preference(Prompt("b", "1+2+3="), "6", "1+2=3;3+3=7"),
    Preference(Prompt("c", "2="), "Yes", "No;No"),
    Preference(Prompt("d", "5+5-1="), "9", "5"),
]
LABELS = [
    Labelled(Prompt("a", "7+8="), "15", True),
    Labelled(Prompt("a", "7+8="), "17", False),
    Labelled(Prompt("b", "1+2="), "1+2=4", False),
    Labelled(Prompt("c", "1+5="), "6", True),
    Labelled(Prompt("d", "9="), "8", False),
]


def objective(policy, name, *, tokens=100_000, **options):
    loss = built(name, **options)
    kind = LabelObjective if name in ("kto", "bco", "apo_zero_unpaired") else PairObjective
    reference = Reference(qwen3(seed=5), Refresh())
    return kind(
        policy=policy, encoder=Encoder(policy), loss=loss, reference=reference, micro_batch_tokens=tokens, ranks=ALONE
    )


def gradient(policy, made, items):
    policy.model.zero_grad()
    metrics = made.learn(items, CLOCK, torch.Tensor.backward)
    return metrics, torch.cat([p.grad.flatten() for p in policy.model.parameters()])


@pytest.mark.parametrize(
    ("name", "items"),
    [("dpo", PAIRS), ("orpo", PAIRS), ("ld_dpo", PAIRS), ("wpo", PAIRS), ("kto", LABELS), ("bco", LABELS)],
)
def test_micro_batches_change_nothing(name, items):
    policy = qwen3()
    options = {"beta": 0.01} if name in ("dpo", "ld_dpo", "wpo") else {}
    whole_metrics, whole = gradient(policy, objective(policy, name, **options), items)
    for tokens in (1, 50):
        metrics, found = gradient(policy, objective(policy, name, tokens=tokens, **options), items)
        torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-5 * float(whole.abs().max()))
        assert metrics == pytest.approx(whole_metrics, rel=1e-4)
    assert whole.abs().max() > 0


def test_what_is_reported_of_pairs_is_what_the_policies_say():
    policy = qwen3()
    made = objective(policy, "dpo")
    metrics, _ = gradient(policy, made, PAIRS)

    def logp(model, prompt, text):
        ids = policy.tokenizer(prompt)["input_ids"]
        answer = [*policy.tokenizer(text, add_special_tokens=False)["input_ids"], policy.eos_id]
        log_probs = model(input_ids=torch.tensor([ids + answer])).logits[0].double().log_softmax(-1)
        return float(log_probs[len(ids) - 1 : -1][range(len(answer)), answer].sum().detach())

    frozen = made.reference.policy.model
    margins = []
    for pair in PAIRS:
        better, worse = (
            logp(policy.model, pair.prompt.text, text) - logp(frozen, pair.prompt.text, text)
            for text in (pair.chosen, pair.rejected)
        )
        margins.append(0.1 * (better - worse))
    assert metrics["preference/margin"] == pytest.approx(sum(margins) / 4, rel=1e-4)
    assert metrics["preference/accuracy"] == sum(m > 0 for m in margins) / 4
    chosen = [logp(policy.model, pair.prompt.text, pair.chosen) for pair in PAIRS]
    assert metrics["preference/chosen_logps"] == pytest.approx(sum(chosen) / 4, rel=1e-4)
    measured = made.measure(PAIRS)
    assert measured["preference_margin"] == pytest.approx(metrics["preference/margin"], rel=1e-4)
    assert measured["preference_accuracy"] == metrics["preference/accuracy"]


def test_an_answer_is_put_behind_another_prompt():
    assert [text for _, text in mismatched(LABELS)] == ["8", "8", "17", "1+2=4", "6"]  # never one to the same prompt
    assert [prompt.id for prompt, _ in mismatched(LABELS)] == ["a", "a", "b", "c", "d"]
    with pytest.raises(UserError, match="all 2 answers of a step are to prompt a"):
        mismatched(LABELS[:2])


def test_a_generated_task_gives_pairs_and_labels():
    task = Chain(eval_prompts=8)
    source = preferences(task)
    pairs = Deck(pool=source.pool, endless=source.endless, seed=1).draw(20)
    assert all(task.correct(pair.prompt, pair.chosen) and pair.chosen != pair.rejected for pair in pairs)
    assert pairs == Deck(pool=None, endless=source.endless, seed=1).draw(20)
    ids = {prompt.id for prompt in task.eval_prompts()}
    assert {pair.prompt.id for pair in source.held_out} <= ids
    assert not {pair.prompt.id for pair in pairs} & ids
    items = Deck(pool=None, endless=labelled(task).endless, seed=1).draw(40)
    assert all(task.correct(item.prompt, item.completion) for item in items if item.desirable)
    assert 8 < sum(item.desirable for item in items) < 32


# -- whole runs ----------------------------------------------------------------------------------


def test_dpo_learns_to_prefer(small_run):
    path = small_run("algo=dpo", "steps=25", "batch.prompts_per_step=8", "evaluation.every=25", "optim.lr=0.01")
    rows = read_metrics(path)
    updates = [row for row in rows if row["kind"] == "update"]
    assert updates[0]["policy/loss"] == pytest.approx(0.693147, abs=1e-4)  # the policy is its own reference
    assert updates[0]["preference/accuracy"] == 0.5
    assert sum(row["policy/loss"] for row in updates[-5:]) / 5 < 0.65
    assert sum(row["preference/margin"] for row in updates[-5:]) / 5 > 0.2
    evaluations = [row for row in rows if row["kind"] == "eval"]
    assert evaluations[0]["eval/chain/preference_accuracy"] == 0.5  # every pair is a tie
    assert {"eval/chain/avg@2", "eval/chain/preference_margin"} <= evaluations[-1].keys()


@pytest.mark.parametrize("algo", ["dpo", pytest.param("bco", marks=pytest.mark.slow)])
def test_killed_and_started_again_it_ends_with_the_same_numbers(small_run, killed, algo):
    options = (f"algo={algo}", "steps=5", "checkpoint_every=2", "evaluation.every=2", "algo.reference.every=2")
    whole = small_run("run_id=whole", *options)
    again = killed(lambda: small_run("run_id=killed", *options))
    assert read_status(again)["attempt"] == 2
    assert timeless(read_metrics(again)) == timeless(read_metrics(whole))
    assert same_weights(whole, again, step=5)


FORMATS = {
    "explicit prompt": (
        [{"prompt": f"say {i}", "chosen": f"{i}", "rejected": "no"} for i in range(30)],
        ("data.chosen_column=chosen", "data.rejected_column=rejected"),
    ),
    "implicit prompt": (
        [{"chosen": f"say {i}: {i}.", "rejected": f"say {i}: not {i}."} for i in range(30)],
        ("data.chosen_column=chosen", "data.rejected_column=rejected", "data.prompt_column=null"),
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_pairs_of_a_file_without_anything_that_judges(file_run, kind):
    rows, columns = FORMATS[kind]
    path = file_run(rows, "algo=dpo", "data.answer_column=null", *columns)
    found = read_metrics(path)
    assert len([row for row in found if row["kind"] == "update"]) == 2
    evaluation = next(row for row in found if row["kind"] == "eval")
    measured = {name for name in evaluation if name.startswith("eval/")}
    assert measured == {"eval/jsonl/preference_accuracy", "eval/jsonl/preference_margin"}


def test_labelled_answers_of_a_file_and_both_answers_of_its_pairs(file_run):
    rows = [{"prompt": f"say {i}", "completion": f"{i}", "label": i % 3 > 0} for i in range(40)]
    columns = ("data.completion_column=completion", "data.label_column=label", "data.answer_column=null")
    path = file_run(rows, "algo=kto", *columns)
    update = next(row for row in read_metrics(path) if row["kind"] == "update")
    assert 0.0 <= update["preference/desirable"] <= 1.0
    assert update["preference/kl"] == 0.0  # the policy is its own reference
    rows, columns = FORMATS["explicit prompt"]
    path = file_run(rows, "algo=kto", "run_id=pairs", "data.answer_column=null", *columns)
    evaluation = next(row for row in read_metrics(path) if row["kind"] == "eval")
    assert "eval/jsonl/preference_auc" in evaluation


def test_a_loss_without_a_reference_loads_none(small_run, monkeypatch):
    def refuse(self, policy, refresh):
        raise AssertionError("a reference was made")

    monkeypatch.setattr(Reference, "__init__", refuse)
    small_run("algo=simpo", "steps=1")
    with pytest.raises(AssertionError):
        small_run("algo=dpo", "steps=1")


def test_data_without_pairs_is_refused(file_run):
    rows = [{"prompt": f"say {i}", "answer": f"{i}"} for i in range(30)]
    with pytest.raises(UserError, match=r"data=jsonl has no pairs of answers to learn from.*data.chosen_column"):
        file_run(rows, "algo=dpo")
    with pytest.raises(UserError, match=r"data=jsonl has no answers called good or bad.*data.label_column"):
        file_run(rows, "algo=kto")


def test_a_dry_run_says_what_a_step_is():
    text = report(compose(["algo=dpo", "batch.prompts_per_step=10", "steps=3"], ROOT).config)
    assert "10 pairs of answers a step, one optimiser step\n" in text
    assert "3 steps = 3 optimiser steps, 30 pairs of answers" in text
    assert "1 labelled answer a step" in report(
        compose(["algo=bco", "batch.prompts_per_step=1", "steps=3"], ROOT).config
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["algo=dpo", "algo/preference=kto"], 'algo.preference=kto asks for "desirable"'),
        (["algo=kto", "algo/preference=dpo"], 'algo.preference=dpo asks for "chosen_logps"'),
        (["algo=kto", "batch.prompts_per_step=1"], "needs batch.prompts_per_step >= 2, not 1"),
        (["algo=dpo", "entropy=adaptive"], "needs entropy=none"),
        (["algo=f_dpo", "algo.preference.divergence=kl"], "must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused_when_composed(overrides, message):
    with pytest.raises(UserError, match=message):
        compose(overrides, ROOT)
