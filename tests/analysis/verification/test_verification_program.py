"""analysis/verification.py from files to a page, a table, figures and pages about problems."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from crucible.analysis.verification import figures
from crucible.analysis.verification.counts import read_counts
from crucible.analysis.verification.program import counted, read, verdict_files, verification
from crucible.analysis.verification.rates import rate
from crucible.analysis.verification.tables import groups
from crucible.errors import UserError
from tests.analysis.verification.world import pipeline, random_rows, write

from ...conftest import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pipeline(tmp_path_factory.mktemp("pipeline"))


def test_everything_at_once(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = verification(verdicts=(folder,), out=out, pages=2, formats=("png",))
    assert (out / "verification.md").read_text() in text
    for title in ("## The suites", "## Suite minimal-3", "### Kept", "### Verifiers against gold", "### Ceilings",
                  "### Wrong tests"):  # fmt: skip
        assert title in text
    suites = counted(read(verdict_files([folder])))
    suite = suites["minimal-3"]
    kept = rate(suite, "tests@1", "kept", [2])
    assert kept is not None
    assert f"{kept.value:.3f} [{kept.low:.3f}, {kept.high:.3f}]" in text
    lines = list(csv.DictReader((out / "rates.csv").open()))
    line = next(r for r in lines if (r["verifier"], r["rate"], r["difficulty"]) == ("tests@1", "kept", "2"))
    assert float(line["value"]) == pytest.approx(kept.value)
    assert int(line["part"]) / int(line["whole"]) == pytest.approx(kept.value)
    assert {r["rate"] for r in lines} >= {"precision", "recall", "diversity", "reach"}
    assert read_counts(out / "counts.json")["minimal-3"].quality == suite.quality
    names = {p.name for p in (out / "figures").iterdir()}
    assert names == {f"{name}.png" for name in ("kept", "coverage", "errors", "verifiers", "ceilings")}
    assert len(list((out / "problems").glob("*.md"))) == 2
    again = verification(counts=out / "counts.json")
    assert again.partition("Verdicts:")[0] == text.partition("Verdicts:")[0]


def test_wrong_tests_cost_right_programs_at_once_and_little_at_a_lower_threshold(folder: Path) -> None:
    suite = counted(read(verdict_files([folder])))["minimal-3"]
    lost = [rate(suite, f"{kind}@1", "false_reject").value for kind in ("tests", "sound")]  # type: ignore[union-attr]
    assert lost[0] > lost[1] == 0
    assert rate(suite, "tests@0.6", "false_reject").value == 0  # type: ignore[union-attr]


def test_one_problem_to_read(folder: Path) -> None:
    text = verification(verdicts=(folder,), problem="p4")
    assert "add 4" in text
    assert "`assert f(2) == 7`" in text
    assert "| wrong |" in text
    assert "def f(x): return x + 4" in text
    assert "rejected by test 3 (failed)" in text
    assert "Wrongly rejected" in text
    rows = [row for row in read(verdict_files([folder])) if row.problem == "p4"]
    right = [row for row in rows if row.gold]
    assert f"{len(right)} of {len(right)}" in text  # the wrong test rejects every right program
    assert text.count("Solution `") == len(rows) <= 6
    with pytest.raises(UserError, match=r"no problem p44 .*did you mean"):
        verification(verdicts=(folder,), problem="p44")


def test_without_files_beside_the_verdicts(tmp_path: Path) -> None:
    path = write(tmp_path / "verdicts.jsonl", random_rows(1))
    text = verification(verdicts=(path,), problem="p3")
    assert "# Problem p3" in text
    tables = verification(verdicts=(path,), suite=("strong",), taus=(0.5, 1.0), difficulties=("1-2", "3"))
    assert "Suite strong" in tables
    assert "Suite weak" not in tables
    assert "difficulty 1-2" in tables
    assert "Wrong tests" not in tables


def test_without_gold_or_judge_what_can_be_told_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "verdicts.jsonl", random_rows(2, gold=None, judge=None))
    text = verification(verdicts=(path,), out=tmp_path / "out", formats=("png",))
    assert "judge@" not in text.partition("### Verifiers")[2].partition("###")[0]
    assert (tmp_path / "out" / "figures" / "kept.png").is_file()
    assert not (tmp_path / "out" / "figures" / "errors.png").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "missing verdicts=..., or counts=..., one of them"),
        ({"verdicts": (Path("/no/such.jsonl"),)}, "cannot read /no/such.jsonl: no such file"),
        ({"counts": Path("/no/such.json")}, "no file /no/such.json"),
        ({"suite": ("mini",)}, "no verdicts of suite mini; there are minimal-3"),
        ({"difficulties": ("x",)}, "a number or a span"),
        ({"difficulties": ("7",)}, "no problem; there are 1, 2, 3"),
        ({"verifiers": ("tsts@1",)}, r'no verifier .tsts@1. \(did you mean "tests"'),
    ],
)
def test_what_is_refused(folder: Path, options: dict, reason: str) -> None:
    given = options if not options or {"verdicts", "counts"} & set(options) else {"verdicts": (folder,), **options}
    with pytest.raises(UserError, match=reason) as caught:
        verification(**given)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_and_many_difficulties(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no verdicts"):
        verification(verdicts=(tmp_path,))
    rows = [r | {"difficulty": int(r["problem"][1:])} for r in random_rows(3)]
    path = write(tmp_path / "verdicts.jsonl", rows)
    with pytest.raises(UserError, match=r"25 difficulties \(0 to 24\); group them"):
        verification(verdicts=(path,))


def test_figures_show_what_is_in_the_counts(folder: Path) -> None:
    from crucible.analysis import style

    suites = counted(read(verdict_files([folder])))
    chosen = groups(suites)
    with style.drawing() as pyplot:
        _, axes = pyplot.subplots()
        assert figures.against_tau(axes, suites["minimal-3"], "kept", chosen, "t")
        drawn = {c.get_label(): c for c in axes.containers}
        assert set(drawn) == {"difficulty 1", "difficulty 2", "difficulty 3"}
        heights = list(drawn["difficulty 2"].lines[0].get_ydata())
        taus = [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
        expected = [rate(suites["minimal-3"], f"tests@{tau:g}", "kept", [2]).value for tau in taus]  # type: ignore[union-attr]
        assert heights == pytest.approx(expected)


def test_the_command(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "analysis" / "verification.py"), f"verdicts={folder}", "taus=0.8,1", "judge=0.7"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "| either@0.8+0.7 |" in done.stdout
