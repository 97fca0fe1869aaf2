"""`data=jsonl`: a user's own file, one JSON object on each line: a prompt, an answer, answers to learn from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Unpack

from crucible.data.cells import Row
from crucible.data.questions import QuestionOptions, Questions
from crucible.errors import UserError, expanded


class Jsonl(Questions):
    """The rows of the file `path`; those of `eval_path`, or the share `eval_share` by hash, are held out.

    The other options are those of `Questions`: answer_column, eval_prompt_column, eval_answer_column,
    completion_column, chosen_column, rejected_column, label_column, weight_column, margin_column, score_column,
    id_column, principle_column, reference, check, instruction, system, chat, eval_share, eval_prompts, on_bad_row.

    Errors: UserError for a file that is missing, empty or unreadable, and for unusable rows.
    """

    def __init__(
        self,
        *,
        path: str,
        report: Callable[[str], None] | None = None,
        eval_path: str | None = None,
        prompt_column: str | None = "prompt",
        **options: Unpack[QuestionOptions],
    ) -> None:
        super().__init__(
            name="jsonl",
            rows=read_lines(path),
            held_out=None if eval_path is None else read_lines(eval_path),
            report=report,
            prompt_column=prompt_column,
            **options,
        )


def read_lines(path: str) -> Iterator[Row]:
    """The rows of a JSON Lines file in UTF-8 (with or without a byte order mark). Blank lines are no rows."""
    if not path.strip():
        raise UserError("data=jsonl: the path is empty; name a file with data.path=...")
    try:
        content = expanded(path).read_bytes()
    except OSError as error:
        raise UserError(f"data=jsonl: cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"data=jsonl: {path} is UTF-16; save it as UTF-8")
    if content.lstrip().startswith(b"[") and content.rstrip().endswith(b"]"):
        raise UserError(f"data=jsonl: {path} is one JSON list; write one object on each line")
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not any(line.strip() for line in lines):
        raise UserError(f"data=jsonl: {path} is empty; it should hold one JSON object on each line")
    return (_row(f"{path}:{i}", line) for i, line in enumerate(lines, start=1) if line.strip())


def _row(where: str, line: bytes) -> Row:
    try:
        fields = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        return Row(where, problem=f"is not UTF-8 (byte 0x{byte:02x} at column {error.start + 1})")
    except json.JSONDecodeError as error:
        return Row(where, problem=f"is not JSON ({error.msg.lower()} at column {error.colno})")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; nesting without end
        return Row(where, problem=f"is not readable JSON ({str(error)[:80]})")
    if not isinstance(fields, dict):
        return Row(where, problem=f"is a JSON {type(fields).__name__}, not an object")
    return Row(where, fields)
