"""What state a run is in, from its directory and the queue; no SLURM needed."""

from __future__ import annotations

import pytest

from crucible.rundir.status import write_status
from crucible.sweeps.ledger import Batch, Ledger, Submission
from crucible.sweeps.queue import Element, Queued, QueueSilent
from crucible.sweeps.slurm import parse_squeue
from crucible.sweeps.status import judge, last_metric
from tests.sweeps.lab import Lab

SENT = Submission(Batch("b1", "slurm", "t", 1.0, ["r"], {}), 0)
CANCELLED = Submission(Batch("b1", "slurm", "t", 1.0, ["r"], {}, ["r"]), 0)
WAITS, RUNS = Queued("7_0", waiting=True), Queued("7_0", waiting=False)
HELD = Queued("7_0", waiting=True, stuck=True)


@pytest.mark.parametrize(
    ("recorded", "submission", "queued", "silent", "state"),
    [
        (None, None, None, False, "new"),
        (None, SENT, WAITS, False, "pending"),
        (None, SENT, RUNS, False, "running"),
        (None, SENT, None, False, "dead"),
        (None, CANCELLED, None, False, "cancelled"),
        ("running", SENT, RUNS, False, "running"),
        ("running", SENT, WAITS, False, "preempted"),
        ("running", SENT, None, False, "dead"),
        ("running", None, None, False, "dead"),
        ("running", CANCELLED, None, False, "cancelled"),
        ("preempted", SENT, WAITS, False, "preempted"),
        ("preempted", SENT, HELD, False, "dead"),
        (None, SENT, HELD, False, "dead"),
        ("preempted", SENT, RUNS, False, "running"),
        ("preempted", SENT, None, False, "dead"),
        ("failed", SENT, None, False, "failed"),
        ("failed", SENT, WAITS, False, "pending"),
        ("failed", SENT, RUNS, False, "running"),
        ("finished", SENT, RUNS, False, "finished"),
        ("finished", None, None, True, "finished"),
        ("running", SENT, None, True, "unknown"),
        (None, SENT, None, True, "unknown"),
    ],
)
def test_the_state_table(recorded, submission, queued, silent, state) -> None:
    assert judge(recorded, submission, queued, silent) == state


def test_squeue_is_read_by_job_name_and_index() -> None:
    text = (
        "15|0|crucible-aa|RUNNING|n1|59:10|None\n"
        "15|3|crucible-aa|PENDING||1:00:00|JobArrayTaskLimit\n"
        "16|N/A|crucible-bb|COMPLETING|n2|0:10|None\n"
        "17|1|crucible-aa|PENDING||1:00:00|launch failed requeued held\n"
        "18|2|crucible-zz|RUNNING|n1|1:00|None\n"
        "19|N/A|crucible-|RUNNING|n1|1:00|None\n"
        "20|N/A|other|RUNNING|n1|1:00|None\n"
        "21|5|crucible-aa|CANCELLED|n1|1:00|None\n"
    )
    queue = parse_squeue(text, {"aa", "bb"})
    assert queue == {
        Element("aa", 0): Queued("15_0", False, "n1", "59:10", ""),
        Element("aa", 3): Queued("15_3", True, "", "", "JobArrayTaskLimit"),
        Element("bb", 0): Queued("16", False, "n2", "0:10", ""),
        Element("aa", 1): Queued("17_1", True, "", "", "SLURM holds it: launch failed requeued held", True),
    }


def test_the_newest_submission_of_a_run_decides(lab: Lab) -> None:
    ledger = Ledger(lab.runs)
    ledger.create()
    ledger.write_batch(Batch("new", "slurm", "t", 2.0, ["r"], {}))
    ledger.write_batch(Batch("old", "slurm", "t", 1.0, ["q", "r"], {}))
    assert {run: s.batch.batch for run, s in ledger.submissions().items()} == {"q": "old", "r": "new"}


def test_a_silent_queue_makes_unfinished_runs_unknown_and_stops_submission(lab: Lab, monkeypatch) -> None:
    from crucible.errors import UserError

    lab.write()
    first, second = (s.point for s in lab.survey().standings)
    ledger = Ledger(lab.runs)
    ledger.create()
    ledger.write_batch(Batch("b1", "slurm", "t", 1.0, [first.run_id, second.run_id], {}))
    first.run_dir.mkdir(parents=True)
    write_status(first.run_dir, "finished", attempt=1)

    def silent(batches: object) -> None:
        raise QueueSilent("squeue does not answer: no controller")

    monkeypatch.setattr("crucible.sweeps.status.squeue", silent)
    assert lab.states() == {"finished": 1, "unknown": 1}
    for action in ("submit", "retry", "cancel"):
        with pytest.raises(UserError, match="no controller; nothing"):
            lab.act(action=action)


def test_an_unreadable_status_is_shown_and_never_called_finished(lab: Lab) -> None:
    lab.write(grid=["batch_size=4"])
    (standing,) = lab.survey().standings
    standing.point.run_dir.mkdir(parents=True)
    (standing.point.run_dir / "status.json").write_text('{"state": "fini')
    (standing,) = lab.survey().standings
    assert standing.state != "finished"
    assert "cannot be read" in standing.note


def test_what_another_rank_died_of_is_said_before_what_rank_0_then_saw(lab: Lab) -> None:
    lab.write(grid=["batch_size=4"])
    (standing,) = lab.survey().standings
    ledger = Ledger(lab.runs)
    ledger.create()
    standing.point.run_dir.mkdir(parents=True)
    write_status(standing.point.run_dir, "failed", attempt=1, error="RuntimeError: connection closed by peer")
    ledger.failure_file(standing.point.run_id).write_text('{"error": "rank 1: MemoryError: 40 GB"}')
    (standing,) = lab.survey().standings
    assert (standing.state, standing.note) == ("failed", "rank 1: MemoryError: 40 GB")


def test_the_metric_is_the_newest_of_the_newest_attempt(lab: Lab) -> None:
    lab.folder.joinpath("metrics.001.jsonl").write_text('{"reward/mean": 0.1}\n{"reward/mean": 0.9}\n')
    later = lab.folder / "metrics.002.jsonl"
    later.write_text('{"kind": "attempt"}\n')
    assert last_metric(lab.folder, "reward/mean") == 0.9
    later.write_text('{"reward/mean": 0.2}\n' + '{"other": 1}\n' * 3 + '{"reward/mean": 0.')
    assert last_metric(lab.folder, "reward/mean") == 0.2
    assert last_metric(lab.folder, "absent") is None
    assert last_metric(lab.folder / "nowhere", "reward/mean") is None


def test_the_table_puts_trouble_first_and_counts_what_it_hides(lab: Lab) -> None:
    lab.write(grid=["batch_size=range(1,9)"])
    first = lab.survey().standings[-1].point
    first.run_dir.mkdir(parents=True)
    write_status(first.run_dir, "failed", attempt=1, step=3, error="it broke")
    lab.act(action="status", rows=2)
    lines = lab.said[-1].splitlines()
    rows = [line for line in lines if "seed1-" in line]
    assert len(rows) == 2
    assert first.run_id in rows[0]
    assert "3/20" in rows[0]
    assert "failed: it broke" in lab.said[-1]
    assert "8 runs: 1 failed, 7 new (6 more rows: rows=0 shows all)" in lab.said[-1]
