"""The reward of a generative reward model against one forward pass a word, and what has no verdict."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.feedback.judging import read, write
from crucible.policy.tiny import untrained
from crucible.rewards.label_signed import LabelSigned, log_odds
from crucible.types import Completion, Prompt
from tests.rewards.cases import completions, scored

SHAPE = {"hidden_size": 32, "layers": 2, "heads": 2, "kv_heads": 1, "intermediate_size": 64}
POLICY = untrained(**SHAPE, context_length=64, initializer_range=0.3)


def sharpened(factor: float):
    """The same policy with larger logits: words below e^-50."""
    policy = copy.deepcopy(POLICY)
    weight = POLICY.model.get_input_embeddings().weight.detach()
    policy.model.lm_head.weight = torch.nn.Parameter(factor * weight)
    return policy


SURE = sharpened(8.0)  # on some of the rows below one word is under the floor, on some both, on some none
HEAD = "Final Judgement:"


def asked(name: str, label: str, text: str = "1+1=2\nright?\n") -> Prompt:
    return Prompt(id=name, text=text, reference={"label": label, "principle": "right"})


PROMPTS = [asked("a", "Yes"), asked("a", "Yes"), asked("b", "No", "9\nx?\n"), asked("b", "No", "9\nx?\n")]
ROWS = completions(f"1+1=2\n{HEAD} Yes", f"{HEAD} No", f"ab\nc\n{HEAD} Yes\n", f"\n{HEAD} No")


def batch(tokens: int = 4096) -> Batch:
    return Batch(prompts_per_step=1, samples_per_prompt=8, updates_per_rollout=1, micro_batch_tokens=tokens)


@torch.no_grad()
def oracle_log_p(policy, prompt: Prompt, before: str, word: str) -> float:
    """log P(word | prompt, before) by a pass of its own, without padding, in float64."""
    start = policy.token_ids([prompt])[0] + policy.tokenizer(before, add_special_tokens=False)["input_ids"]
    ids = policy.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
    logits = policy.model(torch.tensor([start + ids])).logits[0].double().log_softmax(-1)
    return sum(logits[len(start) + k - 1, token].item() for k, token in enumerate(ids))


def oracle(policy, prompt: Prompt, text: str, floor: float) -> float:
    before = text[: text.rindex(HEAD)] + HEAD
    yes, no = (max(floor, oracle_log_p(policy, prompt, before, word)) for word in ("Yes", "No"))
    return yes - no if prompt.reference["label"] == "Yes" else no - yes


@pytest.mark.parametrize("tokens", [48, 4096], ids=["a row a pass", "one pass"])
@pytest.mark.parametrize(("policy", "floor"), [(POLICY, -50.0), (POLICY, -9.0), (SURE, -50.0)])
def test_value_is_the_label_signed_log_odds_at_the_verdict(policy, floor, tokens):
    scores = scored(LabelSigned(policy=policy, batch=batch(tokens), floor=floor), PROMPTS, ROWS)
    wanted = [oracle(policy, p, row.text, floor) for p, row in zip(PROMPTS, ROWS, strict=True)]
    assert scores.total.tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert any(abs(x) > 1e-3 for x in wanted)
    signs = torch.tensor([1.0, 1.0, -1.0, -1.0])
    assert torch.equal(scores.components["log_odds"], scores.total * signs)
    assert scores.components["agrees"].tolist() == [1, 0, 0, 1]
    assert scores.components["confident"].tolist() == [float(x > 0) for x in scores.total.tolist()]


def test_the_floor_bounds_it():
    sure = sharpened(40.0)
    free = [abs(oracle(sure, p, row.text, -math.inf)) for p, row in zip(PROMPTS, ROWS, strict=True)]
    scores = scored(LabelSigned(policy=sure, batch=batch()), PROMPTS, ROWS)
    assert max(free) > 50
    assert scores.total.abs().max().item() <= 50


@pytest.mark.parametrize(
    "text",
    ["", "Yes", f"{HEAD} yes", f"{HEAD}Yes", f"{HEAD} Yes.", f"{HEAD} Yes\nbut", f"so {HEAD} Yes", f"{HEAD} Maybe"],
)
def test_without_a_last_line_of_that_form_it_is_the_penalty(text):
    assert read(text) is None
    scores = scored(LabelSigned(policy=POLICY, batch=batch(), missing=-7.0), PROMPTS[:1], completions(text))
    assert scores.total.tolist() == [-7.0]
    assert scores.components["missing"].tolist() == [1.0]
    assert math.isnan(scores.components["log_odds"].item())
    assert scores.valid is None


def test_a_completion_that_was_cut_off_has_no_verdict_and_the_default_penalty_is_the_floor():
    cut = [Completion(f"{HEAD} Yes", 19, "length")]
    assert scored(LabelSigned(policy=POLICY, batch=batch()), PROMPTS[:1], cut).total.tolist() == [-50.0]


def test_what_does_not_fit_the_context_is_an_error_not_a_number():
    scores = scored(
        LabelSigned(policy=POLICY, batch=batch()), PROMPTS[:2], completions("1" * 60 + f"\n{HEAD} No", *[ROWS[1].text])
    )
    assert scores.valid.tolist() == [False, True]
    assert "exceed the model's context" in scores.outcomes["label_signed"].problem


def test_what_is_written_is_read():
    assert read(write("a\nb", True)) == (f"a\nb\n{HEAD}", True)
    assert read(write("", False)) == (HEAD, False)
    assert log_odds(POLICY, [], [], tokens=64) == []


def test_bad_options_and_labels_are_refused():
    for wrong in ({"floor": 0.0}, {"missing": 1.0}):
        with pytest.raises(UserError, match="floor="):
            LabelSigned(policy=POLICY, batch=batch(), **wrong)
    with pytest.raises(UserError, match="label 'maybe'; Yes or No"):
        scored(LabelSigned(policy=POLICY, batch=batch()), [asked("a", "maybe")], ROWS[:1])


@pytest.mark.slow
def test_a_judge_takes_two_steps_and_is_a_judge_of_a_benchmark(small_run, tmp_path):
    """algo=rm_genrm on the embedded world; then evaluate_rm.py asked=verdict, and reward=genrm, with its policy."""
    from crucible.rundir import read_metrics, read_status
    from tests.reward_benchmarks.small import run, summary

    world = [
        "algo=rm_genrm", "data=judgements", "data.responses=64", "data.terms=3", "reward=label_signed",
        "reward._target_=crucible.rewards.label_signed.LabelSigned", "model.context_length=192",
        "sampling.max_tokens=40", "batch.micro_batch_tokens=2048",
        "model.warmup={_target_: crucible.policy.warmup.WarmUp, target_accuracy: 0.05, "
        "max_steps: 300, probe_every: 20, probe_prompts: 16, probe_samples: 2, batch_size: 16, max_tokens: 40}",
    ]  # fmt: skip
    path = small_run(*world)
    assert read_status(path)["state"] == "finished"
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert {row["step"] for row in updates} == {1, 2}
    assert any(row.get("policy/grad_norm", 0.0) > 0.0 for row in updates)
    options = [
        "benchmark=principles",
        f"judge={path}",
        f"out={tmp_path / 'out'}",
        "prompts=2",
        "terms=3",
        "asked=verdict",
    ]
    assert run(*options, "verdict_tokens=30") == 0
    assert summary(tmp_path / "out")["judge"] == str(path / "policy")
    scored_by = small_run(
        "reward=genrm", "reward._target_=crucible.rewards.genrm.GenRM", f"reward.checkpoint={path / 'policy'}",
        "reward.principle=the steps are shown", "reward.max_tokens=30", "algo=grpo", "model.context_length=128",
    )  # fmt: skip
    assert read_status(scored_by)["state"] == "finished"
