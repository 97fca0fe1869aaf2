"""No hostile program leaks, hangs, passes, survives or leaves anything; an honest one passes beside them."""

from __future__ import annotations

import glob
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crucible.sandbox import Limits
from tests.sandbox.boxes import started
from tests.sandbox.hostile.program import RIGHT, SUITES, Hostile
from tests.sandbox.hostile.table import HOSTILE, PAGE, updated
from tests.sandbox.hostile.world import SECRET, VARIABLE, World, abandoned, below, own_use, settles, world

LIMITS = Limits(
    wall_seconds=1.5, cpu_seconds=1.0, memory_mb=128, processes=16, file_mb=4, scratch_mb=8, output_kb=64,
    suite_seconds=5,
)  # fmt: skip
LEVELS = ["namespaces", pytest.param("process", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=LEVELS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world around one sandbox for all programs; afterwards nothing of them may be left."""
    os.environ[VARIABLE] = SECRET
    folder = tmp_path_factory.mktemp("world")
    scratch = f"{tempfile.gettempdir()}/crucible-sandbox-{os.getpid()}-*"  # not those of tests beside this one
    there = set(glob.glob(scratch))
    with started(limits=LIMITS, isolation=request.param) as box, world(folder, box) as made:
        assert bool(set(glob.glob(scratch)) - there) == (request.param == "process")
        box.warm.close()
        before = own_use()
        yield made
        box.warm.close()
        after = own_use()
        assert after[0] == before[0], "descriptors left open"
        assert after[1] < before[1] + 30, "memory of the parent grew"
        assert settles(lambda: not below(made.zygote)), f"survivors: {below(made.zygote)}"
        assert made.changed() == []
    assert settles(lambda: not abandoned()), f"survivors: {abandoned()}"
    assert set(glob.glob(scratch)) <= there
    del os.environ[VARIABLE]


def survivors(place: World) -> set[int]:
    """Processes below the warm one that are no supervisors waiting for the next program."""
    return below(place.zygote) - set(place.box.warm.pids)


def contained(place: World, hostile: Hostile) -> None:
    started = time.monotonic()
    report = place.box.check(place.fill(hostile.program), SUITES[hostile.kind])
    seconds = time.monotonic() - started
    shown = report.output + "".join(test.text for test in report.tests)
    assert report.passed == 0, report
    assert "LEAK" not in shown, shown
    assert SECRET not in shown
    assert seconds < LIMITS.suite_seconds + 20  # on a machine with other work
    assert place.changed() == []
    assert settles(lambda: not survivors(place)), survivors(place)


@pytest.mark.parametrize("kind", SUITES)
def test_an_honest_program_passes(place: World, kind: str) -> None:
    with started(limits=replace(LIMITS, wall_seconds=60, suite_seconds=60), isolation=place.box._level) as patient:
        report = patient.check(RIGHT[kind], SUITES[kind])
    assert report.passed == report.total, report


@pytest.mark.parametrize("hostile", [h for h in HOSTILE if not h.slow], ids=lambda h: h.name)
def test_contained(place: World, hostile: Hostile) -> None:
    contained(place, hostile)


@pytest.mark.slow
@pytest.mark.parametrize("hostile", [h for h in HOSTILE if h.slow], ids=lambda h: h.name)
def test_contained_until_its_time_is_over(place: World, hostile: Hostile) -> None:
    contained(place, hostile)


def test_the_table_in_the_docs_is_current() -> None:
    page = Path(PAGE).read_text()
    assert updated(page) == page, "run python -m tests.sandbox.hostile.table"


def test_names_are_unique_and_there_are_enough() -> None:
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE) >= 40
