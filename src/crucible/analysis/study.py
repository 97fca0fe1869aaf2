"""A study's document out of its template, its claims and its committed results: no number in it is typed.

docs/studies/<name>.template.md    the prose, with {{ parts }}
docs/studies/results/<name>*.json  results files (analysis/collect.py)
analysis/claims/<name>.yaml        claims and arms
docs/studies/<name>.md             what comes out

A part is {{ name argument argument }}; `study_parts` has them. Generated again from the same results the document
has the same text, so a test can hold the two together.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crucible.analysis.arms import Arm, assign
from crucible.analysis.claims import Claim, Finding, judge, read_claims
from crucible.analysis.find import find_runs
from crucible.analysis.measured import Measured
from crucible.analysis.paper_figures import split_unfinished
from crucible.analysis.runs import Run
from crucible.errors import UserError, nearest

PART = re.compile(r"\{\{(?P<call>[^{}]*)\}\}")
TEMPLATE = ".template.md"


@dataclass
class Study:
    """Everything the parts of a document may ask for. `roots` name its runs; `root` is the repository."""

    name: str
    root: Path
    roots: tuple[str, ...]
    runs: Sequence[Run]
    left_out: Sequence[Run]
    others: Sequence[Run]
    arms: Mapping[str, Arm]
    claims: Sequence[Claim]

    @cached_property
    def findings(self) -> list[Finding]:
        return judge(self.claims, self.arms, root=self.root)

    @cached_property
    def measured(self) -> dict[str, list[Measured]]:
        return {key: [Measured(run) for run in arm.runs] for key, arm in self.arms.items()}

    @property
    def folder(self) -> Path:
        return self.root / "docs" / "studies"


def open_study(name: str, root: Path, roots: Sequence[str] = ()) -> Study:
    """The study `name`; of its committed results when no `roots` are given.

    Errors: UserError for an unknown study, and one without results.
    """
    folder = root / "docs" / "studies"
    if name not in study_names(root):
        raise UserError(f"no study {name}: no {folder / (name + TEMPLATE)}{nearest(name, study_names(root))}")
    arms, claims = read_claims(root / "analysis" / "claims" / f"{name}.yaml", root / "analysis" / "arms")
    files = sorted((folder / "results").glob(f"{name}*.json"))
    roots = tuple(roots) or tuple(str(file) for file in files)
    if not roots:
        raise UserError(f"study {name} has no results in {folder / 'results'}; analysis/collect.py makes them of runs")
    used, left_out = split_unfinished(find_runs(roots, repository=root), unfinished=False)
    assigned, others = assign(arms, used)
    return Study(name, root, roots, used, left_out, others, assigned, claims)


def study_names(root: Path) -> list[str]:
    return sorted(p.name.removesuffix(TEMPLATE) for p in (root / "docs" / "studies").glob(f"*{TEMPLATE}"))


def document(study: Study) -> str:
    """The text of docs/studies/<name>.md. Errors: UserError for a part that does not exist or does not fit."""
    from crucible.analysis.study_parts import PARTS

    template = study.folder / f"{study.name}{TEMPLATE}"

    def expanded(match: re.Match[str]) -> str:
        words = shlex.split(match["call"])
        if not words or words[0] not in PARTS:
            name = words[0] if words else ""
            raise UserError(f"{template}: no part {name!r}{nearest(name, PARTS)}; parts: {', '.join(PARTS)}")
        try:
            return PARTS[words[0]](study, *words[1:])
        except TypeError as error:
            raise UserError(f"{template}: {{{{{match['call']}}}}}: {error}") from error

    return PART.sub(expanded, template.read_text(encoding="utf-8"))
