"""The program behind analysis/verification.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from crucible.analysis.verification import figures
from crucible.analysis.verification.counts import SuiteCounts, count, read_counts, write_counts
from crucible.analysis.verification.page import page
from crucible.analysis.verification.problem_page import errors, problem_page
from crucible.analysis.verification.suite_quality import quality
from crucible.analysis.verification.tables import groups, long_csv
from crucible.analysis.verification.verdicts import Verdict, read_verdicts, rows_of, with_wrong_tests
from crucible.analysis.verification.verifiers import tests_at, verifier
from crucible.errors import UserError, nearest
from crucible.rundir.atomic import explained, write_text
from crucible.rundir.provenance import command_line

TAUS = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MIXED_AT = (0.8, 1.0)  # thresholds that are also combined with the judge
SAFE = re.compile(r"[^\w.-]+")


def verification(
    *,
    verdicts: tuple[Path, ...] = (),
    counts: Path | None = None,
    out: Path | None = None,
    suite: tuple[str, ...] = (),
    taus: tuple[float, ...] = TAUS,
    judge: Annotated[float, ">= 0, <= 1"] = 0.5,
    verifiers: tuple[str, ...] = (),
    difficulties: tuple[str, ...] = (),
    problem: str = "",
    verifier: str = "tests@1",
    pages: Annotated[int, ">= 0"] = 0,
    formats: tuple[str, ...] = ("png", "svg"),
) -> str:
    if (not verdicts) == (counts is None):
        raise UserError("missing verdicts=..., or counts=..., one of them")
    if counts is not None:
        if problem or pages:
            raise UserError("pages about problems need verdicts=..., counts know no programs")
        found, sources = _chosen(read_counts(counts), suite), [str(counts)]
        return _told(found, difficulties, out, formats, sources)
    files = verdict_files(verdicts)
    rows = [row for row in read(files) if not suite or row.suite in suite]
    if not rows:
        raise UserError(f"no verdicts of suite {', '.join(suite)}; there are {', '.join(suites_in(read(files)))}")
    if problem:
        return pages_of(rows, [problem], verifier, files[0].parent)[problem]
    found = counted(rows, taus=taus, judge=judge, more=verifiers)
    text = _told(found, difficulties, out, formats, [str(file) for file in files])
    if out is not None:
        write_counts(out / "counts.json", found, made_by=command_line(), files=[file.name for file in files])
        worst = _worst(rows, verifier, pages)
        for name, body in pages_of(rows, worst, verifier, files[0].parent).items():
            (out / "problems").mkdir(exist_ok=True)
            write_text(out / "problems" / f"{SAFE.sub('_', name)}.md", body)
    return text


def verdict_files(given: Sequence[Path]) -> list[Path]:
    """Files as they are, and of folders their verdicts*.jsonl. Errors: UserError for a folder without any."""
    found: list[Path] = []
    for path in given:
        inside = sorted(path.glob("verdicts*.jsonl")) if path.is_dir() else [path]
        if not inside:
            raise UserError(f"no verdicts*.jsonl in {path}")
        found += inside
    return found


def read(files: Sequence[Path]) -> list[Verdict]:
    """The verdicts, told of the wrong tests where a suites.jsonl beside them knows any."""
    beside = [folder / "suites.jsonl" for folder in dict.fromkeys(file.parent for file in files)]
    suites = [row for path in beside if path.is_file() for _, row in rows_of(path)]
    return with_wrong_tests(read_verdicts(files), suites)


def suites_in(rows: Iterable[Verdict]) -> list[str]:
    return list(dict.fromkeys(row.suite for row in rows))


def counted(
    rows: Sequence[Verdict], *, taus: Sequence[float] = TAUS, judge: float = 0.5, more: Sequence[str] = ()
) -> dict[str, SuiteCounts]:
    """The counts of every suite under the usual verifiers and `more`, with its quality."""
    labels = [tests_at(tau) for tau in sorted(taus)] + ["all"]
    if any(row.judge is not None for row in rows):
        labels += [f"judge@{judge:g}"]
        labels += [f"{kind}@{tau:g}+{judge:g}" for tau in MIXED_AT for kind in ("both", "either")]
    if any(any(row.wrong) for row in rows):
        labels += [f"sound@{tau:g}" for tau in sorted(taus)]
    by_suite = {name: [row for row in rows if row.suite == name] for name in suites_in(rows)}
    qualities = {name: quality(own) for name, own in by_suite.items()}
    return {
        name: replace(suite, quality=q.as_json()) if (q := qualities[name]) is not None else suite
        for name, suite in count(rows, [*labels, *more]).items()
    }


def pages_of(rows: Sequence[Verdict], problems: Sequence[str], label: str, folder: Path) -> dict[str, str]:
    """The pages of these problems. Statement, tests and programs come from the files in `folder`, where they are."""
    by_problem: dict[str, list[Verdict]] = {}
    for row in rows:
        by_problem.setdefault(row.problem, []).append(row)
    for name in problems:
        if name not in by_problem:
            raise UserError(f"no problem {name} among {len(by_problem)}{nearest(name, by_problem)}")
    wanted = set(problems)
    statements = {line["problem"]: str(line.get("prompt", "")) for line in _beside(folder, "problems", wanted)}
    tests: dict[str, dict[str, Sequence[Any]]] = {}
    for line in _beside(folder, "suites", wanted):
        tests.setdefault(line["problem"], {})[str(line["suite"])] = line.get("tests") or ()
    programs: dict[str, dict[str, str]] = {}
    for line in _beside(folder, "solutions", wanted):
        programs.setdefault(line["problem"], {})[str(line["solution"])] = str(line.get("completion", ""))
    chosen = verifier(label)
    return {
        name: problem_page(
            name, by_problem[name], chosen, statement=statements.get(name, ""), tests=tests.get(name),
            solutions=programs.get(name),
        )
        for name in problems
    }  # fmt: skip


def _told(
    found: Mapping[str, SuiteCounts],
    difficulties: Sequence[str],
    out: Path | None,
    formats: Sequence[str],
    sources: Sequence[str],
) -> str:
    chosen = groups(found, difficulties)
    text = page(found, chosen, sources=sources)
    if out is not None:
        with explained("cannot write into", out):
            out.mkdir(parents=True, exist_ok=True)
            write_text(out / "verification.md", text)
            write_text(out / "rates.csv", long_csv(found, chosen))
            drawn = figures.draw(found, chosen, out / "figures", formats=formats)
        text += "\n" + "\n".join(str(file) for file in [out / "verification.md", out / "rates.csv", *drawn]) + "\n"
    return text


def _chosen(found: dict[str, SuiteCounts], names: Sequence[str]) -> dict[str, SuiteCounts]:
    for name in names:
        if name not in found:
            raise UserError(f"no suite {name}{nearest(name, found)}; there are {', '.join(found)}")
    return {name: suite for name, suite in found.items() if not names or name in names}


def _worst(rows: Sequence[Verdict], label: str, number: int) -> list[str]:
    chosen = verifier(label)
    by_problem: dict[str, list[Verdict]] = {}
    for row in rows:
        by_problem.setdefault(row.problem, []).append(row)
    return sorted(by_problem, key=lambda name: (-errors(by_problem[name], chosen), name))[:number]


def _beside(folder: Path, name: str, problems: set[str]) -> Iterable[dict[str, Any]]:
    path = folder / f"{name}.jsonl"
    for _, row in rows_of(path) if path.is_file() else ():
        if str(row.get("problem")) in problems:
            yield row | {"problem": str(row["problem"])}
