"""A W&B project in the same frames, through a client that answers as wandb.Api does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crucible.analysis.frame import curves_frame, evaluations_frame, runs_frame
from crucible.analysis.runs import read_run
from crucible.analysis.wandb_runs import wandb_runs
from crucible.errors import UserError
from crucible.rundir import read_config, read_metrics

from .runs import make_run


def mirrored(row: dict) -> dict:
    """What the logger sends of a metrics row, and what W&B adds."""
    values = {k: float(v) for k, v in row.items() if isinstance(v, int | float) and k != "step"}
    return {**values, "global_step": row["step"], "_step": 7, "_runtime": 1.5}


class Project:
    def __init__(self, path, state="finished"):
        history = [mirrored(row) for row in read_metrics(path)]
        self.run = SimpleNamespace(
            id="a-1234", name="exp/a", state=state, config=read_config(path / "config.yaml"),
            summary={"global_step": 12}, scan_history=lambda: iter([*history, {"_step": 9}]),
        )  # fmt: skip

    def runs(self, project):
        if project != "me/crucible":
            raise ValueError(f"could not find project {project}")
        return [self.run]


def test_the_frames_are_those_of_the_run_directory(tmp_path):
    path = make_run(tmp_path / "exp" / "a")
    theirs, ours = wandb_runs("me/crucible", Project(path)), [read_run(path)]
    a, b = (runs_frame(runs).iloc[0] for runs in (theirs, ours))
    for name in ("run", "experiment", "run_id", "state", "step", "steps", "seed", "algo.beta"):
        assert a[name] == b[name], name
    names = ["policy/entropy", "reward/mean", "policy/preserved_left"]
    assert curves_frame(theirs, names).sort_values(["metric", "step"])["value"].tolist() == (
        curves_frame(ours, names).sort_values(["metric", "step"])["value"].tolist()
    )
    columns = ["step", "phase", "data", "metric", "value", "low", "high"]
    assert evaluations_frame(theirs)[columns].equals(evaluations_frame(ours)[columns])


def test_states_and_mistakes(tmp_path):
    path = make_run(tmp_path / "exp" / "a", steps=2)
    assert wandb_runs("me/crucible", Project(path, "crashed"))[0].state == "dead"
    with pytest.raises(UserError, match=r"W&B project me/other cannot be read: could not find project"):
        wandb_runs("me/other", Project(path))
