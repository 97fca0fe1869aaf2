"""The tables of docs/reward_benchmarks.md are what the commands above them print."""

from __future__ import annotations

import re
import textwrap

import pytest

from tests.conftest import ROOT

from .small import real, run

PAGE = (ROOT / "docs" / "reward_benchmarks.md").read_text()
TABLES = dict(re.findall(r"<!-- (\w+ length.*?) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL))


def test_there_are_four() -> None:
    assert len(TABLES) == 4


@pytest.mark.parametrize("name", TABLES)
def test_a_table(name, tmp_path, capsys) -> None:
    benchmark, judge, *split = name.split()
    data = [] if benchmark == "principles" else [f"data={real(benchmark)}", *(f"split={s}" for s in split)]
    assert run(f"benchmark={benchmark}", f"judge={judge}", f"out={tmp_path / 'out'}", *data) == 0
    shown = [line for line in capsys.readouterr().out.splitlines()[1:-1] if not line.startswith("note: ")]
    assert shown == textwrap.dedent(TABLES[name]).splitlines()
