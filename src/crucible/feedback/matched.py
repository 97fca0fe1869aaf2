"""Bradley-Terry pairs from the triples that a principle reward model learns from: the baseline on the same data.

How 2509.21319 built the pairs of its Bradley-Terry baseline "on the same data" was not found. Inferred, ours:

    by principle   two responses to one prompt, one fulfils a principle and the other does not; margin 1
    by share       two responses that no such pair holds: the one that fulfils the larger share of its own
                   principles is chosen; margin: the difference of the shares, in (0, 1]

Each triple is in one pair by principle at most, each response in one pair by share, so the pairs grow with the triples.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from crucible.feedback.records import Triple
from crucible.types import Prompt

Same = Callable[[str, str], bool]
Labels = dict[str, dict[str, bool]]  # response text -> principle -> fulfilled


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt, the better one first. `margin` in (0, 1]: see the module."""

    prompt: Prompt
    chosen: str
    rejected: str
    margin: float


def matched_pairs(triples: Sequence[Triple], *, seed: int, same: Same | None = None) -> list[Pair]:
    """Pairs by principle and by share, prompt by prompt, as they are first met; [] where none can be built.

    Who meets whom is drawn by `seed` and the prompt's id: other prompts and the order of its own triples do not matter.
    `same` says whether two wordings are one principle (`Consensus.similar` does); without it they are where they differ
    in case and spaces alone. A response that is said to fulfil a principle and not to counts for neither.
    """
    prompts: dict[str, Prompt] = {}
    of_prompt: dict[str, list[Triple]] = {}
    for triple in triples:
        prompts.setdefault(triple.prompt.id, triple.prompt)
        of_prompt.setdefault(triple.prompt.id, []).append(triple)
    out: list[Pair] = []
    for name, prompt in prompts.items():
        labels = _labels(of_prompt[name], same or _alike)
        rng = random.Random(f"pairs {seed}/{name}")
        found = _by_principle(labels, rng)
        met = {text for pair in found for text in pair[:2]}
        found += _by_share({text: own for text, own in labels.items() if text not in met and own}, rng)
        out += [Pair(prompt, *pair) for pair in found]
    return out


def _labels(triples: Sequence[Triple], same: Same) -> Labels:
    """What is said of each response, under the first wording of each principle; contradictions are left out."""
    names: list[str] = []
    said: dict[str, dict[str, set[bool]]] = {}
    for t in sorted(triples, key=lambda t: (t.response, t.principle)):
        name = next((known for known in names if same(known, t.principle)), None)
        if name is None:
            names.append(name := t.principle)
        said.setdefault(t.response, {}).setdefault(name, set()).add(t.fulfilled)
    return {text: {p: max(v) for p, v in own.items() if len(v) == 1} for text, own in said.items()}


def _by_principle(labels: Labels, rng: random.Random) -> list[tuple[str, str, float]]:
    found: list[tuple[str, str, float]] = []
    for principle in dict.fromkeys(p for own in labels.values() for p in own):
        yes, no = ([text for text, own in labels.items() if own.get(principle) is z] for z in (True, False))
        rng.shuffle(yes)
        rng.shuffle(no)
        found += [(chosen, rejected, 1.0) for chosen, rejected in zip(yes, no, strict=False)]
    return found


def _by_share(labels: Mapping[str, Mapping[str, bool]], rng: random.Random) -> list[tuple[str, str, float]]:
    shares = {text: sum(own.values()) / len(own) for text, own in labels.items()}
    left, found = list(shares), list[tuple[str, str, float]]()
    rng.shuffle(left)
    while left:
        one = left.pop()
        other = next((text for text in left if shares[text] != shares[one]), None)
        if other is not None:
            left.remove(other)
            better, worse = (one, other) if shares[one] > shares[other] else (other, one)
            found.append((better, worse, shares[better] - shares[worse]))
    return found


def _alike(a: str, b: str) -> bool:
    return " ".join(a.split()).casefold() == " ".join(b.split()).casefold()
