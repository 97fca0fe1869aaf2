"""Where responses with feedback come from: the embedded world, or rows of files and data sets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from crucible.data.chain import Chain
from crucible.errors import UserError, expanded
from crucible.feedback.annotators import default_annotators
from crucible.feedback.corpus import formats
from crucible.feedback.corpus.formats import Format
from crucible.feedback.corpus.items import Item, Text
from crucible.feedback.corpus.read import rows
from crucible.feedback.responses import collect
from crucible.verification.store import of_file


class Source(Protocol):
    """`made_from`: what the items depend on, as plain values."""

    made_from: dict[str, Any]

    def items(self) -> Iterator[Item]:
        """All items, in order, the same at every call."""
        ...


class Generated:
    """`data=chain`: `count` responses, `per_prompt` to each prompt, and a simulated text about each of every annotator.

    The first answers to all prompts come before the second ones, so `demonstration_share` mixes right and flawed
    answers to one prompt. The texts are those that `algo=rm_principle` has.
    """

    def __init__(
        self, *, count: int, per_prompt: int, terms: int, error_rates: Sequence[float], demonstration_share: float,
        seed: int,
    ):  # fmt: skip
        if count < per_prompt or count % per_prompt:
            raise UserError(f"count={count}: responses, a multiple of per_prompt={per_prompt}")
        self.task: Any = Chain(terms=terms)
        self.annotators = default_annotators(error_rates)
        self.count, self.per_prompt, self.share, self.seed = count, per_prompt, demonstration_share, seed
        self.made_from = {
            "source": "generated", "count": count, "per_prompt": per_prompt, "terms": terms, "seed": seed,
            "error_rates": list(error_rates), "demonstration_share": demonstration_share,
        }  # fmt: skip

    def items(self) -> Iterator[Item]:
        drawn = self.task.train_prompts(random.Random(f"reward model {self.seed}"))
        prompts = list(islice(drawn, self.count // self.per_prompt)) * self.per_prompt
        found = collect(
            self.task, iter(prompts), self.count, generate=None, sampled_from=iter(()), max_tokens=1,
            demonstration_share=self.share, sample_share=0.0, seed=2 * self.seed,
        )  # fmt: skip
        for number, response in enumerate(found):
            yield Item(response, tuple(
                Text(a.name, a.write(self.task, response, number, random.Random(f"{self.seed}/{a.name}/{number}")).text)
                for a in self.annotators
            ))  # fmt: skip


class Given:
    """Rows of a file, a folder or a data set on the Hub; `form` null: told by the fields of the first row."""

    def __init__(self, source: str, config: str | None, splits: Sequence[str], form: Format | None):
        self.source, self.config, self.splits = source, config, tuple(splits)
        path = expanded(source)
        self.made_from: dict[str, Any] = (
            of_file(path) if path.is_file() else {"source": source, "config": config, "split": list(splits)}
        )
        self.form = form or formats.format_of(self.rows(), source)
        self.made_from["format"] = self.form

    def rows(self) -> Iterator[Any]:
        return rows(self.source, self.config, self.splits)

    def items(self) -> Iterator[Item]:
        for found in formats.each(self.rows(), lambda row: formats.items(row, self.form)):
            yield from found


def checked(source: Source, *, findings: bool) -> int:
    """The number of items. Errors: UserError for a row that cannot be used, for feedback of one annotator alone, and,
    with `findings`, for texts that nobody has read.
    """
    count = most = 0
    for count, item in enumerate(source.items(), 1):
        most = max(most, len(item.texts))
        if findings and (unread := next((t for t in item.texts if t.findings is None), None)):
            raise UserError(
                f"extractor=given: response {count} has no findings in the text of annotator {unread.annotator}; "
                "give them, or extractor=endpoint"
            )
    where = source.made_from["source"]
    if not count:
        raise UserError(f"{where} has no response")
    if most < 2:
        raise UserError(f"{where}: no response has feedback of two annotators; consensus needs at least two")
    return count
