"""RLBFF at full scale: every recipe composes as it is; the miniature study's sweeps and arms."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from crucible.analysis.arms import matches, read_arms
from crucible.analysis.claims import read_claims
from crucible.analysis.flat_config import flatten
from crucible.analysis.frame import with_choices
from crucible.analysis.study import document, open_study
from crucible.config import dry_run, help
from crucible.config.catalogue import recipes
from crucible.config.compose import compose
from crucible.data.principles import CHAIN_PRINCIPLES
from crucible.rewards.rlbff import short_names
from crucible.rundir.config_file import write_config
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import expand
from crucible.sweeps.program import RULES
from tests.conftest import ROOT

PRINCIPLES = [p.text for p in CHAIN_PRINCIPLES]
FOLDER = ROOT / "experiments" / "rlbff"
RECIPES = [r.name for r in recipes(ROOT) if r.name.startswith("rlbff/")]


def test_the_recipes_are_those_of_the_paper() -> None:
    names = ("genrm", "policy_bt", "policy_genrm", "scalar_bt", "scalar_rm")
    assert [f"rlbff/{name}" for name in names] == RECIPES
    listed = help.text(ROOT, ["--help"])
    assert all(recipe in listed for recipe in RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_dry_runs_and_says_that_it_was_not_run(recipe: str) -> None:
    text = dry_run.report(compose([f"+experiments={recipe}"], ROOT).config)
    assert "nothing was loaded or written" in text
    assert "not run here" in (ROOT / "experiments" / f"{recipe}.yaml").read_text().splitlines()[1]


def test_the_control_differs_in_its_reward_alone() -> None:
    ours, control = (compose([f"+experiments=rlbff/policy_{name}"], ROOT).config for name in ("genrm", "bt"))
    assert {key for key in ours if ours[key] != control[key]} == {"reward", "experiment"}


def test_every_setting_says_where_it_is_from() -> None:
    """A value without a word is plain plumbing: paths, columns, plain switches."""
    plumbing = re.compile(
        r"(data|algo|recipe|model|batch|optim|evaluation|sampling|reward|trainer|rollout|config|eval_config"
        r"|answer_column|chosen_column|rejected_column|eval_split|recipe: null)\b"
    )
    for file in FOLDER.glob("*.yaml"):
        for line in file.read_text().partition("  - _self_\n")[2].splitlines():
            if line.strip() and not line.lstrip().startswith("#") and "#" not in line:
                assert plumbing.match(line.strip()), (file.name, line)
    assert sum(file.read_text().count("not found") for file in FOLDER.glob("*.yaml")) > 50


STUDY = ("miniature", "miniature_rl", "miniature_genrm")


def points(name: str):
    with open_composer(ROOT) as composer:
        return expand(load(f"rlbff/{name}", ROOT / "sweeps"), composer, RULES)


def test_every_run_of_the_study_is_in_one_arm_and_every_arm_has_runs() -> None:
    arms, claims = read_claims(ROOT / "analysis" / "claims" / "rlbff.yaml", ROOT / "analysis" / "arms")
    assert len(claims) >= 12
    assert read_arms(ROOT / "analysis" / "arms" / "rlbff.yaml").keys() == arms.keys()
    found: dict[str, list[int]] = {key: [] for key in arms}
    for point in (p for name in STUDY for p in points(name)):
        config = with_choices(flatten(point.config))
        mine = [key for key, arm in arms.items() if matches(config, arm.where)]
        assert len(mine) == 1, (point.label, mine)
        found[mine[0]].append(point.config["seed"])
        config = point.config
        data = config["algo"].get("recipe") or config["reward"].get("recipe") or config["data"]
        assert data["seed" if "seed" in data else "world_seed"] == config["seed"]
        assert (data["responses"], data["responses_per_prompt"]) == (5000, 2)
    assert found == {key: list(range(1, 5 if key == "genrm" else 9)) for key in arms}


def made_up(folder, point, noise) -> None:
    """A finished run of a point: principles are better than Bradley-Terry, tau 0.8 than its neighbours."""
    config = point.config
    path = folder / point.run_id
    path.mkdir(parents=True)
    write_config(path / "config.yaml", config, command="python train.py")
    (path / "status.json").write_text(json.dumps({"state": "finished", "step": 2, "steps": 2}))
    (path / "provenance.json").write_text(json.dumps({"git": {"commit": "abc", "dirty": False}, "code_version": "c"}))
    recipe = config["algo"].get("recipe") or config["reward"].get("recipe") or config["data"]
    written = "tau" in config["data"]
    good = 0.9 - abs(recipe["tau"] - 0.8) - (0.1 if "form" in config["algo"] else 0.0) + float(noise.normal(0, 0.005))
    names = ("pair_accuracy_true", "pair_accuracy_hard", "pair_accuracy_easy", "accuracy_true", "swap_accuracy",
             "auc/the final answer is right", "pair_accuracy_hard/the final answer is right")  # fmt: skip
    row = {f"rm/{name}": good + float(noise.normal(0, 0.005)) for name in names}
    of_pairs = {principle: good - (0.2 if written else 0.0) for principle in PRINCIPLES}
    of_pairs["the final answer is right"] = good + (0.05 if written else 0.0)
    row |= {f"rm/principle_pairs/{principle}": value for principle, value in of_pairs.items()}
    row |= {"eval/judgements/right_of_8": [6, 5], "eval/judgements/avg@8": 0.6875} if written else {}
    row |= {"rm/swap_reordered": 0.0 if "form" in config["algo"] else good}
    row |= {f"feedback/{name}": 0.95 for name in ("fakes_dropped", "yes_rate", "yes_rate_checked")}
    row["feedback/real_kept"] = 1.0
    row |= {"feedback/yes_rate_with_evidence": 0.6, "feedback/fakes": 9.0, "feedback/nearer_mix": good - 0.95}
    row |= {"feedback/triples": 3000 * (1 - recipe["tau"]), "feedback/label_accuracy": recipe["tau"]}
    rows = [{"kind": "eval", "step": 0, "phase": "before", **row}] if written else []
    rows += [{"kind": "eval", "step": 2, "phase": "after", **row}]
    if "recipe" in config["reward"]:
        rows = []
        for step, phase in ((0, "before"), (2, "after")):
            better = step * (0.2 if "principles" in config["reward"] else 0.1) + float(noise.normal(0, 0.005))
            truth = {f"eval/chain/true/{name}": 0.3 + better for name in short_names(PRINCIPLES).values()}
            said = {name.replace("/true/", "/yes/"): value + 0.1 for name, value in truth.items()}
            counts = {"eval/chain/right_of_8": [2 + step, 4], "eval/chain/avg@8": (6 + step) / 16}
            rows.append({"kind": "eval", "step": step, "phase": phase, **truth, **said, **counts})
    (path / "metrics.001.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def test_the_document_can_be_made_of_such_runs(tmp_path) -> None:
    noise = np.random.default_rng(0)
    for point in (p for name in STUDY for p in points(name)):
        made_up(tmp_path / "runs", point, noise)
    study = open_study("rlbff", ROOT, roots=[tmp_path / "runs"])
    text = document(study)
    verdicts = {f.claim.id: f.verdict for f in study.findings}
    assert verdicts["published_tables_are_consistent"] == "held"
    assert verdicts["evidence_check"] == "held"
    assert {f.claim.id for f in study.findings if f.evidence.supports} >= {
        "principles_beat_bradley_terry", "consensus_interior_optimum", "looser_keeps_more", "looser_is_noisier",
        "policy_gains_more_than_with_bradley_terry", "policy_is_overrated", "generative_is_better_on_correctness",
    }  # fmt: skip
    assert not {f.claim.id for f in study.findings if f.evidence.supports} & {"dropping_moves_the_mix"}
    assert "| principles, tau 0.8 | 8 |" in text
    assert "in no arm" not in text
    assert "not measured" not in text
