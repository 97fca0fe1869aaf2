"""docs/leaderboard.md is the table of its stored results, under its introduction."""

from __future__ import annotations

from crucible.analysis.tables.program import built_table
from crucible.analysis.tables.render import markdown
from tests.conftest import ROOT

RESULTS = ROOT / "docs" / "studies" / "results" / "leaderboard.json"


def test_the_leaderboard_is_what_its_runs_say():
    page = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    built = built_table("leaderboard/online", runs=(str(RESULTS),), analysis_dir=ROOT / "analysis")
    assert page.endswith(markdown(built)), (
        "run: python analysis/table.py table=leaderboard/online runs=docs/studies/results/leaderboard.json, "
        "and put its table under the introduction"
    )
