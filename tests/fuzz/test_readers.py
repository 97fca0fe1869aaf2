"""Data files of any bytes: prompts, or one line that says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from crucible.data.cells import Row
from crucible.data.jsonl import Jsonl, read_lines
from crucible.data.rows import Columns, read_rows
from tests.fuzz.limits import fuzzed, told
from tests.fuzz.texts import completions, damaged_lines, json_values

messages = st.lists(st.fixed_dictionaries({"role": json_values, "content": json_values}), max_size=3)
rows = st.dictionaries(
    st.sampled_from(["prompt", "answer", "id", "x", "a.b"]), json_values | completions | messages, max_size=4
)


@fuzzed()
@given(content=st.binary(max_size=400) | damaged_lines(rows))
def test_any_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(content)
    tasks: list[Jsonl] = []
    if refusal := told(lambda: tasks.append(Jsonl(path=str(path), on_bad_row="skip", report=lambda line: None))):
        assert "\n" not in refusal
        return
    task = tasks[0]
    prompts = [*task.train_pool(), *task.eval_prompts()]
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    for prompt in prompts:
        assert prompt.text.encode()  # half a character would stop a tokenizer
        assert isinstance(task.correct(prompt, "the answer is 3"), bool)


@fuzzed()
@example(fields={"prompt": "", "x": {"\n": None}}, chat=False, wanted="x.prompt")
@given(fields=rows, chat=st.booleans(), wanted=st.sampled_from(["prompt", "a.b", "x.prompt", "nothing"]))
def test_any_row(fields: dict[str, Any], chat: bool, wanted: str) -> None:
    columns = Columns(prompt=wanted, id="id", chat=chat, system="s", reference={"tests": "x"})
    items, rejected = read_rows([Row("f:1", fields)], columns, "f")
    assert len(items) + len(rejected) == 1
    for item in items.values():
        assert all(isinstance(m["content"], str) and m["content"].encode() for m in item.prompt.messages)
    assert all("\n" not in str(reason) for reason in rejected)


@fuzzed()
@given(content=st.binary(max_size=300) | damaged_lines(rows))
def test_a_line_is_a_row_or_has_its_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(content)
    found: list[Row] = []
    told(lambda: found.extend(read_lines(str(path))))
    assert all(row.where.startswith(str(path)) for row in found)
    assert all(row.problem or json.dumps(row.fields) for row in found)
