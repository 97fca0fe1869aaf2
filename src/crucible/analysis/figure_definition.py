"""A figure of a paper as data: analysis/figures/<paper>/<figure>.yaml.

arms: ce_gppo                       # analysis/arms/ce_gppo.yaml
show: [grpo, dapo, ce_gppo_0.5_1]   # its arms to draw; absent: all
runs: docs/studies/results/ce_gppo.json   # where runs are looked for when the command names none
panels: [{kind: curves, metric: policy/entropy, title: Entropy, y: nats per token}]
columns: 2                          # panels side by side
size: [3.6, 2.8]                    # inches of a panel
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible.analysis import figure_curves, figure_points, figure_theorem
from crucible.analysis.arms import Arm, read_arms, read_yaml
from crucible.analysis.verification import panels as verification_panels
from crucible.errors import UserError, nearest

KEYS = ("arms", "show", "runs", "panels", "columns", "size")
KINDS: dict[str, Callable[..., list[str]]] = {
    "curves": figure_curves.curves,
    "accuracy": figure_curves.accuracy,
    "quadrants": figure_curves.quadrants,
    "pass_at_k": figure_points.pass_at_k,
    "dots": figure_points.dots,
    "quadrant_bars": figure_points.quadrant_bars,
    "exchange": figure_points.exchange,
    "theorem_limit": figure_theorem.theorem_limit,
    "theorem_tabular": figure_theorem.theorem_tabular,
    "theorem_model": figure_theorem.theorem_model,
    "arms_over": verification_panels.arms_over,
    "verdicts_over_tau": verification_panels.verdicts_over_tau,
    "verdicts_over_difficulty": verification_panels.verdicts_over_difficulty,
    "verdicts_trade": verification_panels.verdicts_trade,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """A kind, its options and the arms it draws."""

    kind: str
    options: Mapping[str, Any]
    show: tuple[str, ...]

    def draw(self, axes: Any, arms: Mapping[str, Arm], measured: Any) -> list[str]:
        return KINDS[self.kind](axes, [arms[key] for key in self.show], measured, **self.options)


@dataclass(frozen=True, slots=True)
class FigureDefinition:
    name: str
    arms: Mapping[str, Arm]
    panels: tuple[Panel, ...]
    runs: str
    columns: int
    size: tuple[float, float]


def read_figure(name: str, root: Path) -> FigureDefinition:
    """Figure `<paper>/<figure>` of `root`, the folder that holds figures/ and arms/.

    Errors: UserError for an unknown figure, arm, kind or option, with the nearest name there is.
    """
    path = root / "figures" / f"{name}.yaml"
    raw = read_yaml(path, "figure", root / "figures")
    for key in raw:
        if key not in KEYS:
            raise UserError(f"{path}: unknown key {key!r}{nearest(str(key), KEYS)}; known: {', '.join(KEYS)}")
    arms = read_arms(root / "arms" / f"{raw['arms']}.yaml") if raw.get("arms") else {}
    show = tuple(raw.get("show") or arms)
    panels = tuple(_panel(path, i, item, arms, show) for i, item in enumerate(raw.get("panels") or ()))
    if not panels:
        raise UserError(f"{path}: panels: at least one is needed")
    width, height = raw.get("size") or (3.6, 2.8)
    columns = int(raw.get("columns") or min(3, len(panels)))
    return FigureDefinition(name, arms, panels, str(raw.get("runs") or ""), columns, (float(width), float(height)))


def figure_names(root: Path) -> list[str]:
    folder = root / "figures"
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def _panel(path: Path, number: int, item: Any, arms: Mapping[str, Arm], show: tuple[str, ...]) -> Panel:
    where = f"{path}: panel {number + 1}"
    if not isinstance(item, dict) or "kind" not in item:
        raise UserError(f"{where}: must be {{kind: ..., options}}; kinds: {', '.join(KINDS)}")
    options = {k: v for k, v in item.items() if k not in ("kind", "show")}
    if item["kind"] not in KINDS:
        raise UserError(
            f"{where}: unknown kind {item['kind']}{nearest(item['kind'], KINDS)}; kinds: {', '.join(KINDS)}"
        )
    known = {
        name: parameter
        for name, parameter in inspect.signature(KINDS[item["kind"]]).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for name in options:
        if name not in known:
            raise UserError(f"{where} ({item['kind']}): unknown option {name}{nearest(name, known)}")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in options]
    if missing:
        raise UserError(f"{where} ({item['kind']}): needs {', '.join(missing)}")
    shown = tuple(item.get("show") or show)
    for key in [*shown, *([options["arm"]] if "arm" in options else [])]:
        if key not in arms:
            raise UserError(f"{where}: no arm {key}{nearest(key, arms)}; arms: {', '.join(arms)}")
    if "arm" in options and options["arm"] not in shown:
        shown = (*shown, options["arm"])
    return Panel(item["kind"], options, shown)
