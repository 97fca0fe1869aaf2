"""One HTML page of many runs: what they are, how they went, tables, figures, configs, where they came from."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crucible.analysis import report_html, style
from crucible.analysis.arms import Arm, assign, read_arms
from crucible.analysis.auto_arms import auto_arms
from crucible.analysis.bands import mean_and_half
from crucible.analysis.figure_definition import FigureDefinition, Panel, read_figure
from crucible.analysis.measured import Measured
from crucible.analysis.paper_figures import figure_of, split_unfinished
from crucible.analysis.runs import Run
from crucible.analysis.scalars import scalar
from crucible.analysis.study_parts import number
from crucible.analysis.tables.selection import differing, repeatable
from crucible.rundir.provenance import read_provenance

VALUES = {
    "accuracy_before": "accuracy before", "accuracy": "accuracy after", "final(reward/mean)": "reward",
    "final(true/success)": "true success", "final(policy/entropy)": "entropy", "mean(policy/preserved_left)": "left",
    "mean(policy/preserved_right)": "right", "mean(policy/kl_old)": "KL to old", "final(completion/length)": "length",
}  # fmt: skip
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
) -> str:
    """The page as text. `arms`, `tables` and `figures` name files of analysis/.

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
        ("Provenance", _provenance(runs)),
    ]
    return report_html.page(title, sections)


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
                middle, half = (float(x) for x in mean_and_half(found))
                cells[value] = number(middle) + (f" ± {number(half)}" if len(found) > 1 else "")
        rows.append((arm, cells))
    shown = [value for value in VALUES if value in seen]
    body = [[arm.label, str(len(arm.runs)), *(cells.get(value, "–") for value in shown)] for arm, cells in rows]
    note = "<p>Means over seeds ± half of the 95 % t-interval. Entropy, reward and length: last tenth of the steps.</p>"
    return report_html.table(["arm", "seeds", *(VALUES[value] for value in shown)], body) + note


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
    configs = [repeatable(arm.runs[0].config) for arm in arms.values()]
    options = differing(configs)
    if not options:
        return "<p>The runs differ in nothing but their seed.</p>"
    rows = [[name, *(_show(config.get(name, "–")) for config in configs)] for name in sorted(options)]
    return report_html.table(["option", *(arm.label for arm in arms.values())], rows)


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
    rows = [[name, _show(value)] for name, value in sorted(configs[0].items()) if name not in different]
    return report_html.folded(f"{len(rows)} options", report_html.table(["option", "value"], rows))


def _provenance(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        known = read_provenance(Path(run.path))  # {} for a run of a results file
        rows.append([
            run.name, _show(run.facts.get("commit"))[:10], _show(run.facts.get("dirty")),
            _show(run.facts.get("code_version")), _show(run.facts.get("started")), _show(known.get("command")),
        ])  # fmt: skip
    columns = ["run", "commit", "uncommitted changes", "code version", "started", "command"]
    versions = {n: v for run in runs for n, v in (read_provenance(Path(run.path)).get("packages") or {}).items()}
    listed = ", ".join(f"{html.escape(n)} {html.escape(str(v))}" for n, v in sorted(versions.items()))
    return report_html.folded("Where each run came from", report_html.table(columns, rows)) + f"<p>{listed}</p>"


def _show(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
