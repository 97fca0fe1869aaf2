"""Reading what a policy wrote: stored completions of one or several runs and steps, chosen and put side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible.errors import UserError, nearest
from crucible.rundir.atomic import explained
from crucible.rundir.encoding import encode
from crucible.rundir.samples import read_samples, sampled_steps, samples_file
from crucible.visible import escaped


@dataclass(frozen=True, slots=True)
class Source:
    """One column: the samples of a run at a step."""

    run: Path
    step: int

    @property
    def name(self) -> str:
        return f"{self.run.parent.name}/{self.run.name} step {self.step}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One stored completion. `reward` and `success` are None where the file has none."""

    prompt_id: str
    prompt: str
    completion: str
    finish_reason: str
    reward: float | None
    success: bool | None
    components: dict[str, float] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """What samples are sorted by: reward, success, length or a component. -inf where it is absent."""
        if name == "length":
            return float(len(self.completion))
        found = getattr(self, name) if name in ("reward", "success") else self.components.get(name)
        return float("-inf") if found is None else float(found)


@dataclass(frozen=True, slots=True)
class Group:
    """The samples of one prompt, source by source; across steps without common prompts, of one rank."""

    prompts: tuple[str, ...]  # one a source, "" where it has none
    cells: tuple[tuple[Sample, ...], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was asked for. `aligned` says whether the sources are joined by prompt."""

    sources: tuple[Source, ...]
    groups: tuple[Group, ...]
    aligned: bool
    kept: int  # samples left by the filters
    stored: int


def sources(runs: Sequence[Path], steps: Sequence[int]) -> list[Source]:
    """Every run at every step; without steps, the last step each run stored.

    Errors: UserError for a path that is no run directory and for runs without samples.
    """
    found = []
    for run in runs:
        if not run.is_dir():
            siblings = [p.name for p in run.parent.iterdir() if p.is_dir()] if run.parent.is_dir() else []
            raise UserError(
                f"no run directory {run}{': it is a file' if run.exists() else nearest(run.name, siblings)}"
            )
        stored = sampled_steps(run)
        if not stored:
            raise UserError(f"{run} has no samples; runs store them every samples_every steps")
        found += [Source(run, step) for step in (steps or stored[-1:])]
    return found


def read(
    chosen: Sequence[Source],
    *,
    correct: bool | None = None,
    contains: str = "",
    lacks: str = "",
    finish_reason: str = "",
    sort: str = "",
    limit: int = 20,
) -> Reading:
    """The samples of the sources that pass every filter, joined by prompt where the sources have common prompts.

    `contains` and `lacks` look into prompt and completion; `sort` is reward, success, length or a component,
    "-" before it for the largest first (a prompt by its best sample); `limit` is a number of prompts, 0 for all.
    """
    columns = [_samples(s) for s in chosen]
    _check_sort(sort.removeprefix("-"), columns)
    stored = sum(map(len, columns))
    columns = [[x for x in column if _passes(x, correct, contains, lacks, finish_reason)] for column in columns]
    by_prompt = [_by_prompt(column) for column in columns]
    common = set.intersection(*(set(c) for c in by_prompt)) if by_prompt else set()
    aligned = len(columns) == 1 or bool(common)
    groups = _joined(by_prompt) if aligned else _ranked(by_prompt)
    if sort:
        name, down = sort.removeprefix("-"), sort.startswith("-")
        groups = [_sorted(g, name, down) for g in groups]
        groups.sort(key=lambda g: _best(g, name, down), reverse=down)
    return Reading(tuple(chosen), tuple(groups[:limit] if limit else groups), aligned, sum(map(len, columns)), stored)


def _samples(source: Source) -> list[Sample]:
    """Errors: UserError where the file is damaged, with the number of the sample."""
    file, found = samples_file(source.run, source.step), []
    with explained("cannot read", file):
        rows = read_samples(source.run, source.step)
    for number, row in enumerate(rows, start=1):
        try:
            found.append(sample(row))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = "its prompt or its components are not written as a run writes them"
            if isinstance(error, KeyError | ValueError):
                what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{file}: sample {number} cannot be read: {what}") from error
    if not found:
        raise UserError(f"{file} holds no sample that can be read")
    return found


def sample(row: dict[str, Any]) -> Sample:
    """A row of samples/ as a `Sample`; a chat prompt becomes text with its roles."""
    prompt = row["prompt"]
    if not isinstance(prompt, str):
        prompt = "\n".join(f"[{m.get('role', '?')}] {m.get('content', '')}" for m in prompt)
    return Sample(
        prompt_id=str(row.get("prompt_id") or prompt),
        prompt=prompt,
        completion=str(row["completion"]),
        finish_reason=str(row.get("finish_reason", "")),
        reward=None if row.get("reward") is None else float(row["reward"]),
        success=None if row.get("success") is None else bool(row["success"]),
        components={k: float(v) for k, v in (row.get("components") or {}).items() if v is not None},
    )


def as_jsonl(reading: Reading) -> str:
    """One line a sample, with the run and step it is from; what could act on a terminal is escaped."""
    lines = []
    for group in reading.groups:
        for source, cell in zip(reading.sources, group.cells, strict=True):
            for x in cell:
                row = {"run": str(source.run), "step": source.step} | {n: getattr(x, n) for n in Sample.__slots__}
                lines.append(escaped(json.dumps(encode(row), ensure_ascii=False)))
    return "".join(f"{line}\n" for line in lines)


def _passes(x: Sample, correct: bool | None, contains: str, lacks: str, finish_reason: str) -> bool:
    text = f"{x.prompt}\n{x.completion}"
    return (
        (correct is None or x.success is correct)
        and contains in text
        and (not lacks or lacks not in text)
        and (not finish_reason or x.finish_reason == finish_reason)
    )


def _check_sort(name: str, columns: Sequence[Sequence[Sample]]) -> None:
    known = dict.fromkeys(["reward", "success", "length", *(n for c in columns for x in c for n in x.components)])
    if name and name not in known:
        raise UserError(f"sort={name}: one of {', '.join(known)}{nearest(name, known)}")


def _by_prompt(column: Iterable[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for x in column:
        found.setdefault(x.prompt_id, []).append(x)
    return found


def _joined(by_prompt: Sequence[dict[str, list[Sample]]]) -> list[Group]:
    ids = dict.fromkeys(i for column in by_prompt for i in column)
    return [_group([column.get(i, []) for column in by_prompt]) for i in ids]


def _ranked(by_prompt: Sequence[dict[str, list[Sample]]]) -> list[Group]:
    lists = [list(column.values()) for column in by_prompt]
    longest = max(map(len, lists), default=0)
    return [_group([c[i] if i < len(c) else [] for c in lists]) for i in range(longest)]


def _group(cells: Sequence[Sequence[Sample]]) -> Group:
    return Group(tuple(c[0].prompt if c else "" for c in cells), tuple(tuple(c) for c in cells))


def _sorted(group: Group, name: str, down: bool) -> Group:
    cells = tuple(tuple(sorted(c, key=lambda x: x.value(name), reverse=down)) for c in group.cells)
    return Group(group.prompts, cells)


def _best(group: Group, name: str, down: bool) -> float:
    values = [x.value(name) for cell in group.cells for x in cell]
    return max(values) if down else min(values)
