"""Precision, gradient checkpointing and LoRA: the switches of Lightning, transformers and peft."""

from __future__ import annotations

import json

import pytest
import torch

from crucible.config.compose import compose
from crucible.config.rules import enforce
from crucible.errors import UserError
from crucible.rundir import read_metrics, read_status
from tests.conftest import ROOT, SMALL
from tests.policy.models import llama

LORA = "model.lora={r: 2, alpha: 4, targets: [q_proj, v_proj]}"


@pytest.fixture
def model_run(tmp_path):
    """A small run on a Llama in a folder; `small_run` for models that are loaded."""
    from crucible.run import run

    llama().save(tmp_path / "llama")

    def launch(*overrides):
        kept = [option for option in SMALL if not option.startswith("model.")]
        places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}", "algo/filter=keep_all"]
        model = ["model=hf", f"model.name_or_path={tmp_path / 'llama'}"]
        return run(**compose([*kept, *places, *model, *overrides], ROOT).config)

    return launch


def norms(path):
    return [row["policy/grad_norm"] for row in read_metrics(path) if row["kind"] == "update"]


def learned(path, tmp_path):
    """The names of the weights that the final policy does not share with the start policy."""
    from safetensors.torch import load_file

    start, end = (load_file(folder / "model.safetensors") for folder in (tmp_path / "llama", path / "policy"))
    assert start.keys() == end.keys()
    return {name for name in start if not torch.equal(start[name], end[name])}


def test_two_steps_in_bfloat16(small_run):
    path = small_run("algo=grpo", "algo/filter=keep_all", "trainer.precision=bf16-mixed")
    exact = small_run("algo=grpo", "algo/filter=keep_all")
    assert read_status(path)["state"] == "finished"
    first, same = norms(path)[0], norms(exact)[0]
    assert first == pytest.approx(same, rel=0.2)
    assert first != same


@pytest.mark.parametrize(("trainer", "precision"), [("default", "16-mixed"), ("fsdp", "bf16-true")])
def test_other_precisions_are_refused(small_run, trainer, precision):
    with pytest.raises(UserError, match=f'trainer.precision="{precision}" .*: must be one of "32-true", "bf16-mixed"'):
        small_run(f"trainer={trainer}", f"trainer.precision={precision}")


def test_lora_with_gradient_checkpointing_takes_two_steps(model_run, tmp_path):
    plain = model_run("algo=grpo", LORA, "run_id=plain")
    saving = model_run("algo=grpo", LORA, "model.gradient_checkpointing=true", "run_id=saving")
    assert norms(plain)[0] > 0
    assert norms(saving) == pytest.approx(norms(plain), rel=1e-3)
    assert all("q_proj" in name or "v_proj" in name for name in learned(saving, tmp_path))
    assert learned(saving, tmp_path)


@pytest.mark.slow
def test_shards_with_all_switches_at_once(model_run, tmp_path):
    """Adapters alone are trained, blocks computed again, bfloat16 gathered, the policy merged; one rank has no rows."""
    switches = (
        LORA,
        "model.gradient_checkpointing=true",
        "trainer.precision=bf16-mixed",
        "algo=grpo",
        "batch.prompts_per_step=2",
    )
    alone = model_run(*switches, "run_id=alone")
    path = model_run(*switches, "trainer=fsdp", "trainer.cpu_offload=true", "run_id=shards")
    assert norms(path)[0] == pytest.approx(norms(alone)[0], rel=0.2)
    assert all("q_proj" in name or "v_proj" in name for name in learned(path, tmp_path))
    assert learned(path, tmp_path)
    assert json.loads((path / "policy" / "config.json").read_text())["model_type"] == "llama"


def test_what_shards_cannot_do_is_refused(small_run):
    with pytest.raises(UserError, match=r"needs rollout.lag <= 0, not 1"):
        small_run("trainer=fsdp", "rollout.lag=1")


def test_a_stored_config_of_a_sharded_run_is_accepted():
    """Its file knows the classes, no longer the choices that named them."""
    enforce(compose([*SMALL, "trainer=fsdp"], ROOT).config)
