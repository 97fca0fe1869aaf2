"""The full-scale recipes of Verification Limits: checked as they are, and one trained for two steps in small."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crucible.config import dry_run, help
from crucible.config.catalogue import recipes
from crucible.config.compose import compose
from crucible.rundir import read_metrics, read_status
from tests.conftest import ROOT

NAME = "verification_limits"
RECIPES = [r.name for r in recipes(ROOT) if r.name.startswith(f"{NAME}/")]
COMMON = (ROOT / "experiments" / NAME / "_common.yaml").read_text()


def composed(recipe: str, *more: str) -> dict[str, Any]:
    return compose([f"+experiments={recipe}", *more], ROOT).config


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_dry_runs_and_says_that_it_was_not_run(recipe: str) -> None:
    text = dry_run.report(composed(recipe))
    assert "1,000 steps = 1,000 optimiser steps, 64,000 demonstrations" in text
    assert "nothing was loaded or written" in text
    assert "not run here" in (ROOT / "experiments" / f"{recipe}.yaml").read_text().splitlines()[1]


def test_recipes_differ_in_what_is_kept_alone() -> None:
    base = composed(f"{NAME}/command_7b")
    for recipe in RECIPES:
        other = composed(recipe)
        assert {key for key in base if base[key] != other[key]} <= {"data", "experiment"}, recipe
        assert {key for key in base["data"] if base["data"][key] != other["data"][key]} <= {"verify"}, recipe
        assert (other != base) == (recipe != f"{NAME}/command_7b")


def test_every_setting_says_where_it_is_from() -> None:
    """Each line with a value has a comment, or stands in a recipe's own few lines with one."""
    for path in (ROOT / "experiments" / NAME).glob("*.yaml"):
        lines = path.read_text().partition("  - _self_\n")[2].splitlines()
        bare = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        silent = [line for line in bare if "#" not in line and not line.rstrip().endswith(":")]
        assert len(silent) <= 2, (path.name, silent)
    assert COMMON.count("not found") > 20


def test_help_lists_them() -> None:
    listed = help.text(ROOT, ["--help"])
    assert all(recipe in listed for recipe in RECIPES)


@pytest.mark.slow
def test_a_recipe_takes_two_steps(tmp_path, monkeypatch) -> None:
    """On a pool and held-out problems of the embedded world, as a pipeline leaves them."""
    from crucible.run import run
    from crucible.verification.command import verification
    from tests.policy.models import qwen3

    monkeypatch.chdir(tmp_path)
    verification(out=tmp_path / "pool", count=12, samples=4, suite=("structured:8",))
    verification(out=tmp_path / "other", count=40, samples=1, suite=("structured:8",), seed=7)
    known = {json.loads(line)["prompt"] for line in (tmp_path / "pool" / "problems.jsonl").open()}
    held_out = [
        line for line in (tmp_path / "other" / "problems.jsonl").open() if json.loads(line)["prompt"] not in known
    ]
    (tmp_path / "held_out.jsonl").write_text("".join(held_out[:4]))
    policy = qwen3(context_length=192)
    policy.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}="
    policy.save(tmp_path / "model")
    small = [
        f"model.name_or_path={tmp_path / 'model'}", f"data.path={tmp_path / 'pool'}",
        f"data.eval_path={tmp_path / 'held_out.jsonl'}", f"runs_dir={tmp_path / 'runs'}",
        f"cache_dir={tmp_path / 'cache'}", "model.context_length=192", "sampling.max_tokens=8",
        "batch.prompts_per_step=4", "batch.micro_batch_tokens=512", "trainer.accelerator=cpu", "steps=2",
        "figures=false",
    ]  # fmt: skip
    path = run(**composed(f"{NAME}/command_7b", *small))
    assert read_status(path)["state"] == "finished"
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert {row["step"] for row in updates} == {1, 2}
