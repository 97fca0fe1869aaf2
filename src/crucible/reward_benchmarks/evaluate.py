"""Scores the items of a benchmark that are not scored yet."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal

from crucible.errors import UserError
from crucible.reward_benchmarks.items import Benchmark, Item, Pairwise, Pointwise, Question, Verdict
from crucible.reward_benchmarks.store import Record, Store

TooLong = Literal["refuse", "wrong", "leave_out"]
AT_ONCE = 64  # items scored together, and kept
EVERY = 10.0  # seconds between two lines of progress


def evaluate(
    benchmark: Benchmark,
    make: Callable[[], Pointwise | Pairwise],
    store: Store,
    *,
    too_long: TooLong,
    report: Callable[[str], None],
) -> None:
    """Fills `store.records`. The judge is made only if an item is missing.

    Errors: UserError, before anything is written, if one is too long and too_long=refuse; and for a score that is no
    finite number.
    """
    known = [i for i in benchmark.items if i.id in store.records]
    over = [(i, store.records[i.id].too_long) for i in known if not store.records[i.id].fits]
    missing = [i for i in benchmark.items if i.id not in store.records]
    judge = make() if missing else None
    problems: dict[str, list[str]] = {}
    if judge is not None:
        told = iter(judge.too_long([q for i in missing for q in questions(i)]))
        problems = {i.id: list(islice(told, len(i.responses))) for i in missing}
        over += [(i, problems[i.id]) for i in missing if any(problems[i.id])]
    if over and too_long == "refuse":
        item, what = over[0]
        raise UserError(
            f"{len(over)} of {len(benchmark.items)} items are too long for this judge, the first of them {item.id} "
            f"({next(filter(None, what))}); too_long=wrong counts them as wrong, too_long=leave_out leaves them out"
        )
    if judge is None:
        return
    store.begin()
    missing = [i for i in missing if i.id not in store.records]
    if known:
        report(f"{len(known)} of {len(benchmark.items)} items were scored before")
    told_at = time.monotonic()
    for start in range(0, len(missing), AT_ONCE):
        some = missing[start : start + AT_ONCE]
        long = [problems[i.id] for i in some]
        for record in _played(judge, some, long) if isinstance(judge, Pairwise) else _scored(judge, some, long):
            store.add(record)
        if time.monotonic() - told_at > EVERY:
            told_at = time.monotonic()
            report(f"scored {start + len(some)} of {len(missing)}")


def questions(item: Item) -> list[Question]:
    return [Question(item.prompt, response, item.principle) for response in item.responses]


def _scored(judge: Pointwise, items: Sequence[Item], problems: Sequence[list[str]]) -> list[Record]:
    """What is too long is not asked about."""
    asked = [
        [q for q, problem in zip(questions(i), own, strict=True) if not problem]
        for i, own in zip(items, problems, strict=True)
    ]
    found = iter(judge.scores([q for own in asked for q in own]))
    records = []
    for item, own in zip(items, problems, strict=True):
        scores = [None if problem else _finite(next(found), item) for problem in own]
        records.append(Record(item.id, scores=scores, too_long=own if any(own) else []))
    return records


def _finite(score: float | None, item: Item) -> float | None:
    if score is not None and not math.isfinite(score):
        raise UserError(f"the judge's score of a response of {item.id} is {score}: its weights are broken, or overflow")
    return score


def _played(judge: Pairwise, items: Sequence[Item], problems: Sequence[list[str]]) -> list[Record]:
    """Both orders of every pair that fits: the better response first, then second."""
    pairs = []
    for item, own in zip(items, problems, strict=True):
        if not any(own):
            better, worse = questions(item)
            pairs += [(better, worse), (worse, better)]
    said = iter(judge.games(pairs))
    records = []
    for item, own in zip(items, problems, strict=True):
        games: list[Verdict | None] = [None, None]
        if not any(own):
            games = [_verdict(next(said), better="first"), _verdict(next(said), better="second")]
        records.append(Record(item.id, games=games, too_long=own if any(own) else []))
    return records


def _verdict(said: Literal["first", "second", "tie"] | None, *, better: str) -> Verdict | None:
    if said is None or said == "tie":
        return said
    return "right" if said == better else "wrong"
