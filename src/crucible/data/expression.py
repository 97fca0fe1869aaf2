"""`data=expression`: bracketed arithmetic, reduced one operation at a time.

    prompt      (3+4)*2-8/4=
    completion  7*2-8/4=14-8/4=14-2=12

In the spirit of RandomCalculation (arXiv 2507.10532).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Annotated

from crucible.data import dials, formula
from crucible.data.formula import Formula, Node
from crucible.data.generated import Generated
from crucible.data.split import content_id
from crucible.errors import UserError
from crucible.types import Prompt

_ANSWER = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a completion between equals signs; the flags are False where `well_formed` is."""

    text: str
    well_formed: bool
    value_right: bool = False  # it has the value of the prompt's expression
    shorter: bool = False  # it has fewer operations than the line before


@dataclass(frozen=True, slots=True)
class ExpressionReport:
    lines: tuple[Line, ...]
    answer: str | None  # what follows the last "=" of prompt and completion, None when no whole number
    answer_right: bool

    @property
    def every_step_right(self) -> bool:
        return self.answer_right and all(line.value_right and line.shorter for line in self.lines)


class Expression(Generated):
    """Expressions of `steps` operations (0 to 20) over operands 0..`operand_max`, with + - * / and brackets.

    Every part of an expression has a whole value in 0..`result_max`; division is exact.
    Differs from the published data: no fractions, powers or negative values, so answers are compared
    exactly rather than by a tolerance. The default dials are what model=tiny can be warmed
    up on; of 50,000 draws 19 % are repeats.

    A tree is drawn from the top: the operations are shared out between its two sides uniformly, and the
    operation at each node is uniform as long as the values allow it.

    Split: expressions that differ in brackets or order alone (`formula.canonical`) are on one side. The
    id is a hash of the expression as written. Demonstrations rewrite the whole expression after each
    operation. Errors: UserError for bad dials, and for dials that allow too few expressions.
    """

    name = "expression"
    reference_keys = ("answer", "expression")
    alphabet = "0123456789+-*/()="

    def __init__(
        self,
        *,
        steps: Annotated[int, "0 to 20"] = 3,
        operand_max: Annotated[int, "1 to 9999"] = 9,
        operations: str = "+-",
        result_max: Annotated[int, "1 to 100000000"] = 999,
        eval_prompts: Annotated[int, "1 to 100000"] = 128,
        eval_share: Annotated[float, "> 0, < 1"] = 0.1,
        warmup_steps_min: Annotated[int, ">= 0"] = 1,
    ) -> None:
        self.steps = dials.whole(self.name, "steps", steps, 0, 20)
        self.operand_max = dials.whole(self.name, "operand_max", operand_max, 1, 9999)
        self.operations = dials.operations(self.name, operations, "+-*/")
        self.result_max = dials.whole(self.name, "result_max", result_max, self.operand_max, 10**8)
        smallest = min(dials.whole(self.name, "warmup_steps_min", warmup_steps_min, 0), self.steps)
        self.hold_out(size=self.steps, smallest=smallest, eval_prompts=eval_prompts, eval_share=eval_share)

    def prompt(self, expression: str) -> Prompt:
        """The prompt of an expression such as `(3+4)*2`, for tests and for use by hand."""
        tree = formula.read(expression)
        if tree is None or formula.write(tree) != expression:
            raise UserError(f"data=expression: {expression!r} is none; it should look like (3+4)*2-8/4")
        return self._item(tree)[1]

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        tree = formula.read(prompt.reference["expression"])
        lines = [str(tree)] if isinstance(tree, int) else []
        while isinstance(tree, Node):
            tree = formula.reduce(tree)
            lines.append(formula.write(tree))
        return "=".join(lines)

    def check(self, prompt: Prompt, completion: str) -> ExpressionReport:
        """Everything a program can say of the completion. Never raises, whatever the text.

        White space around the completion is ignored, none is allowed within. The answer is what follows
        the last "=" up to the end; a completion without "=" is an answer given at once.
        """
        text = completion.strip()
        value, before = int(prompt.reference["answer"]), int(prompt.difficulty)
        lines: list[Line] = []
        for part in text.split("=")[:64]:
            tree = formula.read(part)
            if tree is None:
                lines.append(Line(part, well_formed=False))
                continue
            left = formula.operations(tree)
            shorter = left < before or (before == 0 and not lines)
            lines.append(Line(part, True, formula.evaluate(tree) == value, shorter))
            before = left
        tail = text.rpartition("=")[2]
        answer = tail if _ANSWER.fullmatch(tail) else None
        return ExpressionReport(tuple(lines), answer, answer == prompt.reference["answer"])

    def correct(self, prompt: Prompt, completion: str) -> bool:
        tail = completion.strip().rpartition("=")[2]
        return tail == prompt.reference["answer"]

    def draw(self, rng: random.Random, size: int) -> tuple[str, Prompt]:
        for _ in range(10_000):
            drawn = self._tree(rng, size)
            if drawn is not None:
                return self._item(drawn[0])
        raise UserError(
            f"data=expression: no expression of {size} operations {self.operations!r} with parts from 0 to "
            f"{self.result_max} was found in 10,000 tries; raise result_max or lower steps or operand_max"
        )

    def _tree(self, rng: random.Random, steps: int) -> tuple[Formula, int] | None:
        """A tree of `steps` operations and its value, or None when this try fails."""
        if steps == 0:
            operand = rng.randint(0, self.operand_max)
            return operand, operand
        on_left = rng.randrange(steps)
        left = self._tree(rng, on_left)
        right = self._tree(rng, steps - 1 - on_left)
        if left is None or right is None:
            return None
        wanted = rng.choice(self.operations)
        if wanted == "/" and steps - 1 == on_left:  # few pairs divide: a plain divisor is drawn to fit
            divisors = [n for n in range(1, self.operand_max + 1) if left[1] % n == 0]
            divisor = rng.choice(divisors)
            right = (divisor, divisor)
        possible = [op for op in self.operations if self._result(left[1], op, right[1]) is not None]
        if not possible:
            return None
        operation = wanted if wanted in possible else rng.choice(possible)
        result = self._result(left[1], operation, right[1])
        return None if result is None else (Node(operation, left[0], right[0]), result)

    def _result(self, left: int, operation: str, right: int) -> int | None:
        if operation == "+":
            result = left + right
        elif operation == "-":
            result = left - right
        elif operation == "*":
            result = left * right
        else:
            result = left // right if right and left % right == 0 else -1
        return result if 0 <= result <= self.result_max else None

    def _item(self, tree: Formula) -> tuple[str, Prompt]:
        text = formula.write(tree)
        prompt = Prompt(
            id=content_id(self.name, text),
            text=f"{text}=",
            reference={"answer": str(formula.evaluate(tree)), "expression": text},
            source=self.name,
            difficulty=float(formula.operations(tree)),
        )
        return f"{self.name} {formula.canonical(tree)}", prompt
