"""The study's files fit together: every run of its sweeps is in one arm, every claim has a test, the page is made."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from crucible.analysis import style
from crucible.analysis.arms import Arm, assign, read_arms
from crucible.analysis.claim_tests import Values
from crucible.analysis.claims import judge, read_claims
from crucible.analysis.figure_definition import figure_names, read_figure
from crucible.analysis.find import find_runs
from crucible.analysis.flat_config import flatten
from crucible.analysis.paper_figures import figure_of
from crucible.analysis.study import document, open_study
from crucible.analysis.tables.definition import read_table
from crucible.analysis.verification import stored
from crucible.analysis.verification.claims import gain_larger
from crucible.analysis.verification.counts import write_counts
from crucible.analysis.verification.program import counted
from crucible.analysis.verification.verdicts import read_verdicts
from crucible.rundir.config_file import write_config
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import expand
from crucible.sweeps.program import RULES

from ...conftest import ROOT
from .world import random_rows, write

ANALYSIS = ROOT / "analysis"
NAME = "verification_limits"


@dataclass(frozen=True)
class Planned:
    """A point of a sweep as `assign` looks at runs."""

    path: str
    seed: int
    config: dict[str, Any] = field(hash=False)
    whole: dict[str, Any] = field(hash=False)


@pytest.fixture(scope="module")
def planned() -> list[Planned]:
    found = []
    with open_composer(ROOT) as composer:
        for name in ("miniature", "miniature_rl"):
            for point in expand(load(f"{NAME}/{name}", ROOT / "sweeps"), composer, RULES):
                found.append(Planned(point.run_id, point.config["seed"], flatten(point.config), point.config))
    return found


def test_every_run_is_in_one_arm_and_every_arm_has_its_seeds(planned: list[Planned]) -> None:
    arms, others = assign(read_arms(ANALYSIS / "arms" / f"{NAME}.yaml"), planned)  # type: ignore[arg-type]
    assert [run.config for run in others] == []
    wanted = {key: (1, 2, 3) if key.startswith("rl_") else (1, 2, 3, 4, 5) for key in arms}
    assert {key: arm.seeds for key, arm in arms.items() if arm.seeds != wanted[key]} == {}
    assert len(planned) == sum(map(len, wanted.values()))
    assert len(arms) <= 50


def test_arms_differ_in_what_they_are_named_for_alone(planned: list[Planned]) -> None:
    """Of the supervised arms nothing but data.verify changes, so that they differ in what the verifier keeps."""
    supervised = [run.config for run in planned if "verification" not in run.config and "data.verify.tau" in run.config]
    changing = Counter(
        name
        for config in supervised
        for name, value in config.items()
        if value != supervised[0].get(name, "absent") and name not in ("seed", "run_id")
    )
    assert all(name.startswith("data.verify.") for name in changing), changing
    assert {config["steps"] * config["batch.prompts_per_step"] for config in supervised} == {3200}


def test_claims_name_arms_and_rates_that_exist() -> None:
    arms, claims = read_claims(ANALYSIS / "claims" / f"{NAME}.yaml", ANALYSIS / "arms")
    told = [claim.source for claim in claims]
    for number in range(1, 10):
        assert any(f"claim {number}" in source for source in told), number
    assert len({claim.id for claim in claims}) == len(claims)
    assert set(arms) >= {"strong_1", "weak_1", "unverified"}


@pytest.mark.parametrize("name", [name for name in figure_names(ANALYSIS) if name.startswith(NAME)])
def test_figures_can_be_read(name: str) -> None:
    assert read_figure(name, ANALYSIS).panels


@pytest.mark.parametrize("name", sorted(p.stem for p in (ANALYSIS / "tables" / NAME).glob("*.yaml")))
def test_tables_can_be_read(name: str) -> None:
    assert read_table(f"{NAME}/{name}", ANALYSIS)


SUITES = ("structured-8-e0.06-grows", "minimal-8-e0.06-grows", "structured-4-e0.06-grows", "structured-16-e0.06-grows",
          "structured-8-e0.05")  # fmt: skip


def write_run(folder: Path, run: Planned, arm: str, noise: random.Random) -> None:
    """A finished run whose accuracy is known: what the claims say, up to noise."""
    better = {"strong_0.7": 0.2, "strong_0.7_sized": 0.2, "strong_0.4": 0.05, "wrong_only_sized": -0.2, "tests_4": 0.1}
    chance = 0.4 + better.get(arm, 0.0) + noise.uniform(-0.003, 0.003)
    data = "programs" if arm.startswith("rl_") else "verified"
    place = folder / run.path
    place.mkdir(parents=True)
    write_config(place / "config.yaml", run.whole, command="python train.py")
    (place / "status.json").write_text(json.dumps({"state": "finished", "step": 3, "steps": 3, "error": None}))
    facts = {"git": {"commit": "abc1234", "dirty": False}, "code_version": "0123456789ab", "command": "python train.py"}
    (place / "provenance.json").write_text(json.dumps(facts))
    rows = []
    for step, phase, share in ((0, "before", 0.3), (3, "after", chance)):
        total = round(1024 * share)
        right = [total // 128 + (i < total % 128) for i in range(128)]
        rows.append(
            {"kind": "eval", "step": step, "phase": phase, f"eval/{data}/right_of_8": right,
             f"eval/{data}/avg@8": sum(right) / 1024, f"eval/{data}/pass@8": sum(map(bool, right)) / 128,
             f"eval/{data}/reward": sum(right) / 1024 + (0.3 if "weak" in arm else 0.1) + noise.uniform(0, 0.004)}
        )  # fmt: skip
    rows.insert(1, {"kind": "update", "step": 1, "update": 1, "policy/grad_norm": 0.5})
    (place / "metrics.001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_an_interaction_is_a_difference_of_differences_by_seed() -> None:
    class Known(Values):
        def of(self, arm: str, value: str) -> dict[int, float]:
            return {seed: table[arm][seed - 1] for seed in (1, 2, 3)}

    table = {"a": [0.9, 0.8, 0.85], "b": [0.5, 0.5, 0.4], "c": [0.6, 0.7, 0.6], "d": [0.5, 0.55, 0.5]}
    values = Known({key: Arm(key, key, {}, i) for i, key in enumerate(table)}, ROOT)
    found = gain_larger(values, a="a", b="b", c="c", d="d", value="x")
    gains = [[x - y for x, y in zip(table[p], table[q], strict=True)] for p, q in (("a", "b"), ("c", "d"))]
    assert found.p == pytest.approx(stats.ttest_rel(*gains).pvalue)
    assert found.supports
    assert not gain_larger(values, a="c", b="d", c="a", d="b", value="x").supports


def drawn(name: str, runs: list[Any]) -> None:
    """Every panel of a figure shows something, and no text covers another."""
    definition = read_figure(name, ANALYSIS)
    with style.drawing() as pyplot:
        figure, notes = figure_of(pyplot, definition, assign(definition.arms, runs)[0])
        for axes in figure.axes:
            assert axes.lines or axes.collections, axes.get_title(loc="left")
            assert not axes.texts or "no runs" not in axes.texts[0].get_text(), axes.get_title(loc="left")
        assert notes == []
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        boxes = [legend.get_window_extent(renderer) for legend in figure.legends]
        boxes += [axes.get_tightbbox(renderer) for axes in figure.axes]
        for one, other in combinations(boxes, 2):
            overlap = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(overlap) < 1.0, (name, one, other)  # pixels


@pytest.mark.slow
def test_page_and_figures_are_made_of_runs_and_counts(
    planned: list[Planned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ANALYSIS, tmp_path / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
    studies = tmp_path / "docs" / "studies"
    (studies / "verdicts").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "studies" / f"{NAME}.template.md", studies)
    arms, _ = assign(read_arms(ANALYSIS / "arms" / f"{NAME}.yaml"), planned)  # type: ignore[arg-type]
    noise = random.Random(1)
    for key, arm in arms.items():
        for run in arm.runs:
            write_run(tmp_path / "runs", run, key, noise)  # type: ignore[arg-type]
    rows = [r | {"difficulty": 1 + int(r["problem"][1:]) % 4} for r in random_rows(3, problems=80, suites=SUITES)]
    verdicts = read_verdicts([write(tmp_path / "verdicts.jsonl", rows)])
    told = [replace(v, wrong=(True, *[False] * (len(v.outcomes) - 1))) if v.outcomes else v for v in verdicts]
    write_counts(studies / "verdicts" / f"{NAME}.json", counted(told), made_by="a test", files=["verdicts.jsonl"])
    text = document(open_study(NAME, tmp_path, [str(tmp_path / "runs")]))
    assert "{{" not in text
    findings = {f.claim.id: f for f in open_study(NAME, tmp_path, [str(tmp_path / "runs")]).findings}
    assert {k for k, f in findings.items() if f.verdict == "not run"} == set()
    expected = (
        "interior_optimum_with_strong_tests", "strength_decides_whether_relaxing_pays", "no_gain_with_weak_tests",
        "verification_is_necessary", "right_solutions_train_better_than_wrong_ones", "the_gain_is_not_size_alone",
        "rl_weak_tests_are_rewarded_without_success", "judge_recovers_right_solutions",
    )  # fmt: skip
    for held in expected:
        assert findings[held].verdict == "held", (held, findings[held].evidence)
    assert findings["soft_verification_trains_better"].verdict == "undecided"
    assert "in no arm" not in text
    assert f"{sum(len(arm.runs) for arm in arms.values())} finished runs" in text
    monkeypatch.setattr(stored, "REPOSITORY", tmp_path)
    for name in [name for name in figure_names(ANALYSIS) if name.startswith(NAME)]:
        drawn(name, find_runs([str(tmp_path / "runs")]))
    (studies / "verdicts" / f"{NAME}.json").unlink()
    opened = open_study(NAME, tmp_path, [str(tmp_path / "runs")])
    without = judge(opened.claims, opened.arms, root=tmp_path)
    assert {f.verdict for f in without if f.claim.id == "many_tests_remove_hard_problems"} == {"not run"}
