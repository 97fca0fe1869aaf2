"""A real cluster for the tests marked `slurm`: skipped without SLURM, failed where one was promised."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible.sweeps.slurm import Slurm
from tests.slurm import table
from tests.slurm.cluster import Cluster, ClusterError
from tests.slurm.cluster_conf import Shape
from tests.slurm.packages import missing_programs
from tests.sweeps.lab import TRIAL, Lab

PROMISED = os.environ.get("CRUCIBLE_REQUIRE_SLURM") == "1"


def unavailable(reason: str) -> None:
    """Skip on a laptop; fail where the environment promised a cluster."""
    if PROMISED:
        pytest.fail(f"CRUCIBLE_REQUIRE_SLURM=1, and {reason}")
    pytest.skip(f"{reason} (apt-get install slurm-wlm munge)")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two pretend nodes, a partition that preempts, memory limits, arrays of at most 16."""
    if lacking := missing_programs():
        unavailable(f"no SLURM on this machine: {', '.join(lacking)} not found")
    home = Path(tempfile.mkdtemp(prefix="crucible-slurm-", dir="/tmp"))
    made = Cluster(home, Shape(nodes=2, cpus=16, preempt=True, enforce_memory=True, max_array=16))
    try:
        made.up()
    except ClusterError as error:
        shutil.rmtree(home, ignore_errors=True)
        pytest.fail(f"SLURM is installed and does not start: {error}")
    yield made
    made.down(remove=True)


@pytest.fixture
def lab(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A laboratory whose sweeps go to the cluster. Its jobs are ended and its nodes mended afterwards."""
    monkeypatch.syspath_prepend(str(TRIAL))
    for name, value in {**cluster.environment(), "PYTHONPATH": Lab.python_path(), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    yield Lab(tmp_path, cluster=Slurm(resources={"partition": "main"}))
    cluster.settle()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if table.FAULTS:
        terminalreporter.section("faults on a real SLURM")
        terminalreporter.write_line(table.text())
    for title, text in table.SEEN:
        terminalreporter.section(title)
        terminalreporter.write_line(text)
