"""`data=mbpp`: the 974 short Python tasks of MBPP (Austin et al. 2021, arXiv 2108.07732) with three asserts each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from crucible.data import code_problems
from crucible.data.cells import Row
from crucible.data.code_problems import CodeProblems, Mode, Problem
from crucible.errors import UserError, nearest
from crucible.rewards.base import PerSample

NAME = "mbpp"
# by task id, as the README beside the data has it; the hand-verified ("sanitized") subset inherits them
SPLITS = {"prompt": range(1, 11), "test": range(11, 511), "validation": range(511, 601), "train": range(601, 975)}
FEW_SHOT = [2, 3, 4]  # the paper's three examples
# the paper's prompt; its examples go on with [BEGIN], the program and [DONE]
QUESTION = (
    "You are an expert Python programmer, and here is your task: {prompt} Your code should pass these tests:\n\n{tests}"
)
BEGIN, DONE = "\n[BEGIN]\n", "\n[DONE]"
INSTRUCTION = QUESTION + "\n\nAnswer with the program in one code block."


class MBPP(CodeProblems):
    """Trains on `train_split`, evaluates on `eval_split`: prompt, test, validation or train, told apart by task id.

    `path` is a file of the repository (mbpp.jsonl, or sanitized-mbpp.json with its 427 hand-verified tasks); None reads
    `version` (full, sanitized) of `dataset` by name. mode:
    completion: the paper's few-shot prompt: the solved tasks `few_shot`, then the task, each in the paper's words and
    between [BEGIN] and [DONE]; the program is the answer up to [DONE]. [] is zero-shot. Between two of them stands an
    empty line (how the paper joined them: not found).
    chat, instruction: `instruction` about {prompt} and {tests} as a message or as text; the program is the last code
    block (the paper has no chat form: the instruction is ours, around the paper's sentence).
    All asserts of a task are shown in its prompt, as in the paper: they are no hidden tests.

    Errors: UserError for files and rows that are not MBPP's, and few-shot tasks that are not among them.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        dataset: str = "google-research-datasets/mbpp",
        version: Literal["full", "sanitized"] = "full",
        mode: Mode = "chat",
        few_shot: Sequence[int] = FEW_SHOT,
        instruction: str = INSTRUCTION,
        system: str = "",
        train_split: str = "train",
        eval_split: str = "test",
        eval_prompts: int | None = None,
        check: PerSample | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        for option, split in (("train_split", train_split), ("eval_split", eval_split)):
            if split not in SPLITS:
                raise UserError(
                    f"data={NAME}: {option} is {split!r}{nearest(split, SPLITS)}; it must be one of {', '.join(SPLITS)}"
                )
        if train_split == eval_split:
            raise UserError(f"data={NAME}: train_split and eval_split are both {eval_split}: nothing would be held out")
        found = problems(
            NAME, splits=(train_split, eval_split), path=path, dataset=dataset, version=version, mode=mode,
            few_shot=few_shot, instruction=instruction, system=system, cache_dir=cache_dir,
        )  # fmt: skip
        super().__init__(
            name=NAME,
            train=found[train_split],
            held_out=found[eval_split],
            check=check,
            eval_prompts=eval_prompts,
            no_training=f"the split {train_split} has no task in these rows; choose another with data.train_split",
        )


def problems(
    name: str,
    *,
    splits: Sequence[str],
    path: str | None = None,
    dataset: str = "google-research-datasets/mbpp",
    version: str = "full",
    mode: Mode = "chat",
    few_shot: Sequence[int] = FEW_SHOT,
    instruction: str = INSTRUCTION,
    system: str = "",
    cache_dir: Path | None = None,
) -> dict[str, list[Problem]]:
    """The problems of each of `splits`. `name` is the data set that asks, for messages."""
    code_problems.mode_of(name, mode)
    code_problems.template_of(name, instruction, "prompt", "tests")
    if version not in ("full", "sanitized"):
        raise UserError(f"data={name}: version is {version!r}; it must be full or sanitized")
    shown = mode == "completion" and len(few_shot) > 0
    rows = (
        code_problems.load_problems(name, dataset, version, [*splits, *(["prompt"] if shown else [])], cache_dir)
        if path is None
        else code_problems.read_problems(name, path)
    )
    tasks = {_id(name, row): row for row in rows}
    examples = "".join(_solved(name, _example(name, tasks, i)) + "\n\n" for i in few_shot) if shown else ""
    return {
        split: [
            _problem(name, row, mode, examples, instruction, system)
            for number, row in tasks.items()
            if number in SPLITS[split]
        ]
        for split in splits
    }


def _problem(name: str, row: Row, mode: Mode, examples: str, instruction: str, system: str) -> Problem:
    from crucible.sandbox.formats import mbpp

    solution = _code(name, row)
    completes = mode == "completion"
    question = examples + _filled(name, row, QUESTION) + BEGIN if completes else _filled(name, row, instruction)
    how = {"mode": "completion", "prefix": "", "stops": [DONE]} if completes else {"mode": "block", "prefix": ""}
    reference = {
        "tests": mbpp(row.fields).code, "program": how, "solution": solution, "task_id": str(row.fields["task_id"]),
    }  # fmt: skip
    asked = code_problems.prompt_of(question, mode, NAME, reference, system)
    return Problem(asked, solution + DONE if completes else code_problems.block(solution))


def _solved(name: str, row: Row) -> str:
    return _filled(name, row, QUESTION) + BEGIN + _code(name, row) + DONE


def _filled(name: str, row: Row, template: str) -> str:
    text = code_problems.text_of(name, row, "text" if "text" in row.fields else "prompt")  # full, sanitized
    tests = row.fields.get("test_list")
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise UserError(f"data={name}: {row.where} has no asserts in column 'test_list'")
    if not isinstance(row.fields.get("test_setup_code", row.fields.get("test_imports")), str | list):
        raise UserError(f"data={name}: {row.where} has neither test_setup_code nor test_imports: it is not MBPP's")
    parts = {"{tests}": "\n".join(tests), "{prompt}": text}
    return re.sub(r"\{(tests|prompt)\}", lambda match: parts[match[0]], template)


def _code(name: str, row: Row) -> str:
    return code_problems.text_of(name, row, "code").replace("\r\n", "\n")


def _id(name: str, row: Row) -> int:
    number = row.fields.get("task_id")
    if not isinstance(number, int):
        raise UserError(f"data={name}: {row.where} has no number in column 'task_id': it is not MBPP's")
    return number


def _example(name: str, tasks: Mapping[int, Row], number: int) -> Row:
    if number not in tasks:
        there = ", ".join(str(i) for i in sorted(tasks) if i in SPLITS["prompt"]) or "none"
        raise UserError(
            f"data={name}: the few-shot example {number} is not among the tasks read (of 1 to 10 there are: {there}); "
            "name others with data.few_shot=[...]"
        )
    return tasks[number]
