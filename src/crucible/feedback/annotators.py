"""Three simulated people who write free text about a response, with known error rates.

They stand in for the annotators of HelpSteer3-Feedback (2509.21319, Sect. "data"): three texts a
response, each opening with "The response is {not, slightly, partially, mostly, perfectly} helpful.".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from crucible.errors import UserError
from crucible.feedback.records import Feedback, FeedbackTask, Judgement, Response

LEVELS = ("not", "slightly", "partially", "mostly", "perfectly")

# How a judgement is put in words around a clause such as "the final answer is right".
FRAMES: dict[Judgement, tuple[str, ...]] = {
    "yes": ("I find that {}.", "It is true that {}.", "On the good side: {}.", "This holds: {}."),
    "no": ("It is not true that {}.", "I do not find that {}.", "It falls short on this: {}.", "This fails: {}."),
    "partially": ("It is only partly true that {}.", "This holds to some degree: {}."),
}

# Things people say that no other annotator of this response can have in mind: the world has none of them.
INVENTIONS = (
    "the tone is friendly",
    "the examples are well chosen",
    "the sources are named",
    "the introduction is engaging",
    "there is a picture of the idea",
    "the code would run",
)


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """`error_rate`: share of judgements flipped. The other rates are chances per principle or per text.

    The first principle of a task (for sums: the final answer) is mentioned with `first_mention_rate`,
    as people comment on correctness most. All values are ours: the paper's annotators were people.
    """

    name: str
    error_rate: float
    mention_rate: float = 0.7
    first_mention_rate: float = 0.95
    partial_rate: float = 0.08
    invention_rate: float = 0.1

    def __post_init__(self) -> None:
        for name in ("error_rate", "mention_rate", "first_mention_rate", "partial_rate", "invention_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"annotator {self.name}: {name}={getattr(self, name)} must be between 0 and 1")

    def write(self, task: FeedbackTask, response: Response, number: int, rng: random.Random) -> Feedback:
        """A paragraph about `response` (the `number`-th of the list); all chance comes from `rng`."""
        sentences: list[str] = []
        liked, mentioned = 0.0, 0
        for i, principle in enumerate(task.principles()):
            if rng.random() >= (self.first_mention_rate if i == 0 else self.mention_rate):
                continue
            truth = task.fulfils(response.prompt, response.text, principle)
            said = truth != (rng.random() < self.error_rate)
            judgement: Judgement = "yes" if said else "no"
            if rng.random() < self.partial_rate:
                judgement = "partially"
            liked += {"yes": 1.0, "partially": 0.5, "no": 0.0}[judgement]
            mentioned += 1
            clause = rng.choice((principle, *task.paraphrases(principle)))
            sentences.append(rng.choice(FRAMES[judgement]).format(clause))
        if rng.random() < self.invention_rate:
            sentences.append(rng.choice(FRAMES[rng.choice(("yes", "no"))]).format(rng.choice(INVENTIONS)))
        rng.shuffle(sentences)
        level = LEVELS[round(4 * liked / mentioned)] if mentioned else "partially"
        return Feedback(number, self.name, " ".join([f"The response is {level} helpful.", *sentences]))


def default_annotators(error_rates: Sequence[float] = (0.03, 0.08, 0.15), **rates: float) -> list[Annotator]:
    """Annotators named A, B, C, ... with the given error rates (ours, not the paper's: not found there)."""
    if len(error_rates) < 2:
        raise UserError(f"feedback.error_rates={list(error_rates)}: consensus needs at least two annotators")
    return [Annotator(name=chr(ord("A") + i), error_rate=e, **rates) for i, e in enumerate(error_rates)]
