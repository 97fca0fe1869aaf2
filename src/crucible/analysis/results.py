"""Results files: what tables, figures and claims need of many runs, in one small JSON file that can be committed.

    {"format": "crucible results 1", "made_by": "...", "config": {options all runs share},
     "runs": [{"name": ..., facts, "config": {what differs}, "problems": [...],
               "evaluations": [metrics rows of kind eval],
               "curves": [{"step": [...], "metrics": {"policy/entropy": [...]}}]}]}

Evaluations before and after training keep right answers and votes of each problem; curves are means by step, thinned
out to `points`. Numbers have six significant digits, those of curves five. A file stands in for the run directories
wherever runs are named.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from crucible.analysis.curves import Curve, single
from crucible.analysis.rows import Row
from crucible.analysis.runs import IDENTITY, Run
from crucible.errors import UserError, nearest
from crucible.rundir.atomic import write_text
from crucible.rundir.encoding import decode_numbers, encode
from crucible.rundir.status import one_line

FORMAT = "crucible results 1"
CURVES = (
    "reward/*", "true/*", "completion/*", "groups/*", "rows/*", "entropy/*", "policy/entropy", "policy/entropy_sampled",
    "policy/kl_old", "policy/grad_norm", "policy/ratio_mean", "policy/preserved_*", "policy/*clip_fraction",
    "policy/[pn]a_[hl]p", "policy/mass_*", "policy/covariance*", "policy/outside_band", "policy/prob_*",
)  # fmt: skip
PLACES = ("runs_dir", "cache_dir", "_target_")  # where things were kept: no part of a result
BY_PROBLEM = ("right_of_", "votes_of_")
HERE = ("host",)  # which machine it was: in the run's provenance.json


@dataclass(slots=True)
class StoredRun(Run):
    """A run of a results file."""

    evaluations: list[Row] = field(default_factory=list)
    stored_curves: dict[str, Curve] = field(default_factory=dict)

    def rows(self, kind: str, names: Collection[str] | None = None) -> list[Row]:
        if kind != "eval":
            raise UserError(f"{self.path}: a results file keeps evaluations and curves by step, no {kind} rows; "
                            "give the run directories")  # fmt: skip
        return self.evaluations

    def curves(self, names: Collection[str] | None = None) -> dict[str, Curve]:
        return {n: c for n, c in self.stored_curves.items() if names is None or n in names}


def write_results(
    path: Path, runs: Sequence[Run], *, made_by: str, curves: Sequence[str] = CURVES, points: int = 100
) -> None:
    """Store `runs` in `path`, one line a run. `curves` are metric names or patterns.

    Errors: UserError for points < 1, and for a pattern without "*" that no run has.
    """
    if points < 1:
        raise UserError(f"points={points}: at least one point a curve")
    chosen = [_matching(run.curves(), curves) for run in runs]
    for name in curves:
        if "*" not in name and name not in CURVES and not any(name in c for c in chosen):
            known = {metric for run in runs for metric in run.curves()}
            raise UserError(f"no run has the metric {name}{nearest(name, known)}")
    configs = [{k: v for k, v in run.config.items() if k not in PLACES} for run in runs]
    shared = {k: v for k, v in configs[0].items() if all(k in c and same(c[k], v) for c in configs[1:])}
    lines = []
    for run, config, found in zip(runs, configs, chosen, strict=True):
        short = {n: thinned(c.steps.tolist(), c.mean.tolist(), points) for n, c in found.items()}
        lines.append({
            "name": run.name,
            **{k: v for k, v in run.facts.items() if v is not None and k not in HERE},
            "config": {k: v for k, v in config.items() if k not in shared},
            "problems": [p.replace(f"{run.path}/", "") for p in run.problems],
            "evaluations": [_rounded(_slim(row)) for row in run.rows("eval")],
            "curves": _rounded(_packed(short), digits=5),
        })  # fmt: skip
    head = {"format": FORMAT, "made_by": made_by, "config": shared}
    body = ",\n".join(_text(line) for line in lines)
    write_text(path, f'{_text(head)[:-1]},"runs":[\n{body}\n]}}\n')


def read_results(path: Path) -> list[StoredRun]:
    """The runs of a results file. Errors: UserError when it is missing, or is no results file."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        names = [p.name for p in path.parent.glob("*.json")] if path.parent.is_dir() else []
        raise UserError(f"no results file {path}{nearest(path.name, names)}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f'{path} is no results file ("format": "{FORMAT}"); analysis/collect.py makes one of runs')
    try:
        return [_stored(path, content["config"], line) for line in content["runs"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {one_line(error)}); collect it again") from error


def thinned(steps: Sequence[float], values: Sequence[float], points: int) -> tuple[list[float], list[float]]:
    """At most `points` points: means of equally many neighbours (steps and values); the first bin may be smaller."""
    width = math.ceil(len(steps) / points)
    if width <= 1:
        return list(steps), list(values)
    ends = list(range(len(steps), 0, -width))[::-1]
    bins = [slice(max(0, end - width), end) for end in ends]
    return [_mean(steps[b]) for b in bins], [_mean(values[b]) for b in bins]


def same(a: Any, b: Any) -> bool:
    """Equal option values; 1 and 1.0 are, 1 and true are not."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _stored(path: Path, shared: Row, line: Row) -> StoredRun:
    curves = {
        name: single(part["step"], [float(v) for v in decode_numbers(values)])
        for part in line["curves"]
        for name, values in part["metrics"].items()
    }
    return StoredRun(
        path=f"{path}#{line['name']}",
        name=line["name"],
        facts={name: line.get(name) for name in IDENTITY},
        config={**shared, **line["config"]},
        problems=list(line["problems"]),
        evaluations=decode_numbers(line["evaluations"]),
        stored_curves=curves,
    )


def _mean(values: Sequence[float]) -> float:
    finite = [v for v in values if not math.isnan(v)]
    return sum(finite) / len(finite) if finite else math.nan


def _matching(curves: dict[str, Curve], patterns: Sequence[str]) -> dict[str, Curve]:
    return {n: c for n, c in curves.items() if any(fnmatchcase(n, p) for p in patterns)}


def _packed(curves: dict[str, tuple[list[float], list[float]]]) -> list[dict[str, Any]]:
    """Metrics that are known at the same steps share one list of them."""
    groups: dict[tuple[float, ...], dict[str, list[float]]] = {}
    for name, (steps, values) in curves.items():
        groups.setdefault(tuple(steps), {})[name] = values
    return [{"step": list(steps), "metrics": metrics} for steps, metrics in groups.items()]


def _slim(row: Row) -> Row:
    keep = row.get("phase") in ("before", "after")
    return {k: v for k, v in row.items() if keep or not k.rpartition("/")[2].startswith(BY_PROBLEM)}


def _text(value: Any) -> str:
    return json.dumps(encode(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _rounded(value: Any, digits: int = 6) -> Any:
    if isinstance(value, float):
        short = float(f"{value:.{digits}g}")
        return int(short) if math.isfinite(short) and short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, dict):
        return {k: _rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v, digits) for v in value]
    return value
