"""The full-scale recipes: checked as they are, tied to their page, and trained for two steps in small."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from crucible.config import dry_run, help
from crucible.config.catalogue import recipes
from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.rundir import read_metrics, read_status
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import Point, expand
from crucible.sweeps.program import RULES
from tests.conftest import ROOT

RECIPES = [r.name for r in recipes(ROOT) if r.name.startswith("ce_gppo/")]
SWEEPS = {p.stem for p in (ROOT / "sweeps" / "ce_gppo").glob("*.yaml") if re.match(r"(table|figure)\d", p.stem)}
PAGE = (ROOT / "docs" / "recipes.md").read_text()


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose header starts with `first`."""
    table = PAGE.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def value_at(made, path: str):
    node = made.config
    for key in path.split("."):
        node = node[key]
    return made.origin.option(path) if isinstance(node, dict) else node


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_dry_runs(recipe):
    text = dry_run.report(compose([f"+experiments={recipe}"], ROOT).config)
    assert "256 prompts x 8 samples = 2,048 completions a step" in text
    assert "1,000 steps = 8,000 optimiser steps" in text
    assert "nothing was loaded or written" in text


def test_help_lists_every_recipe_with_one_line():
    listed = help.text(ROOT, ["--help"]).partition("+experiments=\n")[2].splitlines()
    for recipe in RECIPES:
        line = next(line for line in listed if line.split()[0] == recipe)
        assert "not run here" in line
    assert not any(line.strip().startswith("ce_gppo/_") for line in listed)


def test_a_typo_in_a_recipe_is_one_line_with_the_nearest_name():
    nearest = r'no option "ce_gppo/deepsek_7b" \(did you mean "ce_gppo/deepseek_7b"'
    with pytest.raises(UserError, match=nearest) as caught:
        compose(["+experiments=ce_gppo/deepsek_7b"], ROOT)
    assert "\n" not in str(caught.value)


def test_the_page_tells_the_settings_of_the_recipe():
    made = compose(["+experiments=ce_gppo/deepseek_1_5b"], ROOT)
    told = [(option.strip("`"), ours.strip("`")) for option, _, ours, _ in rows("option") if option.startswith("`")]
    assert len(told) > 30
    for option, ours in told:
        found = value_at(made, option) if option != "algo.auxiliary" else made.origin.option("algo.auxiliary")
        assert found == yaml.safe_load(ours), option


def test_the_page_tells_what_each_recipe_changes():
    table = rows("recipe")
    assert [cells[0].strip("`") for cells in table] == sorted(
        (r for r in RECIPES if r != "ce_gppo/deepseek_1_5b"), key=[cells[0].strip("`") for cells in table].index
    )
    for recipe, changes, _ in table:
        made = compose([f"+experiments={recipe.strip('`')}"], ROOT)
        for change in re.findall(r"`([\w.]+=[^`]+)`", changes):
            option, _, value = change.partition("=")
            assert value_at(made, option) == yaml.safe_load(value), (recipe, option)


@pytest.mark.parametrize("size", ["1_5b", "7b"])
@pytest.mark.parametrize("method", ["grpo", "dapo"])
def test_a_baseline_differs_from_ce_gppo_in_its_objective_alone(size, method):
    ours = compose([f"+experiments=ce_gppo/deepseek_{size}"], ROOT).config
    other = compose([f"+experiments=ce_gppo/deepseek_{size}_{method}"], ROOT).config
    assert {key for key in ours if ours[key] != other[key]} == {"algo", "experiment"}
    assert {key for key in ours["algo"] if ours["algo"][key] != other["algo"][key]} == {"loss"}


def points(name: str) -> list[Point]:
    with open_composer(ROOT) as composer:
        return expand(load(f"ce_gppo/{name}", ROOT / "sweeps"), composer, RULES)


@pytest.mark.slow
def test_the_sweeps_are_what_the_page_says_and_share_their_runs():
    found = {name: points(name) for name in sorted(SWEEPS)}
    told = {cells[0].strip("`").removeprefix("ce_gppo/"): cells[2] for cells in rows("sweep")}
    assert set(told) == SWEEPS
    for name, text in told.items():
        n, seeds = map(int, re.findall(r"\d+", text)[:2])
        assert len(found[name]) == n * seeds, name
        assert all(p.resources.gpu_hours >= 600 for p in found[name])
    ids = {name: {p.run_id for p in made} for name, made in found.items()}
    assert ids["figure2"] < ids["table1"]
    assert ids["figure4"] < ids["table1"]
    assert len(ids["figure3"] & ids["table1"]) == 6 * 3  # DAPO and both betas, on both models
    assert len(ids["figure6"] & ids["figure3"]) == 3
    big = [p for p in found["table1"] if p.config["model"]["name_or_path"].endswith("7B")]
    assert {p.resources.hours for p in big} == {2000}


@pytest.fixture
def in_small(tmp_path):
    """Overrides that put a small model and local files of the same shape in place of what a recipe downloads."""
    from tests.policy.models import qwen3

    policy = qwen3(context_length=128)
    policy.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}="
    policy.save(tmp_path / "model")
    sums = [(f"{a}+{b}", str(a + b)) for a in range(8) for b in range(8)]
    train, held_out = tmp_path / "train", tmp_path / "held_out"
    for folder, split in ((train, sums[:56]), (held_out, sums[56:])):
        folder.mkdir()
        maths = [
            {"prompt": [{"role": "user", "content": q}], "reward_model": {"ground_truth": a, "style": "rule"}}
            for q, a in split
        ]
        benchmark = [{"problem": q, "answer": a} for q, a in split]
        written = maths if folder is train else benchmark
        (folder / "train.jsonl").write_text("\n".join(map(json.dumps, written)))
    return [
        f"model.name_or_path={tmp_path / 'model'}", f"data.dataset={train}", f"data.eval_dataset={held_out}",
        f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}",
        "model.context_length=128", "sampling.max_tokens=12", "batch.prompts_per_step=8", "batch.samples_per_prompt=4",
        "batch.micro_batch_tokens=256", "evaluation.samples_per_prompt=2", "trainer.accelerator=cpu", "steps=2",
        "reward._target_=tests.small_world.CountsDigits", "figures=false",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_takes_two_steps(recipe, in_small):
    from crucible.run import run

    path = run(**compose([f"+experiments={recipe}", *in_small], ROOT).config)
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert read_status(path)["state"] == "finished"
    assert {row["step"] for row in updates} == {1, 2}
    assert len(updates) == 2 * 8
    assert any(row.get("policy/grad_norm", 0.0) > 0.0 for row in updates)
