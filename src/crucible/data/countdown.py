"""`data=countdown`: reach the target with the given numbers; many right answers, one exact checker.

prompt      19,36,3,54>3:
completion  36-19=17;17*3=51;54-51=3
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from crucible.data import countdown_check, dials
from crucible.data.countdown_check import CountdownReport, combine
from crucible.data.split import content_id, held_out, training
from crucible.errors import UserError
from crucible.types import Prompt


class Countdown:
    """Puzzles of `numbers` whole numbers from `number_min` to `number_max`, each to be used exactly once.

    The rule is TinyZero's (github.com/Jiayi-Pan/TinyZero, countdown): each number once, + - * /.
    Differs from it: the answer is written as steps `a+b=c`, whole numbers of at least 0 throughout,
    rather than as one expression in <answer> tags.

    A puzzle is made by planting a solution: two random numbers on the table are replaced by the result of
    a random operation until one is left, the target. Planted results are 1 to `result_max`, targets
    `target_min` to `target_max`. The planted way is the demonstration (larger number first); any other
    right way counts as well. With the default dials there are 4,249,575 sets of numbers (4 of 99,
    repeats allowed) with about 12 targets each (mean of 100 sets): some 50 million puzzles, of which no
    run sees more than a sliver.

    Split and id: a hash of the sorted numbers and the target, so one puzzle in another order is the
    same puzzle. Errors: UserError for bad dials, and for dials that allow no puzzle.
    """

    name = "countdown"
    alphabet = "0123456789,>:+-*/=;"

    def __init__(
        self,
        *,
        numbers: int = 4,
        number_min: int = 1,
        number_max: int = 99,
        target_min: int = 10,
        target_max: int = 99,
        result_max: int = 999,
        operations: str = "+-*/",
        eval_prompts: int = 128,
        eval_share: float = 0.1,
        warmup_numbers_min: int = 2,
    ) -> None:
        self.numbers = dials.whole(self.name, "numbers", numbers, 2, 8)
        self.number_min = dials.whole(self.name, "number_min", number_min, 1)
        self.number_max = dials.whole(self.name, "number_max", number_max, self.number_min, 10**6)
        self.target_min = dials.whole(self.name, "target_min", target_min, 1)
        self.target_max = dials.whole(self.name, "target_max", target_max, self.target_min)
        self.result_max = dials.whole(self.name, "result_max", result_max, self.target_max, 10**8)
        self.operations = dials.operations(self.name, operations, "+-*/")
        low = dials.whole(self.name, "warmup_numbers_min", warmup_numbers_min, 2, self.numbers)
        self.warmup_numbers_min = low
        self.eval_share = dials.share(self.name, "eval_share", eval_share, open_ends=True)
        count = dials.whole(self.name, "eval_prompts", eval_prompts, 1)
        self._eval = held_out(self._draw, count, eval_share=self.eval_share, task=self.name)

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return training(self._draw, rng, eval_share=self.eval_share, task=self.name)

    def eval_prompts(self) -> Sequence[Prompt]:
        return self._eval

    def warmup_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Training prompts for ever, of `warmup_numbers_min`..`numbers` numbers in equal shares."""

        def draw(rng: random.Random) -> tuple[str, Prompt]:
            return self._puzzle(rng, rng.randint(self.warmup_numbers_min, self.numbers))

        return training(draw, rng, eval_share=self.eval_share, task=self.name)

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        return prompt.reference["working"]

    def check(self, prompt: Prompt, completion: str) -> CountdownReport:
        """Everything a program can say of the completion. Never raises, whatever the text."""
        given = prompt.reference
        return countdown_check.check(given["numbers"], given["target"], completion, self.operations)

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return self.check(prompt, completion).correct

    def _draw(self, rng: random.Random) -> tuple[str, Prompt]:
        return self._puzzle(rng, self.numbers)

    def _puzzle(self, rng: random.Random, count: int) -> tuple[str, Prompt]:
        span = range(self.number_min, self.number_max + 1)
        for _ in range(10_000):
            numbers = rng.choices(span, k=count)
            steps = self._plant(numbers, rng)
            if steps is not None:
                return self._item(numbers, steps)
        raise UserError(
            f"data=countdown: no puzzle of {count} numbers from {self.number_min} to {self.number_max} with "
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
