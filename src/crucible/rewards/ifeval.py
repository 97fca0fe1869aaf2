"""How many of the checkable instructions in a prompt an answer follows."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from crucible.errors import UserError, nearest
from crucible.rewards import instructions
from crucible.rewards.base import per_sample
from crucible.rewards.places import after_last
from crucible.types import Completion, Prompt

GROUPS = (
    "change_case", "combination", "detectable_content", "detectable_format", "keywords", "language",
    "length_constraints", "punctuation", "startend",
)  # fmt: skip

_LONGEST = 200_000  # characters of an answer that are read


def _check(*, level: str = "instruction", mode: str = "strict", **_: Any) -> None:
    if level not in ("instruction", "prompt"):
        raise UserError(f"reward.level is {level!r}; it must be instruction or prompt")
    if mode not in ("strict", "loose"):
        raise UserError(f"reward.mode is {mode!r}; it must be strict or loose")


@per_sample(needs=["instruction_id_list", "kwargs"], check=_check)
def ifeval(
    prompt: Prompt,
    completion: Completion,
    *,
    level: Literal["instruction", "prompt"] = "instruction",
    mode: Literal["strict", "loose"] = "strict",
    thoughts_end: str = "</think>",
) -> float | None:
    """The share of the prompt's instructions that the answer follows; with level "prompt", 1 for all of them, else 0.

    Source: IFEval (arXiv 2311.07911) and open-instruct's verifier (the share, after the thoughts are taken off).
    reference "instruction_id_list": names like "keywords:existence"; "kwargs": a mapping of arguments for each, as in
    IFEval's data (null arguments are left out). mode "loose" is IFEval's: an instruction is followed if it is in the
    answer, or in it without its first line, its last line, or both, each with or without its asterisks.
    Only what follows the last `thoughts_end` is read, where it occurs. An empty answer follows nothing.

    The share pays for easy instructions alone; all or nothing is sparse. Differs from IFEval: see
    `crucible.rewards.instructions` (sentences, words in capitals and language without nltk and langdetect; keywords are
    texts, not patterns; an empty text follows nothing in any mode).

    No verdict (abstains) where the prompt has no instruction. Errors: UserError for an instruction that is unknown or
    has other arguments than it takes.
    """
    names, given = prompt.reference["instruction_id_list"], prompt.reference["kwargs"]
    if len(names) != len(given):
        raise UserError(f"prompt {prompt.id}: {len(names)} instructions, but kwargs for {len(given)}")
    if not names:
        return None
    tail = after_last(completion.text, thoughts_end) if thoughts_end else None
    text = (completion.text if tail is None else tail)[:_LONGEST]
    texts = loosened(text) if mode == "loose" else [text]
    kept = [_follows(texts, name, arguments or {}) for name, arguments in zip(names, given, strict=True)]
    return float(all(kept)) if level == "prompt" else sum(kept) / len(kept)


def loosened(text: str) -> list[str]:
    """The text and its seven looser readings."""
    lines = text.split("\n")
    cuts = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*cuts, *(cut.replace("*", "") for cut in cuts)]


@functools.cache
def instruction(name: str) -> Callable[..., bool]:
    """The check called `group:name`."""
    group, _, function = name.partition(":")
    if group in GROUPS:
        module = importlib.import_module(f"{instructions.__name__}.{group}")
        own = {
            key: value
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not key.startswith("_")
        }
        if function in own:
            return own[function]
        raise UserError(f"unknown instruction {name!r}{nearest(function, own)}; {group} has {', '.join(own)}")
    raise UserError(f"unknown instruction {name!r}{nearest(group, GROUPS)}; groups are {', '.join(GROUPS)}")


def _follows(texts: Sequence[str], name: str, arguments: Mapping[str, Any]) -> bool:
    check = instruction(name)
    known = {key: value for key, value in arguments.items() if value is not None}
    try:
        inspect.signature(check).bind("", **known)
    except TypeError as error:
        raise UserError(f"instruction {name}: {error}") from None
    return any(text.strip() and check(text, **known) for text in texts)
