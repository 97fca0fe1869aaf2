"""Which study ran what, read from results and sweeps: brute force over the real ones, and made-up ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from crucible.config.methods import expected, methods
from crucible.config.methods_studies import Chosen, Ran, Study, chosen, part_ran, preset_ran, studies
from crucible.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
FOUND = {m.spelling: m for m in methods(ROOT)}
PAGE = Path("docs/studies/made_up.md")


def study(*configs: dict[str, Any], experiment: str = "e") -> Study:
    return Study("made_up", PAGE, tuple((experiment, config) for config in configs))


def clip(high: float, **more: Any) -> dict[str, Any]:
    return {"algo.loss._target_": "losses.clip", "algo.loss.eps_high": high, **more}


def test_the_real_results_are_counted_by_target() -> None:
    """Losses that no other YAML sets up: the number of finished runs that name the function."""
    configs = []
    for file in (ROOT / "docs" / "studies" / "results").glob("*.json"):
        content = json.loads(file.read_text())
        configs += [content["config"] | run["config"] for run in content["runs"] if run["state"] == "finished"]
    assert configs
    for name in ("algo/advantage=group_norm", "algo/filter=drop_without_signal", "entropy=none"):
        method = FOUND[name]
        used = sum(config.get(f"{method.place}._target_") == method.target for config in configs)
        assert sum(ran.runs for ran in method.ran) == used > 0
    online = [config for config in configs if "algo.loss._target_" in config]  # supervised runs have no such loss
    every = {config["algo.loss._target_"] for config in online}
    losses = [m for m in FOUND.values() if m.axis == "algo/loss"]
    assert {m.target for m in losses if m.ran} == every
    counted = {t: sum(ran.runs for m in losses if m.target == t for ran in m.ran) for t in every}
    assert sum(counted.values()) == len(online), "every run belongs to one YAML of its loss"


def test_a_run_belongs_to_the_yaml_whose_options_it_has_else_to_the_functions_own() -> None:
    found = [study(clip(0.2), clip(0.28), clip(0.28), clip(0.4), {"algo.loss._target_": "losses.other"})]
    plain, higher = {"algo.loss.eps_high": 0.2}, {"algo.loss.eps_high": 0.28}
    where = ("algo.loss", "losses.clip")
    assert part_ran(found, *where, plain, [higher], own=True) == (Ran("made_up", 2, PAGE),)
    assert part_ran(found, *where, higher, [plain], own=False) == (Ran("made_up", 2, PAGE),)
    assert part_ran(found, "algo.loss", "losses.third", {}, [], own=True) == ()


def test_an_option_younger_than_the_run_is_no_difference_and_true_is_not_one() -> None:
    wanted = {"algo.loss.eps_high": 0.2, "algo.loss.pull": 0.0}
    assert part_ran([study(clip(0.2))], "algo.loss", "losses.clip", wanted, [], own=False)
    assert not part_ran(
        [study(clip(0.2, **{"algo.loss.pull": False}))], "algo.loss", "losses.clip", wanted, [], own=False
    )


def test_a_preset_was_run_where_a_sweep_of_that_experiment_chose_it_and_the_run_has_its_parts() -> None:
    sweep = Chosen("e", frozenset({"mine"}), ("algo.filter.", "algo.loss.eps_high"))
    wanted = clip(0.2) | {"algo.filter._target_": "filters.all", "algo.advantage._target_": "norm"}
    made = clip(0.3) | {"algo.filter._target_": "filters.some", "algo.advantage._target_": "norm"}
    assert preset_ran([study(made, made)], [sweep], "mine", wanted) == (Ran("made_up", 2, PAGE),)
    assert preset_ran([study(made, experiment="other")], [sweep], "mine", wanted) == ()
    assert preset_ran([study(made)], [sweep], "yours", wanted) == ()
    assert preset_ran([study(made | {"algo.advantage._target_": "centre"})], [sweep], "mine", wanted) == ()
    without = {key: value for key, value in made.items() if "advantage" not in key}
    assert preset_ran([study(without)], [sweep], "mine", wanted) == ()


def test_sweeps_name_presets_and_what_they_set(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "paper").mkdir(parents=True)
    grid = {"a": ["algo=grpo, dapo", "+algo.loss.eps_high=0.3,0.4"], "b": ["algo/loss=gspo", "entropy=bonus"]}
    content = {"experiment": "mini", "base": ["algo/filter=keep_all", "steps=3"], "grid": grid}
    (tmp_path / "sweeps" / "paper" / "t.yaml").write_text(yaml.safe_dump(content))
    assert chosen(tmp_path) == [Chosen("mini", frozenset({"grpo", "dapo"}), ("algo.filter.", "algo.loss.eps_high"))]
    (tmp_path / "sweeps" / "u.yaml").write_text("grid: [algo=ppo]\n")
    assert chosen(tmp_path)[1] == Chosen("u", frozenset({"ppo"}), ())


def test_what_a_preset_stands_for_is_its_pieces_and_its_own_settings() -> None:
    found = expected(ROOT, FOUND.values(), "dapo")
    assert found["algo.loss._target_"].endswith(".ppo_clip")
    assert (found["algo.loss.eps_low"], found["algo.loss.eps_high"], found["algo.loss.dual_clip"]) == (0.2, 0.28, 10.0)
    assert found["algo.filter._target_"].endswith(".drop_without_signal")
    assert "algo.kl._target_" not in found
    assert FOUND["algo/auxiliary=positive_nll"].place == "algo.auxiliary.positive_nll"


def test_unfinished_runs_and_other_folders_do_not_count_and_damage_is_told(tmp_path: Path) -> None:
    assert studies(tmp_path) == []
    folder = tmp_path / "docs" / "studies" / "results"
    folder.mkdir(parents=True)
    runs = [
        {"state": state, "experiment": "e", "config": {"seed": n}} for n, state in enumerate(("finished", "running"))
    ]
    (folder / "mine_2.json").write_text(json.dumps({"config": {"steps": 3}, "runs": runs}))
    assert studies(tmp_path) == [
        Study("mine_2", Path("docs/studies/results/mine_2.json"), (("e", {"steps": 3, "seed": 0}),))
    ]
    (folder.parent / "mine.md").write_text("")
    (found,) = studies(tmp_path)
    assert (found.name, found.page) == ("mine", Path("docs/studies/mine.md"))
    (folder / "mine_2.json").write_text("{}")
    with pytest.raises(UserError, match="is no results file"):
        studies(tmp_path)
