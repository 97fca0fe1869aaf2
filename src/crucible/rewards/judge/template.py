"""What a judge is asked, and what its reply is worth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from crucible.errors import UserError, nearest
from crucible.rewards.judge.verdicts import letter, points
from crucible.types import Prompt

FIELDS = ("question", "gold", "response", "criterion")
_PLACE = re.compile(r"\{(" + "|".join((*FIELDS, "mark")) + r")\}")
_ANY_PLACE = re.compile(r"\{([a-z_]{2,})\}")
# What chat templates are made of; inside a field it would end the message or begin another one.
_CONTROL = re.compile(r"<\||\|>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>|<</?SYS>>")
CUT = "[... cut ...]"


@dataclass(frozen=True, kw_only=True)
class Template:
    """`text` with the places {question}, {gold}, {response}, {criterion} and {mark}.

    {mark} is a word that depends on everything that is asked, so that a response cannot know it: whoever writes
    something that looks like the end of its field cannot write the mark (the attack of 2410.07137). The control
    sequences of chat templates are broken up in every field. A response of more than `max_characters` loses its middle.

    `verdict` letter, the contract of CompassVerifier, 2508.03686: A is worth 1, B 0 and C, which cannot be judged,
    `invalid` (null: no verdict). points: 0 to 10, worth a tenth of that. A reply without a verdict is an abstention.

    Errors: UserError for unknown places, for none for the response or the mark, and for unknown options.
    """

    text: str
    verdict: Literal["letter", "points"] = "letter"
    invalid: float | None = 0.0
    max_characters: int = 20_000

    def __post_init__(self) -> None:
        places = set(_ANY_PLACE.findall(self.text))
        for name in sorted(places - {*FIELDS, "mark"}):
            raise UserError(f"reward template: there is no place {{{name}}}{nearest(name, [*FIELDS, 'mark'])}")
        for name in ("response", "mark"):
            if name not in places:
                raise UserError(f"reward template: the text has no {{{name}}}")
        if self.verdict not in ("letter", "points"):
            raise UserError(f"reward template: verdict={self.verdict}; it must be letter or points")
        if self.max_characters < 100:
            raise UserError(f"reward template: max_characters={self.max_characters} must be at least 100")

    @property
    def places(self) -> set[str]:
        return set(_PLACE.findall(self.text))

    def fields(self, prompt: Prompt, response: str, criterion: str = "") -> dict[str, str]:
        """The content of each place of the text but the mark."""
        question = prompt.text or "\n\n".join(f"{m['role']}: {m['content']}" for m in prompt.messages)
        gold = str(prompt.reference["answer"]) if "gold" in self.places else ""
        all_fields = {"question": question, "gold": gold, "response": self.shortened(response), "criterion": criterion}
        return {name: harmless(value) for name, value in all_fields.items() if name in self.places}

    def shortened(self, response: str) -> str:
        half = self.max_characters // 2
        if len(response) <= self.max_characters:
            return response
        return f"{response[:half]} {CUT} {response[-half:]}"

    def filled(self, fields: Mapping[str, str], mark: str) -> str:
        """The text as it is sent. Places that a field's own content seems to have are left as they are."""
        return _PLACE.sub(lambda place: mark if place[1] == "mark" else fields[place[1]], self.text)

    def value(self, reply: str) -> float | None:
        """What a reply is worth; None where it holds no verdict."""
        if self.verdict == "points":
            found = points(reply)
            return None if found is None else found / 10
        said = letter(reply)
        return {"A": 1.0, "B": 0.0, "C": self.invalid}[said] if said else None


def harmless(text: str) -> str:
    """The text with a space in every control sequence of a chat template."""
    return _CONTROL.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
