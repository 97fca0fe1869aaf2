"""A large pool's distances as a job array: the shards on a real SLURM select what one process selects."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible.cotp.__main__ import main
from tests.sweeps.lab import REPOSITORY, SMALL, Lab

pytestmark = pytest.mark.slurm

SHARDS = 4
OPTIONS = ["per_core=6", "lambda_=1"]  # patterns alone: no model has to read the chains


def selected(pool: Path, distances: Path, out: Path) -> bytes:
    assert main(["select", f"pool={pool}", f"distances={distances}", f"out={out}"]) == 0
    return out.read_bytes()


def test_shards_sent_as_an_array_select_what_one_process_does(lab: Lab, tmp_path: Path) -> None:
    assert main(["world", f"out={tmp_path}", "items=300", "core_questions=5", "per_core=6"]) == 0
    pool, core = tmp_path / "pool", tmp_path / "core"
    for folder in (pool, core):
        assert main(["annotate", f"chains={folder}", "by=rules"]) == 0
    assert main(["distances", f"pool={pool}", f"core={core}", f"out={tmp_path / 'one'}", *OPTIONS]) == 0

    place = Lab(tmp_path / "real", cluster=lab.cluster, root=REPOSITORY / "pipelines" / "cotp")
    place.write(
        base=[f"pool={pool}", f"core={core}", f"out={tmp_path / 'many'}", *OPTIONS],
        grid=["shard=" + ",".join(f"{n}/{SHARDS}" for n in range(1, SHARDS + 1))],
        seeds="0",
        resources=SMALL,
    )
    sent = place.act()
    assert len(sent.standings) == SHARDS
    place.wait_for("finished", 180, count=SHARDS)
    assert selected(pool, tmp_path / "many", tmp_path / "many.jsonl") == selected(
        pool, tmp_path / "one", tmp_path / "one.jsonl"
    )
