"""`model=after_sft`: the stage learns, counts its tokens, is kept, and feeds RL in one run."""

from __future__ import annotations

import pytest
import torch
from tests.conftest import ROOT
from tests.policy.models import qwen3

from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.modules import after_sft as stage
from crucible.modules.after_sft import after_sft
from crucible.policy.fingerprint import fingerprint
from crucible.run import run
from crucible.rundir import read_metrics, read_status
from crucible.types import Demonstration, Prompt

TEXTS = ["=1", "1+1=2;=2", "=3", "2+2=4;4+1=5;=5"]


class Shown:
    """A task with demonstrations and nothing else."""

    name = "shown"

    def __init__(self, texts=TEXTS, weights=None):
        self.texts, self.weights = texts, weights or [1.0] * len(texts)

    def demonstrations(self):
        pairs = zip(self.texts, self.weights, strict=True)
        return [Demonstration(Prompt(id=f"q{i}", text=f"{i}+1="), text, w) for i, (text, w) in enumerate(pairs)]


def made(tmp_path, said, *, task=None, base=None, **options):
    options = {"seed": 1, "steps": 12, "tokens_per_step": 20, "learning_rate": 1e-2} | options
    return after_sft(
        task=task or Shown(), base=base or qwen3(), cache_dir=tmp_path, report=said.append, **options
    )  # fmt: skip


def surprise(policy) -> float:
    """Mean -log p of a token of the demonstrations."""
    shown = Shown().demonstrations()
    total = count = 0.0
    for item in shown:
        ids = [*policy.tokenizer(item.completion, add_special_tokens=False)["input_ids"], policy.eos_id]
        batch = (*policy.encode([item.prompt]), torch.tensor([ids]), torch.ones(1, len(ids)))
        total -= policy.token_stats(*batch).logps.sum().item()
        count += len(ids)
    return total / count


def test_the_stage_learns_what_is_shown_and_is_kept(tmp_path):
    said: list[str] = []
    before, policy = surprise(qwen3()), made(tmp_path, said)
    assert surprise(policy) < before - 0.5
    assert policy.seen_ids == {"q0", "q1", "q2", "q3"}
    assert "SFT stage cached at" in said[-1]
    again = made(tmp_path, said)
    assert "SFT stage taken from" in said[-1]
    assert fingerprint(again) == fingerprint(policy) != fingerprint(qwen3())
    assert not list(tmp_path.glob("after_sft/*.partial"))


def test_another_seed_base_data_weight_or_option_is_another_stage(tmp_path):
    weighted = Shown(weights=[2.0, 1.0, 1.0, 1.0])
    ways = [{}, {"seed": 2}, {"base": qwen3(seed=3)}, {"task": Shown(TEXTS[:3])}, {"task": weighted}, {"steps": 11}]
    prints = {fingerprint(made(tmp_path, [], **way)) for way in ways}
    assert len(prints) == len(ways) == len(list((tmp_path / "after_sft").iterdir()))


def test_stages_on_short_and_long_demonstrations_see_equally_many_tokens(tmp_path, monkeypatch):
    seen: list[int] = []
    learn = stage.supervised.TokenObjective.learn

    def counted(self, items, clock, backward):
        seen.append(sum(len(item.completion) + 1 for item in items))
        return learn(self, items, clock, backward)

    monkeypatch.setattr(stage.supervised.TokenObjective, "learn", counted)
    for texts in (["=1"] * 9, ["1+1=2;2+1=3;3+1=4;=4"] * 3, TEXTS):
        seen.clear()
        made(tmp_path, [], task=Shown(texts), steps=10, tokens_per_step=50)
        longest = max(map(len, texts)) + 1
        assert 500 <= sum(seen) < 500 + longest
        assert all(abs(tokens - 50) <= longest for tokens in seen)


def test_a_step_is_one_update_on_the_mean_over_its_tokens(tmp_path):
    """One step of one epoch, against AdamW's first step on a gradient of our own: the sign of it times the rate."""
    base = qwen3()
    start = {name: weight.detach().clone() for name, weight in base.model.named_parameters()}
    loss, count = 0.0, 0
    for item in Shown().demonstrations():
        ids = [*base.tokenizer(item.completion, add_special_tokens=False)["input_ids"], base.eos_id]
        batch = (*base.encode([item.prompt]), torch.tensor([ids]), torch.ones(1, len(ids)))
        loss = loss - base.token_stats(*batch).logps.sum()
        count += len(ids)
    (loss / count).backward()
    signs = {name: weight.grad.sign() for name, weight in base.model.named_parameters()}
    strong = {name: weight.grad.abs() > 1e-4 for name, weight in base.model.named_parameters()}
    policy = made(tmp_path, [], steps=1, tokens_per_step=count, learning_rate=1e-3, rise_steps=1, max_grad_norm=1e9)
    for name, weight in policy.model.named_parameters():
        moved = (weight.detach() - start[name])[strong[name]]
        assert torch.allclose(moved, -1e-3 * signs[name][strong[name]], atol=2e-5), name


def test_data_without_demonstrations_of_its_own_is_refused(tmp_path):
    from crucible.data.chain import Chain

    message = "model=after_sft learns from a finite set of demonstrations; data=chain has none"
    with pytest.raises(UserError, match=message):
        made(tmp_path, [], task=Chain())


SMALL = [
    "algo=grpo", "data=cot", "data/select=cotp", "data.select.lambda_=1", "data.select.reference=null",
    "data.pool_items=80",
    "data.core_questions=4", "data.per_core=5", "data.eval_prompts=4", "model=after_sft", "model.steps=3",
    "model.tokens_per_step=100", "model.base.hidden_size=32", "model.base.layers=1", "model.base.heads=2",
    "model.base.intermediate_size=32", "model.base.warmup=null", "reward._target_=tests.small_world.CountsDigits",
    "sampling.max_tokens=12", "batch.prompts_per_step=4", "batch.samples_per_prompt=4", "batch.updates_per_rollout=2",
    "batch.micro_batch_tokens=256", "evaluation.samples_per_prompt=2", "optim.lr=0.003", "trainer.accelerator=cpu",
    "figures=false", "steps=2",
]  # fmt: skip


def test_select_sft_and_rl_are_one_run_with_one_config(tmp_path):
    places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}"]
    path = run(**compose([*SMALL, *places], ROOT).config)
    assert read_status(path)["state"] == "finished"
    evaluations = [row for row in read_metrics(path) if row["kind"] == "eval"]
    assert [row["phase"] for row in evaluations] == ["before", "after"]
    for row in evaluations:
        assert row["data/selected"] == 20
        assert 0 < row["data/recall"] <= 1
        assert row["data/eval_seen_in_training"] == 0.0
        assert 1.0 <= row["eval/cot/attempts@2"] <= 2.0
    assert len(list((tmp_path / "cache" / "after_sft").iterdir())) == 1
    assert run(**compose([*SMALL, *places], ROOT).config) == path  # the same command: nothing to do
