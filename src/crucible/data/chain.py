"""`data=chain`: sums worked step by step, every step of which a program can check.

    prompt      7+8-6+2=
    completion  7+8=15;15-6=9;9+2=11

In the spirit of RandomCalculation (arXiv 2507.10532): endless, uncontaminated, exact.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated

from crucible.data import chain_check, dials
from crucible.data.chain_check import StepReport, Term
from crucible.data.chain_flaws import FLAWS, flaws_for, slip, write
from crucible.data.generated import Generated
from crucible.data.principles import CHAIN_PRINCIPLES, Principle
from crucible.data.split import content_id
from crucible.errors import UserError, nearest
from crucible.types import Prompt


class Chain(Generated):
    """Sums of `terms` whole numbers, read from left to right.

    Dials: `terms` and `operand_max` (operands are 0..operand_max) set the difficulty; every running
    total is in 0..`total_max`. With the default dials there are 45,785 sums. Each operation and
    operand is drawn uniformly from the pairs that keep the total in range.

    Split: sums with the same signed numbers in any order are on one side of the split, so no evaluation
    prompt is even a reordering of a training prompt. The id is a hash of the sum as written.

    Demonstrations (for a warm-up): sums of `warmup_terms_min`..`terms` numbers; a share `direct_share`
    answers at once (`=11`); each step is wrong with probability `wrong_share`, and the wrong result is
    carried on.

    `correct` asks for the final answer alone: see `chain_check.check`. Errors: UserError for bad dials.
    """

    name = "chain"
    reference_keys = ("answer", "expression")
    alphabet = "0123456789+-=;"

    def __init__(
        self,
        *,
        terms: Annotated[int, "2 to 64"] = 4,
        operand_max: Annotated[int, "1 to 1000000"] = 9,
        operations: str = "+-",
        total_max: Annotated[int, "1 to 100000000"] = 99,
        eval_prompts: Annotated[int, "1 to 100000"] = 128,
        eval_share: Annotated[float, "> 0, < 1"] = 0.1,
        warmup_terms_min: Annotated[int, ">= 2"] = 2,
        direct_share: Annotated[float, "0 to 1"] = 0.0,
        wrong_share: Annotated[float, "0 to 1"] = 0.0,
    ) -> None:
        self.terms = dials.whole(self.name, "terms", terms, 2, 64)
        self.operand_max = dials.whole(self.name, "operand_max", operand_max, 1, 10**6)
        self.operations = dials.operations(self.name, operations, "+-")
        self.total_max = dials.whole(self.name, "total_max", total_max, 1, 10**8)
        smallest = dials.whole(self.name, "warmup_terms_min", warmup_terms_min, 2, self.terms)
        self.direct_share = dials.share(self.name, "direct_share", direct_share)
        self.wrong_share = dials.share(self.name, "wrong_share", wrong_share)
        self._principles = {p.text: p for p in CHAIN_PRINCIPLES}
        self._widest = 2 * (len(str(self.total_max)) + 1) + len(str(self.operand_max)) + 2
        self.hold_out(size=self.terms, smallest=smallest, eval_prompts=eval_prompts, eval_share=eval_share)

    # prompts

    def prompt(self, expression: str) -> Prompt:
        """The prompt of a sum such as `7+8-6+2`, for tests and for use by hand."""
        terms = chain_check.terms_of(expression)
        if len(terms) < 2 or _expression(terms) != expression:
            raise UserError(f"data=chain: {expression!r} is not a sum; it should look like 7+8-6+2")
        return self._item(terms)[1]

    # answers

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        terms = _terms(prompt)
        if rng.random() < self.direct_share:
            return f"={prompt.reference['answer']}"
        total, steps = terms[0][1], []
        for sign, operand in terms[1:]:
            result = chain_check.apply(total, sign, operand)
            if rng.random() < self.wrong_share:
                result = slip(result, rng)
            steps.append(f"{total}{sign}{operand}={result}")
            total = result
        return ";".join(steps)

    def working(self, prompt: Prompt) -> str:
        """The one right working."""
        return ";".join(write(_terms(prompt)))

    def corruptions(self, prompt: Prompt) -> list[str]:
        """The kinds of flaw `corrupt` can give an answer to this prompt."""
        return flaws_for(_terms(prompt))

    def corrupt(self, prompt: Prompt, rng: random.Random, kind: str | None = None) -> str:
        """An imperfect answer with the flaw `kind`, or with any that fits. See `chain_flaws.FLAWS`."""
        fitting = self.corruptions(prompt)
        if kind is None:
            kind = rng.choice(fitting)
        if kind not in fitting:
            raise UserError(f"data=chain: {prompt.text} cannot have the flaw {kind!r}{nearest(kind, FLAWS)}")
        return FLAWS[kind](_terms(prompt), rng, self.operand_max)

    # judgement

    def check(self, prompt: Prompt, completion: str) -> StepReport:
        """Everything a program can say of the completion. Never raises, whatever the text."""
        return chain_check.check(_terms(prompt), completion)

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return self.check(prompt, completion).answer_right

    def principles(self) -> Sequence[str]:
        return tuple(self._principles)

    def paraphrases(self, principle: str) -> Sequence[str]:
        """Other wordings of one of `principles()`."""
        return self._principle(principle).paraphrases

    def fulfils(self, prompt: Prompt, completion: str, principle: str) -> bool:
        """Whether the completion fulfils one of `principles()`, by program."""
        return self._principle(principle).fulfilled(self.check(prompt, completion), self._widest)

    def _principle(self, text: str) -> Principle:
        if text not in self._principles:
            raise UserError(
                f"data=chain cannot check the principle {text!r}{nearest(text, self._principles)}; "
                f"it knows: {', '.join(self._principles)}"
            )
        return self._principles[text]

    # generation

    def draw(self, rng: random.Random, size: int) -> tuple[str, Prompt]:
        return self._item(self._sum(rng, size))

    def _sum(self, rng: random.Random, count: int) -> list[Term]:
        total = rng.randint(0, min(self.operand_max, self.total_max))
        terms: list[Term] = [("+", total)]
        for _ in range(count - 1):
            room = {"+": self.total_max - total, "-": total}
            choices = {sign: min(self.operand_max, room[sign]) + 1 for sign in self.operations}
            pick = rng.randrange(sum(choices.values()))
            sign = self.operations[0]
            if pick >= choices[sign]:
                pick -= choices[sign]
                sign = self.operations[1]
            terms.append((sign, pick))
            total = chain_check.apply(total, sign, pick)
        return terms

    def _item(self, terms: list[Term]) -> tuple[str, Prompt]:
        expression = _expression(terms)
        answer = sum(n if sign == "+" else -n for sign, n in terms)
        prompt = Prompt(
            id=content_id(self.name, expression),
            text=f"{expression}=",
            reference={"answer": str(answer), "expression": expression},
            source=self.name,
            difficulty=float(len(terms)),
        )
        return f"{self.name} " + " ".join(f"{sign}{n}" for sign, n in sorted(terms)), prompt


def _expression(terms: Sequence[Term]) -> str:
    return "".join(f"{sign}{n}" for sign, n in terms)[1:]


def _terms(prompt: Prompt) -> list[Term]:
    return chain_check.terms_of(prompt.reference["expression"])
