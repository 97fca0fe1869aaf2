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
