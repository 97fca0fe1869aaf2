"""D(tau): which solutions are trained on, and why each of the others is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crucible.errors import UserError
from crucible.verification.options import Verify
from crucible.verification.records import Verdict


@dataclass(frozen=True, slots=True)
class Selected:
    """`kept`, in the order of the verdicts; `rejected` with the reason of each."""

    kept: list[Verdict]
    rejected: list[tuple[Verdict, str]]


def select(
    verdicts: Sequence[Verdict], texts: Mapping[tuple[str, str], str], options: Verify, seed: int = 0
) -> Selected:
    """`verdicts` of one suite; `texts`: the completion of each (problem, solution); `seed`: if the options have none.

    Errors: UserError where `size` or `problems` asks for more than there are, and for a control without gold tests.
    """
    seed = seed if options.seed is None else options.seed
    reasons: dict[int, str] = {}
    accepted: dict[str, list[int]] = {}
    for place, verdict in enumerate(verdicts):
        reason = _refusal(verdict, options)
        if reason:
            reasons[place] = reason
        else:
            accepted.setdefault(verdict.problem, []).append(place)
    for problem, places in accepted.items():
        written = [texts[verdicts[place].problem, verdicts[place].solution] for place in places]
        accepted[problem] = _once(places, written, reasons, "repeats", verdicts)
        _keep_distinct(accepted[problem], verdicts, options, seed, reasons)
    _keep_problems(options, seed, accepted, reasons)
    _keep_size(verdicts, options, seed, reasons)
    kept = [verdict for place, verdict in enumerate(verdicts) if place not in reasons]
    return Selected(kept, [(verdicts[place], reasons[place]) for place in sorted(reasons)])


def _refusal(verdict: Verdict, options: Verify) -> str:
    if options.control == "none":
        return ""
    if options.control == "verified":
        return "" if options.accepts(verdict.v, verdict.judge) else options.reason(verdict.v, verdict.judge)
    if verdict.gold is None:
        raise UserError(f"verify.control={options.control} needs gold tests; problem {verdict.problem} has none")
    wanted = options.control == "correct_only"
    return "" if verdict.gold is wanted else f"{'right' if verdict.gold else 'wrong'} by the gold tests"


def _once(
    places: Sequence[int], keys: Sequence[str], reasons: dict[int, str], words: str, verdicts: Sequence[Verdict]
) -> list[int]:
    """The first place of each key; the others get a reason that names its solution."""
    first: dict[str, int] = {}
    for place, key in zip(places, keys, strict=True):
        owner = first.setdefault(key, place)
        if owner != place:
            reasons[place] = f"{words} {verdicts[owner].solution}"
    return list(first.values())


def _keep_distinct(
    places: list[int], verdicts: Sequence[Verdict], options: Verify, seed: int, reasons: dict[int, str]
) -> None:
    forms = len({verdicts[place].form for place in places})
    if forms < options.at_least:
        for place in places:
            reasons[place] = f"only {forms} different accepted solutions of the problem, at_least = {options.at_least}"
        return
    if options.distinct is None:
        return
    drawn = _shuffled(places, verdicts, seed)
    different = _once(drawn, [verdicts[place].form for place in drawn], reasons, "has the form of", verdicts)
    for place in different[options.distinct :]:
        reasons[place] = f"{options.distinct} different solutions of the problem are kept"


def _keep_problems(options: Verify, seed: int, accepted: Mapping[str, list[int]], reasons: dict[int, str]) -> None:
    if options.problems is None:
        return
    alive = [problem for problem, places in accepted.items() if any(place not in reasons for place in places)]
    if len(alive) < options.problems:
        raise UserError(f"verify.problems={options.problems}: only {len(alive)} problems have a solution to keep")
    drawn = set(sorted(alive, key=lambda problem: _hash(seed, problem))[: options.problems])
    for problem in alive:
        if problem not in drawn:
            for place in accepted[problem]:
                reasons.setdefault(place, f"not one of the {options.problems} problems drawn")


def _keep_size(verdicts: Sequence[Verdict], options: Verify, seed: int, reasons: dict[int, str]) -> None:
    if options.size is None:
        return
    left = [place for place in range(len(verdicts)) if place not in reasons]
    if len(left) < options.size:
        raise UserError(f"verify.size={options.size}: the natural size is {len(left)}")
    for place in _shuffled(left, verdicts, seed)[options.size :]:
        reasons[place] = f"not one of the {options.size} solutions drawn"


def _shuffled(places: Iterable[int], verdicts: Sequence[Verdict], seed: int) -> list[int]:
    """In an order that depends on the seed and the solution alone: a larger draw contains a smaller one."""
    return sorted(places, key=lambda place: _hash(seed, f"{verdicts[place].problem} {verdicts[place].solution}"))


def _hash(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()
