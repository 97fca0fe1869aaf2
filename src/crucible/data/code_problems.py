"""Programming problems with unit tests: what `data=humaneval` and `data=mbpp` have in common."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crucible.data import dials
from crucible.data.cells import Row, names
from crucible.data.epochs import epochs
from crucible.data.split import content_id
from crucible.errors import UserError, expanded, nearest
from crucible.rewards.base import PerSample
from crucible.types import Completion, Demonstration, Prompt

Mode = Literal["chat", "instruction", "completion"]
MODES = ("chat", "instruction", "completion")


@dataclass(frozen=True, slots=True)
class Problem:
    """A prompt, whose reference has tests, and the reference solution as the answer the prompt asks for."""

    prompt: Prompt
    solution: str


class CodeProblems:
    """A finite set of problems; an answer is right when its program passes all tests (`check`, in the sandbox).

    `no_training` is the reason why there is nothing to train on, where that is so: said when it is asked for.
    """

    def __init__(
        self,
        *,
        name: str,
        train: Sequence[Problem],
        held_out: Sequence[Problem],
        check: PerSample | None,
        eval_prompts: int | None,
        no_training: str = "no problem is left for training",
    ) -> None:
        if eval_prompts is not None:
            dials.whole(name, "eval_prompts", eval_prompts, 1)
        if check is None:
            raise UserError(f"data={name}: only tests tell a right program from a wrong one; set data/check=unit_tests")
        if not held_out:
            raise UserError(f"data={name}: no problem is left for evaluation")
        asked = {problem.prompt.id for problem in held_out}
        self.name, self.check, self._why = name, check, f"data={name}: {no_training}"
        self.leaked = tuple(problem for problem in train if problem.prompt.id in asked)  # left out of training
        self._train = tuple(problem for problem in train if problem.prompt.id not in asked)
        self._eval = tuple(problem.prompt for problem in held_out[:eval_prompts])

    def train_pool(self) -> Sequence[Prompt]:
        return tuple(problem.prompt for problem in self._training())

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Training prompts for ever: each epoch is a new order of all of them."""
        return epochs(self.train_pool(), rng)

    def demonstrations(self) -> Sequence[Demonstration]:
        return tuple(Demonstration(problem.prompt, problem.solution) for problem in self._training())

    def eval_prompts(self) -> Sequence[Prompt]:
        return self._eval

    def judge(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[bool | None]:
        """Whether each answer's program passes its tests; None where the sandbox gave no verdict."""
        outcomes = self.check.outcomes(prompts, [Completion(text, tokens=0) for text in texts])
        return [outcome.value >= 0.5 if outcome.kind == "value" else None for outcome in outcomes]

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return self.judge([prompt], [completion])[0] is True

    def _training(self) -> Sequence[Problem]:
        if not self._train:
            raise UserError(self._why)
        return self._train


def prompt_of(question: str, mode: Mode, source: str, reference: Mapping[str, Any], system: str = "") -> Prompt:
    """A chat of the question and, where given, a system message; or the bare text."""
    same = " ".join(question.split()).casefold()
    spoken = [("system", system)] if system else []
    messages = tuple({"role": role, "content": content} for role, content in [*spoken, ("user", question)])
    chat = mode == "chat"
    return Prompt(
        id=content_id("question", same), text="" if chat else question, messages=messages if chat else (),
        reference=reference, source=source,
    )  # fmt: skip


def block(program: str) -> str:
    """An answer that is a program in a code block."""
    return "```python\n" + program.replace("\r\n", "\n").rstrip() + "\n```"


def mode_of(name: str, mode: str) -> None:
    """Errors: UserError for a mode there is not."""
    if mode not in MODES:
        raise UserError(f"data={name}: mode is {mode!r}{nearest(mode, MODES)}; it must be one of {', '.join(MODES)}")


def template_of(name: str, instruction: str, *fields: str) -> None:
    """Errors: UserError for an instruction without a place for the problem."""
    for field in fields:
        if "{" + field + "}" not in instruction:
            raise UserError(
                f"data={name}: instruction needs {{{field}}} where the problem stands; it is {instruction!r}"
            )


def read_problems(name: str, path: str) -> list[Row]:
    """The rows of a file in the benchmark's own format: JSON Lines, gzipped or not, or one JSON list.

    Errors: UserError for a file that cannot be read, and for the first line of it that is no object.
    """
    try:
        content = expanded(path).read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"data={name}: cannot read {path}: {reason.lower()}") from None
    rows = []
    try:
        if text.lstrip().startswith("["):
            rows = [Row(f"{path}[{i}]", item) for i, item in enumerate(json.loads(text))]
        else:
            for i, line in enumerate(text.split("\n"), 1):
                if line.strip():
                    rows.append(Row(f"{path}:{i}", json.loads(line)))
    except (ValueError, RecursionError) as error:
        raise UserError(f"data={name}: {path} is not JSON after {len(rows)} rows ({str(error)[:80].lower()})") from None
    for row in rows:
        if not isinstance(row.fields, dict):
            raise UserError(f"data={name}: {row.where} is a JSON {type(row.fields).__name__}, not an object")
    if not rows:
        raise UserError(f"data={name}: {path} is empty")
    return rows


def load_problems(name: str, dataset: str, config: str, splits: Sequence[str], cache_dir: Path | None) -> list[Row]:
    """The rows of these splits of a data set on the Hub or in a folder."""
    from crucible.data.hf import load_split

    try:
        return [row for split in splits for row in load_split(dataset, config, split, ["task_id"], cache_dir)]
    except UserError as error:
        text = str(error).removeprefix("data=hf: ")
        raise UserError(f"data={name}: {text}; data.path=FILE reads the benchmark's own file") from None


def text_of(name: str, row: Row, column: str) -> str:
    """A column that holds text. Errors: UserError with the row's place."""
    value = row.fields.get(column)
    if not isinstance(value, str):
        problem = f"has no column {column!r}{names(column, row.fields)}"
        if column in row.fields:
            problem = f"has {str(value)[:40]!r} in column {column!r}, which is not text"
        raise UserError(f"data={name}: {row.where} {problem}")
    return value
