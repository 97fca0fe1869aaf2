"""Shared by all tests: two threads at most, no network, and small runs in process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")

ROOT = Path(__file__).resolve().parents[1]

# A policy of 20,000 random weights and short completions: a step takes a tenth of a second.
SMALL = [
    "data=chain",
    "data.terms=2",
    "data.eval_prompts=4",
    "reward=exact",
    "reward._target_=tests.small_world.CountsDigits",
    "sampling.max_tokens=12",
    "model.hidden_size=32",
    "model.layers=1",
    "model.heads=2",
    "model.intermediate_size=32",
    "model.context_length=64",
    "model.warmup=null",
    "batch.prompts_per_step=4",
    "batch.samples_per_prompt=4",
    "batch.updates_per_rollout=2",
    "batch.micro_batch_tokens=256",
    "evaluation.samples_per_prompt=2",
    "optim.lr=0.003",
    "trainer.accelerator=cpu",
    "figures=false",
    "steps=2",
]


@pytest.fixture
def small_run(tmp_path, capsys):
    """`small_run("algo=grpo", ...)` composes, checks and runs a small experiment; returns its run directory."""
    from crucible.config.compose import compose
    from crucible.run import run

    def launch(*overrides: str) -> Path:
        places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}"]
        return run(**compose([*SMALL, *places, *overrides], ROOT).config)

    return launch


@pytest.fixture
def killed_run(small_run, monkeypatch):
    """`killed_run(*options)`: the run dies in step 4, between its updates, and is started again."""
    from crucible.modules.online_rl import OnlineRL

    training_step = OnlineRL.training_step

    def dies(self, update, index):
        if self.steps_done == 3 and update == 1:
            raise KeyboardInterrupt
        return training_step(self, update, index)

    def launch(*options: str) -> Path:
        with monkeypatch.context() as patched:
            patched.setattr(OnlineRL, "training_step", dies)
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                small_run("run_id=killed", *options)
        return small_run("run_id=killed", *options)

    return launch


def same_weights(one: Path, other: Path, step: int) -> bool:
    """Are the checkpoints of two runs after `step` equal to the bit?"""
    import torch

    ends = [path / "checkpoints" / f"step-{step:06d}.ckpt" for path in (one, other)]
    a, b = (torch.load(end, weights_only=True)["state_dict"] for end in ends)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
