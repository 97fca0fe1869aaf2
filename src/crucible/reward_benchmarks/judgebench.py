"""JudgeBench (arXiv 2410.12784): pairs of answers of which one is objectively right; 350 of GPT-4o, 270 of Claude.

A judge of single responses plays one game: right if the better response scores strictly higher. A judge of pairs plays
both orders. Official rule: +1 for each order that agrees with the label, -1 for each that prefers the other response, 0
for a tie or no verdict; right if the sum is above 0. Stricter, and what 2509.21319 says of its pairwise baselines:
right in both orders. Overall is the micro average over all pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from crucible.analysis.statistics import Interval, wilson_interval
from crucible.data.split import content_id
from crucible.errors import UserError, nearest
from crucible.reward_benchmarks.files import Line, read_rows, refuse_repeated, shown
from crucible.reward_benchmarks.items import Benchmark, Item, Verdict
from crucible.reward_benchmarks.summary import Row, Summary
from crucible.types import Prompt

Rule = Literal["official", "both_orders"]
Games = tuple[Verdict | None, Verdict | None]
"""One pair's games: the better response first, the better response second."""

SIZES = {
    "gpt-4o": {"knowledge": 154, "reasoning": 98, "math": 56, "coding": 42},
    "claude-3-5-sonnet": {"knowledge": 154, "reasoning": 51, "math": 34, "coding": 31},
}
CATEGORIES = {"mmlu-pro": "knowledge", "livebench-reasoning": "reasoning", "livebench-math": "math",
              "livecodebench": "coding"}  # fmt: skip
POINTS = {"right": 1, "wrong": -1, "tie": 0, None: 0}


def load(path: Path, split: str = "gpt-4o") -> Benchmark:
    """A file, or a folder in which the file of `split` is found by its name. Errors: UserError."""
    if path.is_dir():
        path = _file_in(path, split)
    lines = read_rows(path)
    items = [_item(line) for line in lines]
    refuse_repeated(lines, items)
    models = {str(line.fields.get("response_model", "")) for line in lines}
    known = [name for name in SIZES if all(m.startswith(name) for m in models)]
    notes = [] if known else [f"{path.name} is neither split of JudgeBench by its column response_model"]
    return Benchmark("judgebench", items, SIZES[known[0]] if known else {}, notes)


def _file_in(folder: Path, split: str) -> Path:
    files = sorted(folder.glob("*.jsonl")) + sorted(folder.glob("*.json"))
    found = [p for p in files if split in p.name.replace("_", "-")]
    if len(found) != 1:
        there = ", ".join(p.name for p in found or files) or "no .jsonl file"
        what = "several files" if found else "no file"
        raise UserError(f"data: {what} of JudgeBench's split {split} in {folder} ({there}); name the file")
    return found[0]


def _item(line: Line) -> Item:
    source, label = line.text("source"), line.fields.get("label")
    category = next((c for start, c in CATEGORIES.items() if source.startswith(start)), None)
    if category is None:
        raise UserError(f"{line.where}: source {source!r} begins with none of {', '.join(CATEGORIES)}")
    if label not in ("A>B", "B>A"):
        near = nearest(label, ("A>B", "B>A")) if isinstance(label, str) else ""
        raise UserError(f"{line.where}: label must be A>B or B>A, not {shown(label)}{near}")
    a, b = line.text("response_A"), line.text("response_B")
    question = line.text("question")
    return Item(
        id=line.name("pair_id"),
        part=category,
        prompt=Prompt(id=content_id("judgebench", question), text=question),
        responses=(a, b) if label == "A>B" else (b, a),
    )


def official(games: Games) -> bool:
    """The sum over both orders is above 0: one order won and one tied is right, one won and one lost is not."""
    return sum(POINTS[game] for game in games) > 0


def both_orders(games: Games) -> bool:
    return games == ("right", "right")


def micro(right: Mapping[str, Sequence[bool]]) -> Interval:
    """Over all pairs of all categories, with Wilson's interval."""
    every = [r for own in right.values() for r in own]
    return wilson_interval(sum(every), len(every))


def position(games: Sequence[Games]) -> dict[str, Interval]:
    """How much the order matters: right where the better response comes first, where it comes second, in both."""
    n = len(games)
    return {
        "chosen first": wilson_interval(sum(first == "right" for first, _ in games), n),
        "rejected first": wilson_interval(sum(second == "right" for _, second in games), n),
        "both orders": wilson_interval(sum(map(both_orders, games)), n),
    }


def summarise_scores(benchmark: Benchmark, scores: Mapping[str, Sequence[float]]) -> Summary:
    """One game a pair. No score, NaN, never wins."""
    right = _by_part(benchmark, {i.id: scores[i.id][0] > scores[i.id][1] for i in benchmark.items})
    return Summary(("accuracy",), _rows(benchmark, right), _notes(benchmark, right), unit="pairs")


def summarise_games(benchmark: Benchmark, games: Mapping[str, Games], rule: Rule = "official") -> Summary:
    """Two games a pair, and what the position of a response did."""
    decide = {"official": official, "both_orders": both_orders}[rule]
    right = _by_part(benchmark, {i.id: decide(games[i.id]) for i in benchmark.items})
    rows = []
    for row in _rows(benchmark, right):
        own = [games[i.id] for i in benchmark.items if row.name in ("overall", i.part)]
        rows.append(Row(row.name, row.n, {**row.cells, **position(own)}, row.of))
    notes = [*_notes(benchmark, right), f"accuracy by rule={rule}"]
    return Summary(("accuracy", "chosen first", "rejected first", "both orders"), rows, notes, unit="pairs")


def _by_part(benchmark: Benchmark, right: Mapping[str, bool]) -> dict[str, list[bool]]:
    parts = {part: [right[i.id] for i in benchmark.items if i.part == part] for part in CATEGORIES.values()}
    return {part: own for part, own in parts.items() if own}


def _rows(benchmark: Benchmark, right: Mapping[str, Sequence[bool]]) -> list[Row]:
    rows = [
        Row(part, len(own), {"accuracy": wilson_interval(sum(own), len(own))}, benchmark.sizes.get(part))
        for part, own in right.items()
    ]
    whole = sum(benchmark.sizes.values()) or None
    return [*rows, Row("overall", sum(map(len, right.values())), {"accuracy": micro(right)}, whole)]


def _notes(benchmark: Benchmark, right: Mapping[str, Sequence[bool]]) -> list[str]:
    notes = list(benchmark.notes)
    if sum(map(len, right.values())) < sum(benchmark.sizes.values()):
        notes.append("a part of the split's pairs: published numbers are over all of them")
    return notes
