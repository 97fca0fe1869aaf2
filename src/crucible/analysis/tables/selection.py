"""Which runs are in a row, and whether they may be in one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crucible.analysis.arms import matches
from crucible.analysis.frame import with_choices
from crucible.analysis.results import same
from crucible.analysis.runs import Run
from crucible.analysis.sweep_runs import LABEL
from crucible.analysis.tables.definition import Row
from crucible.config.identity import COSMETIC
from crucible.errors import UserError, nearest

FINISHED = "finished"
SHOWN = 4  # options named in one refusal
# What decides which problems are asked and how they are answered; when and what else is reported does not.
SETTING = ("evaluation.", "data.", "sampling.max_tokens", "rollout._target_")
NOT_SETTING = ("evaluation.every", "evaluation.pass_at")
# options of data=verified, data=programs and data=cot: what is learned from or rewarded, not what is evaluated
LEARNED_FROM = (
    "data.verify.", "data.suite", "data.tests", "data.error_rate", "data.select.", "data.mixture.", "data.direct_share",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs of a row that count, one a seed, and what was left out or not found, one line each."""

    row: Row
    runs: tuple[Run, ...]
    left_out: tuple[str, ...] = field(default=())


def choose(row: Row, runs: Sequence[Run], *, allow_mixed: bool) -> Chosen:
    """The finished runs that fit the row's `where`; each run id once.

    Errors: UserError, unless `allow_mixed`, where they differ in more than their seed: they would be no repeats.
    """
    fitting = [run for run in runs if matches(with_choices(run.config), row.where)]
    notes = [] if fitting else _why_none(row, runs)
    unfinished = [run for run in fitting if run.state != FINISHED]
    notes += [f"{run.name} ({run.state}{_at_step(run)})" for run in unfinished]
    once: dict[Any, Run] = {}
    for run in fitting:
        if run.state == FINISHED:
            first = once.setdefault(run.facts["run_id"], run)
            if first is not run:
                notes.append(f"{run.path} (the same run as {first.path})")
    chosen = tuple(sorted(once.values(), key=lambda run: (str(run.seed).zfill(9), run.name)))
    if not allow_mixed and row.phase == "after":
        different = differing([repeatable(run.config) for run in chosen])
        if different:
            raise UserError(
                f"row {row.name} mixes runs of different configs ({'; '.join(_shown(different))}); "
                "narrow its `where`, or set allow_mixed=true"
            )
    return Chosen(row, chosen, tuple(notes))


def refuse_mixed_settings(chosen: Iterable[Chosen], column: str) -> None:
    """Errors: UserError where the runs of a column were evaluated on other problems or in another way."""
    runs = [(c.row.name, run) for c in chosen for run in c.runs]
    different = differing([setting(run.config) for _, run in runs])
    if different:
        names = [name for name, _ in runs]
        rows = names[0] if len(set(names)) == 1 else f"{', '.join(list(dict.fromkeys(names))[:SHOWN])}"
        raise UserError(
            f"column {column}: runs of different evaluation settings ({'; '.join(_shown(different))}) in {rows}; "
            "they answer different questions: narrow the table's `where`, or set allow_mixed=true"
        )


def repeatable(config: Mapping[str, Any]) -> dict[str, Any]:
    """What repeats of a run share: all options but the seed, cosmetics and the labels of a sweep. A part's own seed
    that is the run's, as in `reward.recipe.seed=${seed}`, is no option either."""
    return {
        name: "the run's" if name.endswith(".seed") and value == config.get("seed") else value
        for name, value in config.items()
        if name != "seed" and name.partition(".")[0] not in COSMETIC and not name.startswith(LABEL)
    }


def setting(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options that decide what an evaluation measures."""
    return {
        n: v
        for n, v in config.items()
        if n.startswith(SETTING) and n not in NOT_SETTING and not n.startswith(LEARNED_FROM)
    }


def differing(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The options on which flat configs do not agree, with the distinct values in order of appearance."""
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for config in configs for name in config):
        values: list[Any] = []
        for config in configs:
            value = config.get(name, "(not set)")
            if not any(same(value, v) for v in values):
                values.append(value)
        if len(values) > 1:
            found[name] = values
    return found


def _shown(different: Mapping[str, list[Any]]) -> list[str]:
    lines = [f"{name}: {', '.join(map(str, values[:SHOWN]))}" for name, values in different.items()]
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])


def _why_none(row: Row, runs: Sequence[Run]) -> list[str]:
    """The first condition that no run fulfils together with those before it."""
    left = [with_choices(run.config) for run in runs]
    for name, value in row.where.items():
        known = {key for config in left for key in config}
        if name not in known:
            return [f"no run has an option {name}{nearest(name, known)}"]
        fitting = [config for config in left if matches(config, {name: value})]
        if not fitting:
            seen = sorted({str(config[name]) for config in left if name in config})
            return [f"no run with {name}: {value} (there: {', '.join(seen[:6])})"]
        left = fitting
    return []


def _at_step(run: Run) -> str:
    step, steps = run.facts.get("step"), run.facts.get("steps")
    return f" at step {step}{f' of {steps}' if steps else ''}" if step else ""
