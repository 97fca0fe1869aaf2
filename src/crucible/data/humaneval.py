"""`data=humaneval`: the 164 Python functions of HumanEval (Chen et al. 2021, arXiv 2107.03374) with unit tests."""

from __future__ import annotations

import ast
from pathlib import Path

from crucible.data import code_problems, mbpp
from crucible.data.cells import Row
from crucible.data.code_problems import CodeProblems, Mode, Problem
from crucible.errors import UserError, expanded
from crucible.rewards.base import PerSample

NAME = "humaneval"
# section 2.1 of the paper: a completion ends before any of these
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
INSTRUCTION = (
    "Complete the Python function below. Answer with the whole function, and what it needs, in one code block.\n\n"
    "```python\n{prompt}\n```"
)


class HumanEval(CodeProblems):
    """All problems are for evaluation. `train_on` names problems of MBPP to train on, a file or a data set by name.

    `path` is the benchmark's file (HumanEval.jsonl or .jsonl.gz); None reads `dataset` by name. mode:
    completion: the text of the prompt, as in the paper; the program is prompt and completion, which is cut off before
    the first of the paper's stop words. chat, instruction: `instruction` about {prompt} as a message or as text; the
    program is the last code block of the answer, behind the imports and helpers of the prompt, which may be left out of
    it (the instruction and this leniency are ours: the paper has no chat form).
    Tests are run in the sandbox: what the prompt defines beside the function belongs to them.

    Errors: UserError for files and rows that are not HumanEval's.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        dataset: str = "openai/openai_humaneval",
        mode: Mode = "chat",
        instruction: str = INSTRUCTION,
        system: str = "",
        train_on: str | None = None,
        eval_prompts: int | None = None,
        check: PerSample | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        code_problems.mode_of(NAME, mode)
        code_problems.template_of(NAME, instruction, "prompt")
        rows = (
            code_problems.load_problems(NAME, dataset, "openai_humaneval", ["test"], cache_dir)
            if path is None
            else code_problems.read_problems(NAME, path)
        )
        train: list[Problem] = []
        if train_on is not None:
            file = train_on if expanded(train_on).is_file() or train_on.endswith((".json", ".jsonl", ".gz")) else None
            found = mbpp.problems(
                NAME, splits=("train",), path=file, dataset=train_on, mode=mode, system=system, cache_dir=cache_dir
            )
            train = found["train"]
        super().__init__(
            name=NAME,
            train=train,
            held_out=[problem(row, mode, instruction, system) for row in rows],
            check=check,
            eval_prompts=eval_prompts,
            no_training="HumanEval has no problems to train on; name those of MBPP with data.train_on=FILE or "
            "data.train_on=google-research-datasets/mbpp",
        )


def problem(row: Row, mode: Mode, instruction: str = INSTRUCTION, system: str = "") -> Problem:
    from crucible.sandbox.formats import humaneval

    prompt, entry, solution, _ = (
        code_problems.text_of(NAME, row, column) for column in ("prompt", "entry_point", "canonical_solution", "test")
    )
    try:
        suite, before = humaneval(row.fields), preamble(prompt, entry)
    except (SyntaxError, ValueError) as error:
        raise UserError(f"data={NAME}: the prompt of {row.where} is not Python: {error}") from None
    completes = mode == "completion"
    how = (
        {"mode": "completion", "prefix": prompt, "stops": list(STOPS)}
        if completes
        else {"mode": "block", "prefix": before}
    )
    reference = {
        "tests": suite.code, "entry_point": suite.entry_point, "support": suite.support, "program": how,
        "solution": prompt + solution, "task_id": str(row.fields.get("task_id", "")),
    }  # fmt: skip
    question = prompt if completes else instruction.replace("{prompt}", prompt.strip("\n"))
    asked = code_problems.prompt_of(question, mode, NAME, reference, system)
    return Problem(asked, solution if completes else code_problems.block(prompt.strip("\n") + "\n" + solution))


def preamble(prompt: str, entry_point: str) -> str:
    """The lines before the function that is asked for: imports and helpers. Errors: ValueError where it is missing."""
    for node in ast.parse(prompt).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry_point:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "".join(line + "\n" for line in prompt.split("\n")[: first - 1])
    raise ValueError(f"it does not define {entry_point}")
