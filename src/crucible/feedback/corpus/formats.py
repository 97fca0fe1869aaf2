"""What a row says: our own lines, or those of the three HelpSteer3 tables that RLBFF (2509.21319) stands on.

    feedback     response1, response2, feedback1[3], feedback2[3]   two responses with the texts of up to three people
    principle    response, principle, fulfilment (Yes, No)          triples, as the paper released and we write them
    preference   response1, response2, overall_preference -3..3     pairs; negative: response1 is better

The prompt is `context`, messages that end with the user's; in our own files `prompt`, a text or messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from crucible.data.cells import Row, Unusable, cell, number
from crucible.errors import UserError
from crucible.feedback.corpus.items import (
    Item,
    Text,
    extra_of,
    item_of,
    name_of,
    of_response,
    prompt_of,
    refuse_namesakes,
    response_of,
    whole,
)  # fmt: skip
from crucible.feedback.corpus.read import rows
from crucible.feedback.matched import Pair
from crucible.feedback.records import Response, Triple

Format = Literal["lines", "feedback", "principle", "preference"]
TELLS: dict[Format, tuple[str, ...]] = {  # the fields that tell a format
    "feedback": ("response1", "feedback1"),
    "principle": ("response", "principle", "fulfilment"),
    "preference": ("response1", "overall_preference"),
    "lines": ("response", "feedback"),
}
FULFILMENT = {"yes": True, "no": False}
TIED = "no preference"
T = TypeVar("T")


def format_of(found: Iterable[Row], source: str) -> Format:
    """By the fields of the first row. Errors: UserError where they tell none."""
    row = next(iter(found), None)
    if row is None:
        raise UserError(f"{source} is empty")
    if row.problem:
        raise UserError(f"{row.where} {row.problem}")
    for name, tells in TELLS.items():
        if all(field in row.fields for field in tells):
            return name
    known = "; ".join(f"{name} ({', '.join(tells)})" for name, tells in TELLS.items())
    has = ", ".join(map(str, row.fields)) or "nothing"
    raise UserError(f"{row.where} has the fields {has}, which tell no format; name it with format=: {known}")


def items(row: Row, form: Format) -> list[Item]:
    """The responses of a row of `lines` or `feedback`. Errors: Unusable."""
    return [item_of(row)] if form == "lines" else [_answered(row, n) for n in ("1", "2")]


def _answered(row: Row, which: str) -> Item:
    given = cell(row, f"feedback{which}", f"texts about response{which}")
    if not isinstance(given, list) or not all(entry is None or isinstance(entry, str) for entry in given):
        raise Unusable(f'has no list of texts in column "feedback{which}"')
    # "up to" three: a place without a text is an annotator who wrote nothing
    texts = tuple(Text(name_of(i), t) for i, t in enumerate(given) if t is not None and t.strip())
    response = Response(prompt_of(row, "helpsteer3"), whole(row, f"response{which}", "a response"), "helpsteer3")
    return Item(response, refuse_namesakes(texts), extra_of(row))


def triple(row: Row) -> Triple:
    """A row of `principle`, or of a triples.jsonl. Errors: Unusable."""
    said = whole(row, "fulfilment", "Yes or No")
    if said.strip().lower() not in FULFILMENT:
        raise Unusable(f'has {said[:40]!r} in column "fulfilment"; Yes or No')
    response = response_of(row, source="helpsteer3")
    principle = whole(row, "principle", "the principle")
    return Triple(response.prompt, response.text, principle, FULFILMENT[said.strip().lower()], response.source)


def pair(row: Row) -> Pair | str:
    """A row of `preference`; the reason where it prefers neither. `margin`: |overall_preference| / 3 (inferred).

    NeMo-RL makes a pair of response1 with itself of a tie; such a pair teaches nothing and is left out here.
    """
    preference = number(cell(row, "overall_preference", "-3 to 3"), "overall_preference")
    if preference not in range(-3, 4):
        raise Unusable(f'has {preference:g} in column "overall_preference"; a whole number from -3 to 3')
    one, two = (whole(row, f"response{n}", "a response") for n in ("1", "2"))
    if preference == 0:
        return TIED
    chosen, rejected = (one, two) if preference < 0 else (two, one)
    return Pair(prompt_of(row, "helpsteer3"), chosen, rejected, abs(preference) / 3)


def each(found: Iterable[Row], read: Callable[[Row], T]) -> Iterator[T]:
    """What `read` makes of each row. Errors: UserError that names file, line and column."""
    for row in found:
        if row.problem:
            raise UserError(f"{row.where} {row.problem}")
        try:
            yield read(row)
        except Unusable as reason:
            raise UserError(f"{row.where} {reason}") from None


def read_triples(source: str | Path, config: str | None = None, splits: tuple[str, ...] = ("train",)) -> list[Triple]:
    """The triples of a file, folder or data set in the format `principle`: a pipeline's triples.jsonl, HelpSteer3's."""
    return list(each(rows(str(source), config, splits), triple))


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a pipeline's pairs.jsonl."""
    return list(each(rows(str(path), None, ("train",)), _written_pair))


def _written_pair(row: Row) -> Pair:
    chosen, rejected = (whole(row, name, f"the {name} response") for name in ("chosen", "rejected"))
    return Pair(prompt_of(row, ""), chosen, rejected, number(cell(row, "margin", "of the pair"), "margin"))


def row_of(made: Triple) -> dict[str, Any]:
    """A line of triples.jsonl, which `triple` reads."""
    return {**of_response(Response(made.prompt, made.response, made.source)), "principle": made.principle,
            "fulfilment": "Yes" if made.fulfilled else "No"}  # fmt: skip
