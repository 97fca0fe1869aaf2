"""`algo=sft`: whole runs, the gradient of a step, what is learned from and in which order, what is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from tests.conftest import ROOT, same_weights
from tests.policy.models import qwen3
from tests.test_run import timeless

from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.supervised.asft import asft
from crucible.algorithms.supervised.dft import dft
from crucible.algorithms.supervised.nll import nll
from crucible.config.compose import compose
from crucible.config.dry_run import report
from crucible.errors import UserError
from crucible.modules.deck import Deck
from crucible.modules.given_rows import Encoder
from crucible.modules.reference import Reference, Refresh
from crucible.modules.sources import demonstrations
from crucible.modules.supervised import TokenObjective
from crucible.ranks import ALONE
from crucible.rundir import read_metrics, read_status
from crucible.types import Demonstration, Prompt

ITEMS = [
    Demonstration(Prompt("a", "7+8="), "15"),
    Demonstration(Prompt("b", "1+2+3-4="), "1+2=3;3+3=6;6-4=2", weight=2.0),
    Demonstration(Prompt("c", "9="), "No"),
    Demonstration(Prompt("d", "5+5="), "5+5=10", weight=0.5),
]
CLOCK = {"updates_done": 0, "progress": 0.0}


def objective(policy, loss=nll, *, tokens=100_000, reference=None):
    return TokenObjective(
        policy=policy, encoder=Encoder(policy), loss=loss, aggregation=token_mean, reference=reference,
        micro_batch_tokens=tokens, max_completion_tokens=32, ranks=ALONE,
    )  # fmt: skip


def gradient(policy, made):
    policy.model.zero_grad()
    metrics = made.learn(ITEMS, CLOCK, torch.Tensor.backward)
    return metrics, torch.cat([p.grad.flatten() for p in policy.model.parameters()])


def plain_loss(policy, items):
    """Sum of w times -log p of each completion token and of the end, over all their tokens: from the whole logits."""
    total, tokens = 0.0, 0
    for item in items:
        prompt = policy.tokenizer(item.prompt.text)["input_ids"]
        answer = [*policy.tokenizer(item.completion, add_special_tokens=False)["input_ids"], policy.eos_id]
        logits = policy.model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double()
        log_probs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        total = total - item.weight * log_probs[range(len(answer)), answer].sum()
        tokens += len(answer)
    return total / tokens


def test_a_step_is_the_token_mean_over_all_demonstrations():
    policy = qwen3()
    metrics, found = gradient(policy, objective(policy))
    policy.model.zero_grad()
    loss = plain_loss(policy, ITEMS)
    loss.backward()
    expected = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    assert metrics["policy/loss"] == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    unweighted = plain_loss(policy, [replace(item, weight=1.0) for item in ITEMS])
    assert metrics["supervised/nll"] == pytest.approx(unweighted.item(), rel=1e-5)
    assert metrics["completion/length"] == (3 + 18 + 2 + 7) / 4


@pytest.mark.parametrize("loss", [nll, dft, asft])
def test_micro_batches_change_nothing(loss):
    policy = qwen3()
    reference = Reference(qwen3(seed=5), Refresh()) if loss is asft else None
    whole_metrics, whole = gradient(policy, objective(policy, loss, reference=reference))
    for tokens in (1, 40, 60):
        metrics, found = gradient(policy, objective(policy, loss, tokens=tokens, reference=reference))
        torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-6 * float(whole.abs().max()))
        assert metrics == pytest.approx(whole_metrics, rel=1e-5)


def test_the_divergence_is_the_exact_kl_from_the_reference():
    policy, other = qwen3(), qwen3(seed=5)
    metrics = objective(policy, asft, reference=Reference(other, Refresh())).learn(ITEMS, CLOCK, torch.Tensor.backward)
    rows = Encoder(policy).rows([(item.prompt, item.completion) for item in ITEMS])
    ids = torch.cat([rows.prompt_ids, rows.completion_ids], 1)
    visible = torch.cat([rows.prompt_mask, torch.ones_like(rows.completion_ids)], 1)
    start = rows.prompt_ids.shape[1] - 1
    theirs, ours = (
        p.model(input_ids=ids, attention_mask=visible, position_ids=(visible.cumsum(1) - 1).clamp(min=0))
        .logits[:, start:-1].double().log_softmax(-1)
        for p in (other, policy)
    )  # fmt: skip
    kl = (theirs.exp() * (theirs - ours)).sum(-1)
    expected = ((kl * rows.mask).sum() / rows.mask.sum()).item()
    assert metrics["supervised/reference_divergence"] == pytest.approx(expected, rel=1e-4)


def test_held_out_answers_are_measured_by_token():
    policy = qwen3()
    plain = [replace(item, weight=1.0) for item in ITEMS]
    found = objective(policy).measure(ITEMS)
    assert found["nll"] == pytest.approx(plain_loss(policy, plain).item(), rel=1e-5)
    assert 0.0 <= found["token_accuracy"] < 1.0


# -- what is drawn -------------------------------------------------------------------------------


def test_a_pool_is_gone_through_in_epochs_and_a_resumed_deck_goes_on():
    deck = Deck(pool=range(10), endless=None, seed=1)
    drawn = [deck.draw(4) for _ in range(5)]
    flat = [i for part in drawn for i in part]
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10))
    assert flat[:10] != flat[10:]
    assert deck.epoch == 2.0
    again = Deck(pool=range(10), endless=None, seed=1)
    for part in drawn[:3]:
        assert again.draw(4) == part
    resumed = Deck(pool=range(10), endless=None, seed=1)
    resumed.load_state_dict(again.state_dict())
    assert [resumed.draw(4), resumed.draw(4)] == drawn[3:]
    assert Deck(pool=range(10), endless=None, seed=2).draw(10) != flat[:10]


def test_endless_demonstrations_are_fresh_right_and_the_same_again():
    from crucible.data.chain import Chain

    task = Chain(eval_prompts=8)
    source = demonstrations(task)
    deck = Deck(pool=source.pool, endless=source.endless, seed=3)
    first, second = deck.draw(20), deck.draw(20)
    assert all(task.correct(item.prompt, item.completion) for item in first)
    assert first != second
    assert Deck(pool=None, endless=source.endless, seed=3).draw(20) == first
    assert [item.prompt for item in source.held_out] == list(task.eval_prompts())
    assert not {item.prompt.id for item in first + second} & {prompt.id for prompt in task.eval_prompts()}


# -- answers that are too long -------------------------------------------------------------------


def test_a_long_answer_is_refused_skipped_or_cut():
    policy, said = qwen3(), []
    with pytest.raises(UserError, match=r"2 of 4 answers are too long: an answer to prompt b has 18 tokens, and there"):
        Encoder(policy, 6).kept(ITEMS, said.append)
    assert [item.prompt.id for item in Encoder(policy, 6, "skip").kept(ITEMS, said.append)] == ["a", "c"]
    assert Encoder(policy, 6, "cut").kept(ITEMS, said.append) == ITEMS
    assert said == [
        "2 of 4 answers are too long: 2 left out (algo.too_long=skip)",
        "2 of 4 answers are too long: 2 cut (algo.too_long=cut)",
    ]
    rows = Encoder(policy, 6, "cut").rows([(item.prompt, item.completion) for item in ITEMS])
    assert rows.finish_reason == ["stop", "length", "stop", "length"]
    assert rows.mask.sum(-1).tolist() == [3, 6, 2, 6]
    assert policy.decode(rows.completion_ids, rows.mask) == ["15", "1+2=3;", "No", "5+5=10"]
    assert rows.completion_ids[0, 2] == policy.eos_id
    with pytest.raises(UserError, match="all 4 answers are too long"):
        Encoder(policy, 1, "skip").kept(ITEMS, said.append)


def test_an_answer_the_context_has_no_room_for_and_a_character_no_token_is_for():
    policy = qwen3(context_length=16)
    with pytest.raises(UserError, match=r"there is room for 7 \(context 16, algo.max_tokens=null\)"):
        Encoder(policy).kept(ITEMS, print)
    with pytest.raises(UserError, match=r"an answer to prompt z has 'é', which the model's tokenizer does not know"):
        Encoder(policy).rows([(Prompt("z", "1="), "café")])


# -- whole runs ----------------------------------------------------------------------------------


def test_supervised_learning_learns(small_run):
    path = small_run("algo=sft", "steps=20", "batch.prompts_per_step=16", "optim.lr=0.02", "evaluation.every=10")
    rows = read_metrics(path)
    updates = [row for row in rows if row["kind"] == "update"]
    assert [row["update"] for row in updates] == list(range(1, 21))
    assert updates[-1]["supervised/nll"] < 0.6 * updates[0]["supervised/nll"]
    assert updates[-1]["supervised/token_accuracy"] > 0.3
    evaluations = [row for row in rows if row["kind"] == "eval"]
    assert [(row["step"], row["phase"]) for row in evaluations] == [
        (0, "before"), (10, "during"), (20, "after"),
    ]  # fmt: skip
    assert evaluations[-1]["eval/chain/nll"] < 0.7 * evaluations[0]["eval/chain/nll"]
    assert evaluations[-1]["data/eval_seen_in_training"] == 0.0
    assert "eval/chain/avg@2" in evaluations[-1]
    assert read_status(path)["state"] == "finished"


@pytest.mark.parametrize("algo", ["sft", pytest.param("psft", marks=pytest.mark.slow)])
def test_killed_and_started_again_it_ends_with_the_same_numbers(small_run, killed, algo):
    options = (f"algo={algo}", "steps=5", "checkpoint_every=2", "evaluation.every=1")
    if algo == "psft":
        options += ("algo.reference.every=2",)
    whole = small_run("run_id=whole", *options)
    again = killed(lambda: small_run("run_id=killed", *options))
    assert read_status(again)["attempt"] == 2
    assert timeless(read_metrics(again)) == timeless(read_metrics(whole))
    assert same_weights(whole, again, step=5)


def sums(n):
    return [{"prompt": f"{i}+{j}=", "answer": str(i + j), "work": f"{i}+{j}={i + j}", "w": 0.5 + (i == j)}
            for i in range(n) for j in range(4)]  # fmt: skip


def test_a_file_of_worked_answers(file_run, killed):
    columns = ("algo=sft", "data.completion_column=work", "data.weight_column=w", "steps=5", "checkpoint_every=2")
    whole = file_run(sums(9), "run_id=whole", *columns)
    rows = read_metrics(whole)
    updates = [row for row in rows if row["kind"] == "update"]
    assert 4 / 36 < updates[0]["data/epoch"] < 4 / 24
    assert updates[0]["policy/loss"] < updates[0]["supervised/nll"]  # most weights are below 1
    assert {"eval/jsonl/nll", "eval/jsonl/avg@2"} <= next(row for row in rows if row["kind"] == "eval").keys()
    again = killed(lambda: file_run(sums(9), "run_id=killed", *columns))
    assert same_weights(whole, again, step=5)


def test_without_anything_that_judges_the_held_out_answers_are_measured_alone(file_run):
    rows = [{"prompt": f"say {i}", "completion": str(i) * 3} for i in range(40)]
    columns = ("algo=sft", "data.completion_column=completion", "data.answer_column=null")
    path = file_run(rows, *columns)
    evaluations = [row for row in read_metrics(path) if row["kind"] == "eval"]
    measured = {name for name in evaluations[0] if name.startswith("eval/")}
    assert measured == {"eval/jsonl/nll", "eval/jsonl/token_accuracy"}
    with pytest.raises(UserError, match=r"nothing says whether an answer is right.*data.answer_column"):
        file_run(rows, "algo=grpo", *columns[1:])


def test_data_without_worked_answers_is_refused_before_anything_is_loaded(file_run, tmp_path):
    with pytest.raises(UserError, match=r"data=jsonl has no worked answers to learn from: name their columns with"):
        file_run(sums(9), "algo=sft", "model.heads=3")  # the model would be refused too, later
    assert not list((tmp_path / "runs").rglob("config.yaml"))


def test_an_answer_that_is_too_long_is_refused_before_the_model_is_made(file_run, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a warm-up was begun")

    monkeypatch.setattr("crucible.policy.warmup.warm_up", refuse)
    rows = [{"prompt": f"say {i}", "completion": str(i) * 40} for i in range(30)]
    columns = ("algo=sft", "data.completion_column=completion", "data.answer_column=null")
    warm = "model.warmup={_target_: crucible.policy.warmup.WarmUp}"
    with pytest.raises(UserError, match=r"answers are too long: an answer to prompt \w+ has 81 tokens"):
        file_run(rows, *columns, warm)


def test_a_dry_run_says_what_a_step_is():
    config = compose(["algo=sft", "batch.prompts_per_step=10", "steps=3"], ROOT).config  # 10 is no multiple of 4
    text = report(config)
    assert "10 demonstrations a step, one optimiser step\n" in text
    assert "3 steps = 3 optimiser steps, 30 demonstrations" in text
    assert "evaluation      before, every 20 steps, after step 3" in text
    assert "samples " not in text.partition("# What would be written")[2]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["entropy=bonus"], "needs entropy=none, not bonus"),
        (["algo.max_tokens=0"], "algo.max_tokens=0"),
        (["algo.too_long=drop"], r"algo.too_long=.*must be one of"),
        (["algo.supervised._target_=tests.modules.test_supervised.typo"], 'did you mean "logps"'),
    ],
)
def test_what_makes_no_sense_is_refused_when_composed(overrides, message):
    with pytest.raises(UserError, match=message):
        compose(["algo=sft", *overrides], ROOT)


def typo(logs):
    return logs


def test_two_draws_of_an_epoch_never_repeat_within_it():
    rng = random.Random(0)
    for _ in range(5):
        size, n = rng.randint(3, 9), rng.randint(1, 12)
        deck = Deck(pool=range(size), endless=None, seed=rng.randint(0, 9))
        flat = [i for _ in range(6) for i in deck.draw(n)]
        for start in range(0, len(flat) - size + 1, size):
            assert sorted(flat[start : start + size]) == list(range(size))
