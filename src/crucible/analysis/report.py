"""One HTML page of many runs: what they are, how they went, tables, figures, configs, where they came from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from crucible.analysis import report_html, style
from crucible.analysis.arms import Arm, assign, read_arms
from crucible.analysis.auto_arms import auto_arms
from crucible.analysis.bands import mean_and_half
from crucible.analysis.figure_definition import FigureDefinition, Panel, read_figure
from crucible.analysis.frame import TARGET, with_choices
from crucible.analysis.measured import Measured
from crucible.analysis.paper_figures import figure_of, split_unfinished
from crucible.analysis.report_origin import origin, provenance, shown_value
from crucible.analysis.runs import Run
from crucible.analysis.scalars import scalar
from crucible.analysis.study_parts import number
from crucible.analysis.tables.selection import differing, repeatable

VALUES = {
    "accuracy_before": "accuracy before", "accuracy": "accuracy after", "final(reward/mean)": "reward",
    "final(true/success)": "true success", "final(policy/entropy)": "entropy", "mean(policy/preserved_left)": "left",
    "mean(policy/preserved_right)": "right", "mean(policy/kl_old)": "KL to old", "final(completion/length)": "length",
}  # fmt: skip
NOTE = (
    "Means over seeds ± half of the 95 % t-interval. Reward, true success, entropy and length: last tenth of the "
    "steps; left, right and KL: all steps."
)
CURVES = (
    ("reward/mean", "Reward", "mean reward"), ("true/success", "True success", "share, by program"),
    ("policy/entropy", "Entropy", "nats per token"), ("policy/kl_old", "KL to the old policy", "nats per token"),
    ("policy/preserved_left", "Left of the band, A < 0", "share of tokens"),
    ("policy/preserved_right", "Right of the band, A > 0", "share of tokens"),
    ("policy/clip_fraction", "Outside the clip range", "share of tokens"),
    ("policy/grad_norm", "Gradient norm", "before clipping"), ("completion/length", "Length", "tokens"),
)  # fmt: skip


def page(
    title: str,
    runs: Sequence[Run],
    *,
    analysis_dir: Path,
    arms: str = "",
    tables: Sequence[str] = (),
    figures: Sequence[str] = (),
    unfinished: bool = False,
    made_by: str = "",
) -> str:
    """The page as text. `made_by` is the command. `arms`, `tables` and `figures` name files of analysis/.

    Without `arms`, and for runs of none of them, runs that differ in their seed alone are an arm; without
    `figures` the usual curves are drawn.

    Only finished runs count, unless `unfinished`; every other run is listed with its state and its error.
    """
    used, left_out = split_unfinished(runs, unfinished=unfinished)
    named, others = assign(read_arms(analysis_dir / "arms" / f"{arms}.yaml"), used) if arms else ({}, used)
    known = {key: arm for key, arm in named.items() if arm.runs} | auto_arms(others, first=len(named))
    measured = {run.path: Measured(run) for run in used}
    sections = [
        ("Runs", _overview(runs, left_out)),
        ("Arms", _arms(known, measured) if used else "<p>No run has finished.</p>"),
        *(("Table " + name, _table(name, runs, analysis_dir)) for name in tables),
        *_figures(known, used, figures, analysis_dir),
        ("What differs", _differences(known)),
        ("Every run", _runs_table(runs, measured)),
        ("What all runs share", _shared(used or runs)),
        ("Provenance", provenance(runs)),
    ]
    return report_html.page(title, sections, origin=origin(runs, made_by))


def _overview(runs: Sequence[Run], left_out: Sequence[Run]) -> str:
    counts: dict[str, int] = {}
    for run in runs:
        counts[run.state] = counts.get(run.state, 0) + 1
    text = f"<p>{len(runs)} runs: {', '.join(f'{n} {state}' for state, n in counts.items())}.</p>"
    bad = [r for r in runs if r in left_out or r.problems]
    if not bad:
        return text
    rows = [
        [r.name, r.state, f"{r.facts.get('step') or 0}/{r.facts.get('steps') or '?'}", str(r.facts.get("error") or ""),
         "; ".join(r.problems)]
        for r in bad
    ]  # fmt: skip
    return (
        text + "<p>Not counted, or damaged:</p>" + report_html.table(["run", "state", "step", "error", "damage"], rows)
    )


def _arms(arms: Mapping[str, Arm], measured: Mapping[str, Measured]) -> str:
    rows, seen = [], set()
    for arm in arms.values():
        cells = {}
        for value in VALUES:
            found = [v for run in arm.runs if (v := scalar(measured[run.path], value)) is not None]
            if found:
                seen.add(value)
                cells[value] = plus_minus(*(float(x) for x in mean_and_half(found)))
        rows.append((arm, cells))
    shown = [value for value in VALUES if value in seen]
    body = [[arm.label, str(len(arm.runs)), *(cells.get(value, "–") for value in shown)] for arm, cells in rows]
    return report_html.table(["arm", "seeds", *(VALUES[value] for value in shown)], body) + report_html.notes([NOTE])


def plus_minus(middle: float, half: float) -> str:
    """Both with the digits that two significant ones of the half width leave; `number` without one."""
    if not half > 0:
        return number(middle)
    digits = min(7, max(0, 1 - math.floor(math.log10(half))))
    return f"{middle:.{digits}f} ± {half:.{digits}f}"


def _table(name: str, runs: Sequence[Run], analysis_dir: Path) -> str:
    from crucible.analysis.tables.build import build
    from crucible.analysis.tables.definition import read_table
    from crucible.analysis.tables.render import markdown

    built = build(read_table(name, analysis_dir), runs, analysis_dir, allow_mixed=False)
    return report_html.from_markdown(markdown(built))


def _figures(
    arms: Mapping[str, Arm], used: Sequence[Run], names: Sequence[str], analysis_dir: Path
) -> list[tuple[str, str]]:
    if not used:
        return []
    drawn = []
    with style.drawing() as pyplot:
        for name in names:
            definition = read_figure(name, analysis_dir)
            drawn.append((name, *figure_of(pyplot, definition, assign(definition.arms, used)[0])))
        if not names:
            drawn.append(("Curves", *figure_of(pyplot, usual_figure(arms), arms)))
        return [
            (f"Figure {name}" if names else name, report_html.svg(figure, f"f{i}-") + report_html.notes(notes))
            for i, (name, figure, notes) in enumerate(drawn)
        ]


def usual_figure(arms: Mapping[str, Arm]) -> FigureDefinition:
    """Accuracy and every usual curve that some run has."""
    known = {name for arm in arms.values() for run in arm.runs for name in run.curves()}
    curves = [{"metric": metric, "title": title, "y": y} for metric, title, y in CURVES if metric in known]
    show = tuple(arms)
    panels = [Panel("accuracy", {}, show), Panel("pass_at_k", {}, show)]
    panels += [Panel("curves", options, show) for options in curves]
    return FigureDefinition("curves", arms, tuple(panels), "", 3, (3.9, 2.9))


def _differences(arms: Mapping[str, Arm]) -> str:
    configs = [with_choices(repeatable(arm.runs[0].config)) for arm in arms.values()]
    options = sorted(name for name in differing(configs) if not name.endswith(TARGET))
    if not options:
        return "<p>The runs differ in nothing but their seed.</p>"
    labels = [arm.label for arm in arms.values()]
    cells = [[shown_value(config.get(name, "–")) for name in options] for config in configs]
    return report_html.table(["arm", *options], [[label, *row] for label, row in zip(labels, cells, strict=True)])


def _runs_table(runs: Sequence[Run], measured: Mapping[str, Measured]) -> str:
    rows = []
    for run in runs:
        values: list[float | None] = [None, None, None]
        if run.path in measured:
            values = [
                scalar(measured[run.path], v) for v in ("accuracy", "final(reward/mean)", "final(policy/entropy)")
            ]
        cells = ["–" if v is None else number(v) for v in values]
        rows.append([run.name, run.state, str(run.seed), f"{run.facts.get('step') or 0}", *cells])
    return report_html.folded(
        f"{len(runs)} runs",
        report_html.table(["run", "state", "seed", "step", "accuracy after", "reward", "entropy"], rows),
    )


def _shared(runs: Sequence[Run]) -> str:
    configs = [repeatable(run.config) for run in runs]
    different = differing(configs)
    rows = [[name, shown_value(value)] for name, value in sorted(configs[0].items()) if name not in different]
    return report_html.folded(f"{len(rows)} options", report_html.table(["option", "value"], rows))
