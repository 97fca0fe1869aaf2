"""`data=countdown`: reach the target with the given numbers; many right answers, one exact checker.

prompt      19,36,3,54>3:
completion  36-19=17;17*3=51;54-51=3
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated

from crucible.data import countdown_check, dials
from crucible.data.countdown_check import CountdownReport, combine
from crucible.data.generated import Generated
from crucible.data.split import content_id
from crucible.errors import UserError
from crucible.types import Prompt


class Countdown(Generated):
    """Puzzles of `numbers` whole numbers from `number_min` to `number_max`, each to be used exactly once.

    The rule is TinyZero's (github.com/Jiayi-Pan/TinyZero, countdown): each number once, + - * /.
    Differs from it: the answer is written as steps `a+b=c`, whole numbers of at least 0 throughout,
    rather than as one expression in <answer> tags.

    A puzzle is made by planting a solution: two random numbers on the table are replaced by the result of
    a random operation until one is left, the target. Planted results are 1 to `result_max`, targets
    `target_min` to `target_max`. The planted way is the demonstration (larger number first); any other
    right way counts as well. The default dials are what model=tiny can be warmed up on: 13,217 puzzles. A
    warm-up sees nearly all of the training ones, so only the held-out ones, which it never sees, say anything.
    TinyZero's own scale, 4 numbers up to 99 with division, has some 50 million (4,249,575 sets of numbers with
    about 12 targets each, mean of 100 sets).

    Split and id: a hash of the sorted numbers and the target, so one puzzle in another order is the
    same puzzle. Errors: UserError for bad dials, and for dials that allow no puzzle.
    """

    name = "countdown"
    reference_keys = ("answer", "numbers", "target", "working")
    alphabet = "0123456789,>:+-*/=;"

    def __init__(
        self,
        *,
        numbers: Annotated[int, "2 to 8"] = 3,
        number_min: Annotated[int, ">= 1"] = 1,
        number_max: Annotated[int, "1 to 1000000"] = 20,
        target_min: Annotated[int, ">= 1"] = 1,
        target_max: Annotated[int, ">= 1"] = 99,
        result_max: Annotated[int, "1 to 100000000"] = 999,
        operations: str = "+-*",
        eval_prompts: Annotated[int, "1 to 100000"] = 128,
        eval_share: Annotated[float, "> 0, < 1"] = 0.1,
        warmup_numbers_min: Annotated[int, ">= 2"] = 2,
    ) -> None:
        self.numbers = dials.whole(self.name, "numbers", numbers, 2, 8)
        self.number_min = dials.whole(self.name, "number_min", number_min, 1)
        self.number_max = dials.whole(self.name, "number_max", number_max, self.number_min, 10**6)
        self.target_min = dials.whole(self.name, "target_min", target_min, 1)
        self.target_max = dials.whole(self.name, "target_max", target_max, self.target_min)
        self.result_max = dials.whole(self.name, "result_max", result_max, self.target_max, 10**8)
        self.operations = dials.operations(self.name, operations, "+-*/")
        smallest = dials.whole(self.name, "warmup_numbers_min", warmup_numbers_min, 2, self.numbers)
        self.hold_out(size=self.numbers, smallest=smallest, eval_prompts=eval_prompts, eval_share=eval_share)

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        return prompt.reference["working"]

    def check(self, prompt: Prompt, completion: str) -> CountdownReport:
        """Everything a program can say of the completion. Never raises, whatever the text."""
        given = prompt.reference
        return countdown_check.check(given["numbers"], given["target"], completion, self.operations)

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return self.check(prompt, completion).correct

    def draw(self, rng: random.Random, size: int) -> tuple[str, Prompt]:
        span = range(self.number_min, self.number_max + 1)
        for _ in range(10_000):
            numbers = rng.choices(span, k=size)
            steps = self._plant(numbers, rng)
            if steps is not None:
                return self._item(numbers, steps)
        raise UserError(
            f"data=countdown: no puzzle of {size} numbers from {self.number_min} to {self.number_max} with "
            f"operations {self.operations!r} and a target from {self.target_min} to {self.target_max} was "
            "found in 10,000 tries; widen the target or the numbers"
        )

    def _plant(self, numbers: Sequence[int], rng: random.Random) -> list[str] | None:
        """Steps that use every number and end at a target in range, or None when this try fails."""
        table, steps = list(numbers), []
        while len(table) > 1:
            one, other = table.pop(rng.randrange(len(table))), table.pop(rng.randrange(len(table)))
            left, right = max(one, other), min(one, other)
            results = [(op, combine(left, op, right)) for op in self.operations]
            low, high = (1, self.result_max) if table else (self.target_min, self.target_max)
            possible = [(op, c) for op, c in results if c is not None and low <= c <= high]
            if not possible:
                return None
            operation, result = rng.choice(possible)
            steps.append(f"{left}{operation}{right}={result}")
            table.append(result)
        return steps

    def _item(self, numbers: Sequence[int], steps: Sequence[str]) -> tuple[str, Prompt]:
        target = int(steps[-1].rpartition("=")[2])
        given = ",".join(map(str, numbers))
        canonical = ",".join(map(str, sorted(numbers))) + f">{target}"
        prompt = Prompt(
            id=content_id(self.name, canonical),
            text=f"{given}>{target}:",
            reference={
                "answer": str(target),
                "numbers": tuple(numbers),
                "target": target,
                "working": ";".join(steps),
            },
            source=self.name,
            difficulty=float(len(numbers)),
        )
        return f"{self.name} {canonical}", prompt
