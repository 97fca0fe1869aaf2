"""Imperfect workings of a sum, each with one known kind of flaw: material for reward-model data."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from crucible.data.chain_check import Term, apply


def write(terms: Sequence[Term], errors: Sequence[int] = ()) -> list[str]:
    """The steps of the sum of `terms`; errors[i] is added to the result of step i and carried on."""
    total, steps = terms[0][1], []
    for i, (sign, operand) in enumerate(terms[1:]):
        result = apply(total, sign, operand) + (errors[i] if errors else 0)
        steps.append(f"{total}{sign}{operand}={result}")
        total = result
    return steps


def value(terms: Sequence[Term]) -> int:
    total = 0
    for sign, operand in terms:
        total = apply(total, sign, operand)
    return total


def slip(result: int, rng: random.Random) -> int:
    """A wrong result near `result`: off by one, two or ten, as slips are; below zero only where it was."""
    near = (result + off for off in (-10, -2, -1, 1, 2, 10))
    return rng.choice([r for r in near if r >= min(result, 0)])


def _wrong_step(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """One result is wrong and carried on, so every later step is right in itself."""
    at = rng.randrange(len(terms) - 1)
    right = value(terms[: at + 2])
    errors = [0] * (len(terms) - 1)
    errors[at] = slip(right, rng) - right
    return ";".join(write(terms, errors))


def _wrong_answer(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """Only the last result is wrong."""
    steps = write(terms)
    left, _, result = steps[-1].rpartition("=")
    return ";".join([*steps[:-1], f"{left}={slip(int(result), rng)}"])


def _lucky_answer(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """A wrong step before the last, then a last step whose result is nevertheless the right answer."""
    at = rng.randrange(len(terms) - 2)
    right = value(terms[: at + 2])
    errors = [0] * (len(terms) - 1)
    errors[at] = slip(right, rng) - right
    errors[-1] = -errors[at]
    return ";".join(write(terms, errors))


def _wrong_operand(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """Another number in the place of a given one; the arithmetic is right."""
    at = rng.randrange(1, len(terms))
    sign, operand = terms[at]
    other = rng.choice([n for n in range(operand_max + 1) if n != operand])
    return ";".join(write([*terms[:at], (sign, other), *terms[at + 1 :]]))


def _skipped_step(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """One operation is left out; the rest is right in itself."""
    at = rng.randrange(1, len(terms))
    return ";".join(write([*terms[:at], *terms[at + 1 :]]))


def _swapped_steps(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """Two different neighbouring operations change places: the answer is right, the order is not."""
    at = rng.choice([i for i in range(1, len(terms) - 1) if terms[i] != terms[i + 1]])
    return ";".join(write([*terms[:at], terms[at + 1], terms[at], *terms[at + 2 :]]))


def _direct_right(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    return f"={value(terms)}"


def _direct_wrong(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    return f"={slip(value(terms), rng)}"


def _extra_steps(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """The right working, then one to three steps that change nothing (+0, or +n and -n)."""
    answer = value(terms)
    extra: list[str] = []
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            extra.append(f"{answer}{rng.choice('+-')}0={answer}")
        else:
            n = rng.randint(1, operand_max)
            extra += [f"{answer}+{n}={answer + n}", f"{answer + n}-{n}={answer}"]
    return ";".join([*write(terms), *extra])


def _malformed(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """The right working with one sign of its form lost, doubled or exchanged."""
    text = ";".join(write(terms))
    at = rng.choice([i for i, c in enumerate(text) if c in "=;"])
    return text[:at] + rng.choice(("", text[at] * 2, "+" if text[at] == ";" else ";")) + text[at + 1 :]


def _truncated(terms: Sequence[Term], rng: random.Random, operand_max: int) -> str:
    """The right working cut off somewhere before its last "="."""
    text = ";".join(write(terms))
    return text[: rng.randrange(1, text.rindex("=") + 1)]


FLAWS: dict[str, Callable[[Sequence[Term], random.Random, int], str]] = {
    "wrong_step": _wrong_step,
    "wrong_answer": _wrong_answer,
    "lucky_answer": _lucky_answer,
    "wrong_operand": _wrong_operand,
    "skipped_step": _skipped_step,
    "swapped_steps": _swapped_steps,
    "direct_right": _direct_right,
    "direct_wrong": _direct_wrong,
    "extra_steps": _extra_steps,
    "malformed": _malformed,
    "truncated": _truncated,
}


def flaws_for(terms: Sequence[Term]) -> list[str]:
    """The kinds of flaw a working of `terms` can have: some need three terms, or two that differ."""
    inner = terms[1:]
    kinds = dict.fromkeys(FLAWS)
    if len(terms) < 3:
        del kinds["lucky_answer"], kinds["skipped_step"]
    if all(term == inner[0] for term in inner):
        del kinds["swapped_steps"]
    return list(kinds)
