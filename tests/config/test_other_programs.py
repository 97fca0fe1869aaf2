"""sweep.py's config is checked against sweep.py's own keywords, and its errors name its own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.sweeps.cli import PROGRAM

ROOT = Path(__file__).resolve().parents[2]


def test_a_whole_config_of_another_program_passes() -> None:
    made = compose(["sweep=x", "cluster=slurm", "++resources.gpus=2"], ROOT, name="sweep", target=PROGRAM)
    assert made.origin.root == "conf/sweep"
    assert made.config["resources"] == {"gpus": 2}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("actoin=status", 'unknown option actoin (did you mean "action"?)'),
        ("++actoin=status", 'unknown option actoin in conf/sweep (did you mean "action"?)'),
        ("action=stauts", 'action="stauts" in conf/sweep: must be one of "submit", "status", "retry", "cancel"'),
        ("cluster.at_onc=3", 'unknown option cluster.at_onc in conf/cluster/local (did you mean "at_once"?)'),
        ("cluster=locl", 'cluster has no option "locl" (did you mean "local"?)'),
        ("seed=3", "unknown option seed"),
    ],
)
def test_errors_are_about_its_own_options(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(["sweep=x", override], ROOT, name="sweep", target=PROGRAM)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert "train" not in str(caught.value)
