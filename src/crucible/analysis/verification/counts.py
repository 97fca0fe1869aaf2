"""Verdicts counted problem by problem: all that rates need. A table of them is small, and can be committed.

{"format": "crucible verification 1", "made_by": ..., "verdicts": [files],
 "suites": {suite: {"problems": [...], "difficulty": [...], "tests": [...], "quality": {...},
                    "verifiers": {"tests@0.8": {"judged": [...], "accepted": [...], "correct": [...], "right": [...],
                                                "forms": [...], "right_forms": [...], "known": [...]}}}}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible.analysis.verification.verdicts import Verdict
from crucible.analysis.verification.verifiers import verifier
from crucible.errors import UserError, nearest
from crucible.rundir.atomic import write_text

FORMAT = "crucible verification 1"
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one verifier, each (P,): solutions it had a verdict on, and accepted; those with a gold label among both;
    right ones by gold among both; and distinct normal forms of right ones, all and accepted (within a problem).
    """

    judged: Ints
    accepted: Ints
    known: Ints
    accepted_known: Ints
    correct: Ints
    right: Ints
    forms: Ints
    right_forms: Ints

    def of(self, which: NDArray[np.bool_]) -> Counts:
        return Counts(*(getattr(self, f.name)[which] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class SuiteCounts:
    """One suite: its problems (P,) with difficulty and number of tests, and each verifier's counts."""

    problems: tuple[str, ...]
    difficulty: Ints
    tests: Ints
    verifiers: Mapping[str, Counts]
    quality: Mapping[str, Any] = field(default_factory=dict)

    def counts(self, label: str) -> Counts:
        if label not in self.verifiers:
            there = ", ".join(self.verifiers)
            raise UserError(f"verifier {label} was not counted{nearest(label, self.verifiers)}; there are: {there}")
        return self.verifiers[label]


def count(verdicts: Iterable[Verdict], labels: Sequence[str]) -> dict[str, SuiteCounts]:
    """The counts of every suite among the verdicts, problems in order of appearance."""
    verifiers = [verifier(label) for label in dict.fromkeys(labels)]
    by_suite: dict[str, dict[str, list[Verdict]]] = {}
    for verdict in verdicts:
        by_suite.setdefault(verdict.suite, {}).setdefault(verdict.problem, []).append(verdict)
    return {
        suite: SuiteCounts(
            problems=tuple(problems),
            difficulty=np.array([rows[0].difficulty for rows in problems.values()]),
            tests=np.array([len(rows[0].outcomes) for rows in problems.values()]),
            verifiers={v.label: _counts(problems.values(), v.accepts) for v in verifiers},
        )
        for suite, problems in by_suite.items()
    }


def _counts(problems: Iterable[Sequence[Verdict]], accepts: Any) -> Counts:
    lines = []
    for rows in problems:
        judged = [(row, verdict) for row in rows if (verdict := accepts(row)) is not None]
        right = [(row, verdict) for row, verdict in judged if row.gold is True]
        lines.append(
            [
                len(judged),
                sum(verdict for _, verdict in judged),
                sum(row.gold is not None for row, _ in judged),
                sum(verdict for row, verdict in judged if row.gold is not None),
                len(right),
                sum(verdict for _, verdict in right),
                len({row.form for row, _ in right}),
                len({row.form for row, verdict in right if verdict}),
            ]
        )
    return Counts(*np.array(lines, dtype=np.int64).T)


def write_counts(path: Path, suites: Mapping[str, SuiteCounts], *, made_by: str, files: Sequence[str]) -> None:
    content = {
        "format": FORMAT, "made_by": made_by, "verdicts": list(files),
        "suites": {
            name: {
                "problems": list(suite.problems), "difficulty": suite.difficulty.tolist(),
                "tests": suite.tests.tolist(), "quality": dict(suite.quality),
                "verifiers": {
                    label: {f.name: getattr(counts, f.name).tolist() for f in fields(Counts)}
                    for label, counts in suite.verifiers.items()
                },
            }
            for name, suite in suites.items()
        },
    }  # fmt: skip
    write_text(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def read_counts(path: Path) -> dict[str, SuiteCounts]:
    """Errors: UserError for a file that is missing, or is no file of counts."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"no file {path}; analysis/verification.py writes it") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f'{path} holds no counts ("format": "{FORMAT}"); analysis/verification.py writes them')
    try:
        return {
            name: SuiteCounts(
                problems=tuple(suite["problems"]),
                difficulty=np.array(suite["difficulty"], dtype=np.int64),
                tests=np.array(suite["tests"], dtype=np.int64),
                quality=suite["quality"],
                verifiers={
                    label: Counts(*(np.array(counts[f.name], dtype=np.int64) for f in fields(Counts)))
                    for label, counts in suite["verifiers"].items()
                },
            )
            for name, suite in content["suites"].items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); write it again") from None
