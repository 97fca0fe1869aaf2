"""Runs that should have begun alike and did not are told."""

from __future__ import annotations

from crucible.analysis.find import find_runs
from crucible.analysis.starts import different_starts

from .small_runs import write_run


def begun(folder, *starts):
    for i, (options, counts) in enumerate(starts):
        right = {"after": [4, 4, 4]} | ({} if counts is None else {"before": counts})
        write_run(folder / "e" / f"run{i}", seed=i, options=options, right=right)
    return different_starts(find_runs([str(folder)]))


def test_the_same_start_needs_no_word(tmp_path):
    assert begun(tmp_path, ({}, [1, 2, 3]), ({"algo.loss.eps_high": 0.3}, [1, 2, 3]), ({}, None)) == ""


def test_another_start_under_the_same_config_is_told_with_its_accuracy(tmp_path):
    line = begun(tmp_path, ({}, [1, 2, 3]), ({}, [1, 2, 3]), ({"algo.loss.eps_high": 0.3}, [2, 2, 2]), ({}, [3, 2, 2]))
    assert "avg@4 before training was 50.0 (2 runs), 50.0 (1 runs), 58.3 (1 runs)" in line


def test_other_models_are_meant_to_differ(tmp_path):
    assert begun(tmp_path, ({}, [1, 2, 3]), ({"model.hidden_size": 64}, [2, 2, 2])) == ""


def test_what_the_run_made_of_a_base_depends_on_its_seed(tmp_path):
    base = {"model.base._target_": "tiny"}
    assert begun(tmp_path, (base, [1, 2, 3]), (base, [2, 2, 2])) == ""  # two seeds
    for again in find_runs([str(tmp_path)])[:1]:
        write_run(tmp_path / "e" / "other", seed=again.config["seed"], options=base, right={"before": [4, 4, 4]})
    assert "did not begin from the same policy" in different_starts(find_runs([str(tmp_path)]))
