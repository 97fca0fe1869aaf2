"""Triples and pairs that are there already, and pairs of triples: checked, and written as the pipeline's own files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from crucible.errors import UserError
from crucible.feedback.corpus import formats
from crucible.feedback.corpus.items import extra_of, of_response
from crucible.feedback.corpus.sources import Given
from crucible.feedback.corpus.store import COUNTS, Stages
from crucible.feedback.matched import Pair, Same, matched_pairs
from crucible.feedback.records import Response, Triple
from crucible.rundir.atomic import write_json
from crucible.rundir.jsonl import write_jsonl


def brought(store: Stages, rows: Given, seed: int) -> str:
    """A source in the format `principle` or `preference`. Errors: UserError, before anything is written."""
    return (_triples if rows.form == "principle" else _preferences)(store, rows, seed)


def _triples(store: Stages, rows: Given, seed: int) -> str:
    found = list(formats.each(rows.rows(), lambda row: (formats.triple(row), extra_of(row))))
    if not found:
        raise UserError(f"{rows.source} is empty")
    store.begin({"feedback": rows.made_from})
    with store.working():
        write_jsonl(store.path / "triples.jsonl", (formats.row_of(triple) | extra for triple, extra in found))
        pairs = write_pairs(store, [triple for triple, _ in found], seed)
        yes = sum(triple.fulfilled for triple, _ in found) / len(found)
        distinct = len({triple.principle for triple, _ in found})
        write_json(
            store.path / COUNTS, {"triples": len(found), "principles": distinct, "yes_rate": yes, "pairs": pairs}
        )
    return (
        f"{store.path / 'triples.jsonl'}: {len(found):,} triples, {yes:.1%} fulfilled, {distinct:,} principles; "
        f"pairs.jsonl: {pairs:,} Bradley-Terry pairs of them"
    )


def _preferences(store: Stages, rows: Given, seed: int) -> str:
    found = list(formats.each(rows.rows(), formats.pair))
    pairs = [pair for pair in found if isinstance(pair, Pair)]
    if not pairs:
        raise UserError(f"{rows.source} has no row with a preference")
    ties = [{"row": i, "reason": pair} for i, pair in enumerate(found) if isinstance(pair, str)]
    store.begin({"feedback": rows.made_from})
    with store.working():
        write_jsonl(store.path / "pairs.jsonl", map(_row, pairs))
        write_jsonl(store.path / "rejected.jsonl", ties)
        tied = {formats.TIED: len(ties)}
        write_json(store.path / COUNTS, {"rows": len(found), "pairs": len(pairs), "rejected": tied})
    return f"{store.path / 'pairs.jsonl'}: {len(pairs):,} pairs; {len(ties):,} without a preference in rejected.jsonl"


def write_pairs(store: Stages, triples: Sequence[Triple], seed: int, same: Same | None = None) -> int:
    """pairs.jsonl: equal pairs, of several principles, are one row that says how many `times`. The number of pairs."""
    found = matched_pairs(triples, seed=seed, same=same)
    first: dict[tuple[str, str, str], Pair] = {}
    for pair in found:
        first.setdefault((pair.prompt.id, pair.chosen, pair.rejected), pair)
    times = Counter((pair.prompt.id, pair.chosen, pair.rejected) for pair in found)
    write_jsonl(store.path / "pairs.jsonl", (_row(pair) | {"times": times[key]} for key, pair in first.items()))
    return len(found)


def _row(pair: Pair) -> dict[str, Any]:
    asked = of_response(Response(pair.prompt, ""))
    return {"prompt_id": asked["prompt_id"], "prompt": asked["prompt"], "chosen": pair.chosen,
            "rejected": pair.rejected, "margin": pair.margin}  # fmt: skip
