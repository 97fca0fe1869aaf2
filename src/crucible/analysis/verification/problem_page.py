"""One problem for a person to read: its tests, and which solutions they rejected, rightly and wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crucible.analysis.verification.tables import table
from crucible.analysis.verification.verdicts import PASSED, Verdict
from crucible.analysis.verification.verifiers import Verifier

MOST = 5  # solutions shown of a kind


def problem_page(
    problem: str,
    verdicts: Sequence[Verdict],
    verifier: Verifier,
    *,
    statement: str = "",
    tests: Mapping[str, Sequence[Any]] | None = None,
    solutions: Mapping[str, str] | None = None,
    most: int = MOST,
) -> str:
    """`verdicts` on this problem, of any suites; `tests` by suite and `solutions` by id, where they are known."""
    parts = [f"# Problem {problem}", f"Difficulty {verdicts[0].difficulty}. Verifier: {verifier.label}."]
    if statement:
        parts.append(fenced(statement))
    by_suite: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_suite.setdefault(verdict.suite, []).append(verdict)
    for suite, rows in by_suite.items():
        parts.append(f"## Suite {suite}")
        parts.append(_tests(rows, (tests or {}).get(suite, ())))
        parts += _solutions(rows, verifier, solutions or {}, most)
    return "\n\n".join(parts) + "\n"


def errors(verdicts: Sequence[Verdict], verifier: Verifier) -> int:
    """Right solutions rejected and wrong ones accepted."""
    found = [(row.gold, verifier.accepts(row)) for row in verdicts]
    return sum(gold is not None and accepted is not None and gold != accepted for gold, accepted in found)


def fenced(text: str) -> str:
    """As a code block, whatever is in it."""
    marks = "`" * max(3, 1 + max((len(run) for run in _runs(text)), default=0))
    return f"{marks}\n{text.rstrip()}\n{marks}"


def _tests(rows: Sequence[Verdict], tests: Sequence[Any]) -> str:
    right, wrong = ([row for row in rows if row.gold is gold] for gold in (True, False))
    lines = []
    for number in range(len(rows[0].outcomes)):
        said = _one_line(str(tests[number])) if number < len(tests) else ""
        known = "wrong" if rows[0].wrong and rows[0].wrong[number] else ""
        lines.append([str(number + 1), said, known, _rejected(right, number), _rejected(wrong, number)])
    return table(["test", "", "known as", "right solutions rejected", "wrong solutions rejected"], lines)


def _rejected(rows: Sequence[Verdict], number: int) -> str:
    return f"{sum(row.outcomes[number] != PASSED for row in rows)} of {len(rows)}"


def _solutions(rows: Sequence[Verdict], verifier: Verifier, texts: Mapping[str, str], most: int) -> list[str]:
    kinds: dict[str, list[Verdict]] = {
        "Wrongly rejected": [row for row in rows if row.gold is True and verifier.accepts(row) is False],
        "Wrongly accepted": [row for row in rows if row.gold is False and verifier.accepts(row) is True],
        "Rightly rejected": [row for row in rows if row.gold is False and verifier.accepts(row) is False],
        "Rightly accepted": [row for row in rows if row.gold is True and verifier.accepts(row) is True],
        "Without a verdict or a gold label": [
            row for row in rows if row.gold is None or verifier.accepts(row) is None
        ],
    }  # fmt: skip
    parts = []
    for kind, found in kinds.items():
        if found:
            of = f", {most} of them shown" if len(found) > most else ""
            parts.append(f"### {kind}: {len(found)}{of}")
            parts += [_solution(row, texts) for row in found[:most]]
    return parts


def _solution(row: Verdict, texts: Mapping[str, str]) -> str:
    by = [f"test {i} ({outcome})" for i, outcome in enumerate(row.outcomes, 1) if outcome != PASSED]
    said = [f"V = {row.v:.2f}" if row.v is not None else "no tests"]
    if row.judge is not None:
        said.append(f"judge {row.judge:.2f}")
    if row.kind:
        said.append(f"made as {row.kind}")
    said.append("rejected by " + ", ".join(by) if by else "rejected by no test")
    text = texts.get(row.solution, "")
    return f"Solution `{row.solution}`: {'; '.join(said)}." + (f"\n\n{fenced(text)}" if text else "")


def _one_line(text: str) -> str:
    flat = " ".join(text.split()).replace("`", "'")
    return f"`{flat[:160]}{'...' if len(flat) > 160 else ''}`"


def _runs(text: str) -> list[str]:
    """The runs of backticks."""
    return [run for run in "".join(c if c == "`" else " " for c in text).split() if run]
