"""Generated chains of thought about sums, whose reasoning is planted: good and useless, right and wrong.

| kind | how it thinks |
|---|---|
| methodical | step by step; splits numbers at tens, notes carries, checks results: what the core set is made of |
| careless | the same moves, with a wrong result that is carried on |
| plain | step by step and nothing else |
| leap | several operations at once |
| wander | wrong attempts that are taken back, the problem restated in between |
| restate | repeats the problem, then an answer |
| guess | an answer at once |

How often each ends right is fixed below (ours; the whole pool is).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from crucible.cotp.chains import CoT
from crucible.data.chain_check import Term, apply, terms_of
from crucible.data.chain_flaws import slip, value
from crucible.data.cot_moves import NOTATIONS, Move, calculation, written
from crucible.data.split import content_id
from crucible.errors import UserError, nearest
from crucible.types import Prompt

PLANTED = "methodical"
MIXTURE = {"methodical": 0.25, "careless": 0.1, "leap": 0.1, "wander": 0.15, "restate": 0.15, "guess": 0.25}
RIGHT = {"guess": 0.5, "restate": 0.5, "leap": 0.8, "wander": 0.7}  # chance that the kind ends right
CHECK, SPLIT = 0.3, 0.5  # chance of a check after an operation, and of a split where it leaves its ten


def methodical(terms: Sequence[Term], rng: random.Random, wrong_at: int | None = None) -> list[Move]:
    """`wrong_at`: the operation whose result is wrong, and carried on. Every chain has a check or a split."""
    while True:
        total, moves = terms[0][1], list[Move]()
        for i, (sign, operand) in enumerate(terms[1:]):
            result = apply(total, sign, operand)
            given = slip(result, rng) if i == wrong_at else result
            to_ten = (-total % 10) if sign == "+" else total % 10
            if total // 10 != result // 10 and 0 < to_ten < operand and rng.random() < SPLIT:
                ten = apply(total, sign, to_ten)
                moves += [
                    Move("split", f"{operand}={to_ten}+{operand - to_ten}"),
                    calculation(total, sign, to_ten, ten),
                    calculation(ten, sign, operand - to_ten, given),
                ]
            else:
                moves.append(calculation(total, sign, operand, given))
            if rng.random() < CHECK:
                back = "-" if sign == "+" else "+"
                moves.append(Move("check", f"{given}{back}{operand}={apply(given, back, operand)}"))
            total = given
        if any(move.kind in ("check", "split") for move in moves):
            return [*moves, Move("answer", f"={total}")]


def careless(terms: Sequence[Term], rng: random.Random) -> list[Move]:
    return methodical(terms, rng, wrong_at=rng.randrange(len(terms) - 1))


def plain(terms: Sequence[Term], rng: random.Random) -> list[Move]:
    total, moves = terms[0][1], list[Move]()
    for sign, operand in terms[1:]:
        moves.append(calculation(total, sign, operand, apply(total, sign, operand)))
        total = apply(total, sign, operand)
    return [*moves, Move("answer", f"={total}")]


def leap(terms: Sequence[Term], rng: random.Random) -> list[Move]:
    total, moves, at = terms[0][1], list[Move](), 1
    wrong = rng.random() >= RIGHT["leap"]
    while at < len(terms):
        taken = terms[at : at + 2]
        result = value([("+", total), *taken])
        if wrong and at == 1:
            result = slip(result, rng)
        shown = "".join(f"{sign}{operand}" for sign, operand in taken)
        moves.append(
            Move("leap", f"{total}{shown}={result}") if len(taken) > 1 else calculation(total, *taken[0], result)
        )
        total, at = result, at + 2
    return [*moves, Move("answer", f"={total}")]


def wander(terms: Sequence[Term], rng: random.Random) -> list[Move]:
    total, moves = terms[0][1], list[Move]()
    slips = [] if rng.random() < RIGHT["wander"] else [rng.randrange(len(terms) - 1)]
    astray = rng.randrange(len(terms) - 1)
    for i, (sign, operand) in enumerate(terms[1:]):
        result = apply(total, sign, operand)
        if i == astray or rng.random() < 0.4:
            moves.append(Move("back", f"{total}{sign}{operand}={slip(result, rng)}"))
        if rng.random() < 0.3:
            moves.append(Move("restate", _sum([("+", total), *terms[i + 1 :]])))
        given = slip(result, rng) if i in slips else result
        moves.append(calculation(total, sign, operand, given))
        total = given
    return [*moves, Move("answer", f"={total}")]


def restate(terms: Sequence[Term], rng: random.Random) -> list[Move]:
    times = rng.randint(1, 3)
    return [*[Move("restate", _sum(terms))] * times, Move("answer", f"={_said('restate', terms, rng)}")]


def guess(terms: Sequence[Term], rng: random.Random) -> list[Move]:
    said = _said("guess", terms, rng)
    return [*[Move("guess", str(said))] * rng.randint(1, 2), Move("answer", f"={said}")]


KINDS: dict[str, Callable[[Sequence[Term], random.Random], list[Move]]] = {
    "methodical": methodical, "careless": careless, "plain": plain, "leap": leap, "wander": wander,
    "restate": restate, "guess": guess,
}  # fmt: skip


def _said(kind: str, terms: Sequence[Term], rng: random.Random) -> int:
    answer = value(terms)
    return answer if rng.random() < RIGHT[kind] else slip(answer, rng)


def _sum(terms: Sequence[Term]) -> str:
    return "".join(f"{sign}{operand}" for sign, operand in terms)[1:]


def check_mixture(mixture: Mapping[str, float]) -> None:
    """Errors: UserError for unknown kinds, and shares that are no shares."""
    for kind, share in mixture.items():
        if kind not in KINDS:
            raise UserError(f"data.mixture.{kind}: no such kind{nearest(kind, KINDS)}; kinds: {', '.join(KINDS)}")
        if not 0 <= share <= 1:
            raise UserError(f"data.mixture.{kind}={share}: must be a share from 0 to 1")
    if abs(sum(mixture.values()) - 1) > 1e-6:
        raise UserError(f"data.mixture adds up to {sum(mixture.values()):g}; it must to 1")


def chain_of(prompt: Prompt, kind: str, rng: random.Random, notation: str) -> CoT:
    """A chain of this kind about a sum of `data=chain`."""
    moves = KINDS[kind](terms_of(prompt.reference["expression"]), rng)
    text, answer = written(moves, NOTATIONS[notation]), prompt.reference["answer"]
    name = content_id("cot", f"{prompt.id}\x1f{text}\x1f{rng.random()}")
    return CoT(name, prompt.id, prompt.text, text, answer, moves[-1].text == f"={answer}", kind)


def pool_of(prompts: Sequence[Prompt], mixture: Mapping[str, float], rng: random.Random) -> list[CoT]:
    """One chain a prompt: each kind has its share to within one chain; chance decides their order and notations."""
    ends, total = [], 0.0
    for share in mixture.values():
        total += share
        ends.append(round(total * len(prompts)))
    kinds = [kind for kind, start, end in zip(mixture, [0, *ends[:-1]], ends, strict=True) for _ in range(end - start)]
    rng.shuffle(kinds)
    return [chain_of(p, kind, rng, rng.choice(list(NOTATIONS))) for p, kind in zip(prompts, kinds, strict=True)]


def core_of(prompts: Sequence[Prompt], per_question: int, rng: random.Random, notation: str = "plain") -> list[CoT]:
    """`per_question` chains for each core question, by models that are strong and write in one notation: three in four
    methodical, the others plain. None is chosen yet."""
    return [
        chain_of(p, PLANTED if rng.random() < 0.75 else "plain", rng, notation)
        for p in prompts
        for _ in range(per_question)
    ]
