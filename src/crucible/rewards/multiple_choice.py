"""The chosen option of a multiple-choice question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.places import boxed, tagged
from crucible.types import Completion, Prompt

Place = Literal["boxed", "answer_tag", "said"]
PLACES: tuple[Place, ...] = ("boxed", "answer_tag", "said")
_SAID = re.compile(r"\banswer(?:\s{1,9}is|\s{0,9}:)\s{0,9}:?\s{0,9}([^\n]{1,400})", re.IGNORECASE)
_WRAPPER = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}")
_LETTER = re.compile(r"[*_$\s]*[(\[]?\s*([A-Za-z0-9])\s*[)\]]?[*_$\s]*(?:[.:),;]\s*(.*))?", re.DOTALL)
_WINDOW = 20_000  # characters at the end that are searched
_LONGEST = 2_000  # characters of an answer


def _check(*, places: Sequence[str] = PLACES, guess_floor: bool = False, **_: Any) -> None:
    wrong = [place for place in places if place not in PLACES]
    if wrong or not places:
        raise UserError(f"reward.places is {list(places)}; one or more of {', '.join(PLACES)}")


@per_sample(needs=["answer", "choices"], check=_check)
def multiple_choice(
    prompt: Prompt,
    completion: Completion,
    *,
    places: Sequence[Place] = PLACES,
    accept_text: bool = True,
    guess_floor: bool = False,
) -> float | None:
    """1 where the option the completion chooses is the right one, else 0.

    Source: the advice of Math-Verify (a letter only from a declared place, never a stray capital) and RLPR's scorer
    (arXiv 2506.18254, official code), which also accepts the option's own text. The first of `places` that occurs
    counts, and its last occurrence: \\boxed{...}, <answer>...</answer>, or what follows "answer is" or "answer:".
    An answer is an option's label, with or without brackets, alone or with that same option's text behind it; or,
    with `accept_text`, exactly one option's text (without case, punctuation at the ends and white space).

    reference "choices": the options' texts in order, labelled A, B, C ...; {"label": [...], "text": [...]} as in ARC;
    or {"A": "text", ...}. reference "answer": the label, or the text of exactly one option.
    `guess_floor` maps 1/k, what guessing among k options earns, to 0: (r - 1/k) / (1 - 1/k).

    No verdict (abstains) where the reference answer is none of the options, or there are fewer than two.
    """
    options = labelled(prompt.reference["choices"])
    gold = _chosen(str(prompt.reference["answer"]), options, accept_text=True)
    if gold is None or len(options) < 2:
        return None
    said = _answer(completion.text, places)
    right = said is not None and _chosen(said, options, accept_text) == gold
    floor = 1 / len(options) if guess_floor else 0.0
    return (float(right) - floor) / (1 - floor)


def labelled(choices: Any) -> dict[str, str]:
    """Label -> text of each option, from any of the three forms."""
    if isinstance(choices, Mapping) and set(choices) == {"label", "text"}:
        return {str(k).upper(): str(v) for k, v in zip(choices["label"], choices["text"], strict=True)}
    if isinstance(choices, Mapping):
        return {str(k).upper(): str(v) for k, v in choices.items()}
    return {chr(ord("A") + i): str(v) for i, v in enumerate(choices)}


def _answer(text: str, places: Sequence[str]) -> str | None:
    tail = text[-_WINDOW:]
    for place in places:
        if place == "boxed":
            found = [inner] if (inner := boxed(tail)) is not None else []
        else:
            found = tagged(tail, "answer") if place == "answer_tag" else _SAID.findall(tail)
        if found:
            return found[-1][:_LONGEST]
    return None


def _chosen(said: str, options: dict[str, str], accept_text: bool) -> str | None:
    """The label of the option that `said` names; None where it names none, or two."""
    plain = _WRAPPER.sub(r"\1", said).strip()
    match = _LETTER.fullmatch(plain)
    if match and match[1].upper() in options:
        label, rest = match[1].upper(), _plain(match[2] or "")
        if not rest or rest == _plain(options[label]):
            return label
    if not accept_text:
        return None
    for form in (_trimmed, _plain):  # Rr is not RR, but where no option is written like that, case does not matter
        same = [label for label, text in options.items() if form(text) == form(plain) != ""]
        if same:
            return same[0] if len(same) == 1 else None
    return None


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(" .,;:!?*_$()\"'")


def _plain(text: str) -> str:
    return _trimmed(text).casefold()
