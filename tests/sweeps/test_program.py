"""The command: dry run, locks, ownership, other code, other copies of a point."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from crucible.errors import UserError
from crucible.sweeps.debug import Debug
from crucible.sweeps.ledger import Ledger
from crucible.sweeps.resources import merge
from tests.sweeps.lab import REPOSITORY, Lab


def test_a_dry_run_counts_gpu_hours_and_writes_nothing(lab: Lab) -> None:
    lab.write(resources={"gpus": 4, "nodes": 2, "hours": 1.5}, seeds="1,2,3")
    lab.act(dry_run=True)
    assert "6 runs: 6 new\naction=submit would send 6 of them" in lab.said[-1]
    assert "at most 72 GPU hours" in lab.said[-1]
    assert not lab.runs.exists()


def test_the_second_submitter_waits_and_then_says_who_is_in_the_way(lab: Lab) -> None:
    ledger = Ledger(lab.runs)
    ledger.create()
    with open(ledger.folder / "lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="has held"), ledger.lock(patience_s=0.3):
            pass
    with ledger.lock(patience_s=0.3):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_sweeps_are_refused(lab: Lab) -> None:
    ledger = Ledger(lab.runs)
    ledger.create()
    os.chown(ledger.folder, 65534, 65534)
    lab.write()
    with pytest.raises(UserError, match=r"belongs to user \w+; submit as \w+ or set runs_dir"):
        lab.act()
    assert not list((ledger.folder / "batches").iterdir())


def test_a_run_begun_by_other_code_is_not_gone_on_with_silently(lab: Lab) -> None:
    lab.cluster = Debug(resources={})
    lab.write(base=["steps=6"], grid=["fault_raise_at=3"])
    lab.act()
    (standing,) = lab.survey().having("failed")
    file = standing.point.run_dir / "provenance.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "code": {**facts["code"], "run.py": "0" * 12}}))
    with pytest.raises(UserError, match=r"begun by other code \(changed since: run.py\).*nothing submitted"):
        lab.act(action="retry")
    lab.act(action="retry", allow_code_change=True)
    assert "sent 1 runs" in lab.said[-1]


def test_strict_code_is_part_of_the_id(lab: Lab) -> None:
    from crucible.rundir.code import code_version

    lab.write(grid=["batch_size=4"])
    (loose,) = lab.survey().standings
    (strict,) = lab.act(action="status", strict_code=True).standings
    assert strict.point.run_id == f"{loose.point.run_id}-{code_version()}"


def test_a_finished_run_in_another_experiment_is_found(lab: Lab) -> None:
    lab.cluster = Debug(resources={})
    lab.write("first", base=["steps=2"], experiment="here")
    lab.act("first")
    lab.write("second", base=["steps=2"], experiment="there", seeds="1,2")
    assert lab.states("second") == {"finished": 2, "new": 2}
    seen = lab.act("second", dry_run=True)
    rows = {row.split()[0]: row for row in lab.said[-1].splitlines() if "seed" in row}
    assert all(s.state in rows[s.point.run_id] for s in seen.standings), "what is there, and what is not"
    assert "would send 2 of them" in lab.said[-1]
    assert not (lab.runs / "there").exists()


def test_what_is_pickled_is_a_function_name_and_a_path(lab: Lab, tmp_path: Path) -> None:
    import pickletools

    import submitit

    from crucible.sweeps.worker import work

    job = submitit.LocalExecutor(tmp_path / "logs").submit(work, "/nowhere/point.json")
    raw = job.paths.submitted_pickle.read_bytes()
    job.cancel()
    opcodes = {op.name for op, _, _ in pickletools.genops(raw)}
    assert b"crucible.sweeps.worker" in raw
    assert b"/nowhere/point.json" in raw
    assert len(raw) < 700, "by reference: no code object is inside"
    assert "work" in pickle.loads(raw).function.__qualname__
    assert opcodes


def test_a_job_of_another_number_of_processes_than_the_run_wants_is_refused(lab: Lab) -> None:
    lab.root = REPOSITORY
    lab.write(grid=["optim.lr=1e-4"], resources={"tasks": 2})
    with pytest.raises(UserError, match=r"trainer\.devices=1 processes.*start 1 x 2; set .*tasks=1; nothing submitted"):
        lab.act()
    assert not list((lab.runs / ".sweeps" / "batches").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep=t", "actoin=status"], 'unknown option actoin (did you mean "action"?)'),
        (["sweep=t", "action=stats"], 'must be one of "submit", "status", "retry", "cancel"'),
        (["sweep=t", "cluster=slrum"], 'cluster has no option "slrum" (did you mean "slurm"?)'),
        (["sweep=t", "cluster.at_one=3"], 'did you mean "at_once"'),
        (["sweep=t", "resources.gpsu=3"], 'did you mean "gpus"'),
        (["sweep=t", "overrides=[batchsize=3]"], 'did you mean "batch_size"'),
        (["action=status"], "sweep"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(lab: Lab, arguments: list[str], message: str) -> None:
    lab.write()
    done = lab.cli(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (lab.runs / ".sweeps").exists()


@pytest.mark.parametrize(
    "written", ["[steps=2, batch_size=3]", '["steps=2","batch_size=3"]', r"[steps\=2,'batch_size=3']"]
)
def test_overrides_of_all_points_on_the_command_line(lab: Lab, written: str) -> None:
    lab.write(grid=["optim.lr=0.1"])
    done = lab.cli("sweep=t", f"overrides={written}", "action=status")
    assert "0/2" in done.stdout, done.stderr
    (standing,) = lab.act(action="status", overrides=["steps=2", "batch_size=3"]).standings
    assert standing.point.run_id in done.stdout


def test_help_shows_settings_clusters_and_sweeps() -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "sweep.py"), "--help"], capture_output=True, text=True, check=True
    )
    for word in ("action: submit", "slurm", "local", "debug", "ce_gppo/betas"):
        assert word in done.stdout


def test_no_torch_is_loaded() -> None:
    modules = "crucible.sweeps.cli, crucible.sweeps.program, crucible.sweeps.worker"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow  # loads torch
def test_a_rank_composes_nothing() -> None:
    """It gets the config as it was composed at submission."""
    code = "import sys, crucible.sweeps.worker, crucible.run; print({'hydra', 'omegaconf'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_setup_lines_and_options_add_up_and_other_keys_win_by_order() -> None:
    got = merge(
        {"setup": ["a"], "options": {"gres": "gpu:1", "mail-type": "END"}, "hours": 1},
        {"setup": ["b"], "options": {"gres": "gpu:2"}, "hours": 2},
    )
    assert got.setup == ("a", "b")
    assert dict(got.options) == {"gres": "gpu:2", "mail-type": "END"}
    assert got.hours == 2
