"""What a report says of where its runs came from: commits, code versions, commands, packages."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crucible.analysis import report_html
from crucible.analysis.runs import Run
from crucible.rundir.code import code_version
from crucible.rundir.provenance import read_provenance


def origin(runs: Sequence[Run], made_by: str) -> str:
    """The command of the page, and which code made the runs."""
    commits = Counter(shown_value(r.facts["commit"])[:10] or "no commit" for r in runs)
    versions = len({r.facts["code_version"] for r in runs})
    dirty = sum(bool(r.facts["dirty"]) for r in runs)
    listed = ", ".join(f"{commit} ({n} runs)" for commit, n in commits.most_common(4))
    more = f" and {len(commits) - 4} more commits" if len(commits) > 4 else ""
    changed = f"; {dirty} of {len(runs)} with uncommitted changes" if dirty else ""
    made = f"Made by `{made_by}`, code version {code_version()}. " if made_by else ""
    return f"{made}Runs of {versions} code version{'s' if versions != 1 else ''}, at commit {listed}{more}{changed}."


def provenance(runs: Sequence[Run]) -> str:
    """A table of the runs, folded, and the packages of those whose run directory is at hand."""
    rows: list[list[str]] = []
    versions: dict[str, dict[str, None]] = {}
    for run in runs:
        known = read_provenance(Path(run.path))  # {} for a run of a results file
        for package, version in (known.get("packages") or {}).items():
            versions.setdefault(package, {})[str(version)] = None
        rows.append([
            run.name, shown_value(run.facts["commit"])[:10],
            *(shown_value(run.facts[name]) for name in ("dirty", "code_version", "started")),
            shown_value(known.get("command")),
        ])  # fmt: skip
    columns = ["run", "commit", "uncommitted changes", "code version", "started", "command"]
    listed = ", ".join(f"{html.escape(n)} {html.escape(' or '.join(v))}" for n, v in sorted(versions.items()))
    packages = f"<p>Packages: {listed}.</p>" if listed else ""
    return report_html.folded("Where each run came from", report_html.table(columns, rows)) + packages


def shown_value(value: Any) -> str:
    """An option or a fact as text, "" for None."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
