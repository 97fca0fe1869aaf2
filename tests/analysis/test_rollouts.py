"""Stored completions: chosen, joined by prompt, shown."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from crucible.analysis.rollouts import as_jsonl, read, sources
from crucible.analysis.rollouts_show import as_html, as_text, distinct
from crucible.errors import UserError
from crucible.rundir.samples import write_samples


def row(prompt: str, completion: str, reward: float, success: bool, finish: str = "stop") -> dict:
    return {
        "prompt_id": f"id-{prompt}", "prompt": prompt, "completion": completion, "finish_reason": finish,
        "reward": reward, "components": {"answer": reward, "length": -0.1}, "success": success,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "exp" / "a"
    path.mkdir(parents=True)
    rows = [row("1+1=", "2", 1.0, True), row("1+1=", "3", 0.0, False), row("2+2=", "<b>5</b>", 0.5, False, "length")]
    write_samples(path, 10, rows)
    write_samples(path, 20, [row("1+1=", "2", 1.0, True), row("9+9=", "18", 1.0, True)])
    return path


def completions(reading):
    return [[x.completion for cell in g.cells for x in cell] for g in reading.groups]


def test_the_last_step_by_default(run):
    assert [s.step for s in sources([run], [])] == [20]
    assert completions(read(sources([run], [10]))) == [["2", "3"], ["<b>5</b>"]]


def test_filters(run):
    ten = sources([run], [10])
    assert completions(read(ten, correct=True)) == [["2"]]
    assert completions(read(ten, correct=False, lacks="<b>")) == [["3"]]
    assert completions(read(ten, contains="2+2")) == [["<b>5</b>"]]
    assert completions(read(ten, finish_reason="length")) == [["<b>5</b>"]]
    assert completions(read(ten, limit=1)) == [["2", "3"]]
    found = read(ten, correct=True)
    assert (found.kept, found.stored) == (1, 3)


def test_sorting_samples_and_prompts(run):
    ten = sources([run], [10])
    assert completions(read(ten, sort="reward")) == [["3", "2"], ["<b>5</b>"]]
    assert completions(read(ten, sort="-length")) == [["<b>5</b>"], ["2", "3"]]
    with pytest.raises(UserError, match=r'did you mean "answer"'):
        read(ten, sort="anwser")


def test_columns_are_joined_by_prompt(run):
    both = read(sources([run], [10, 20]))
    assert both.aligned
    joined = {g.prompts: tuple(len(c) for c in g.cells) for g in both.groups}
    assert joined == {("1+1=", "1+1="): (2, 1), ("2+2=", ""): (1, 0), ("", "9+9="): (0, 1)}


def test_columns_without_common_prompts_stand_side_by_side(run):
    write_samples(run, 30, [row("7+1=", "8", 1.0, True)])
    both = read(sources([run], [10, 30]))
    assert not both.aligned
    assert both.groups[0].prompts == ("1+1=", "7+1=")
    assert "no prompt in common" in as_text(both, width=120)


def test_text_says_the_rewards_and_counts_repeats(run):
    write_samples(run, 40, [row("1+1=", "2", 1.0, True)] * 3)
    reading = read(sources([run], [40]))
    assert [n for _, n in distinct(reading.groups[0].cells[0])] == [3]
    text = as_text(reading, width=100)
    assert re.search(r"right  reward \+1.000  answer \+1.000  length -0.100  \(3 times\)", text)
    assert "3 of 3 samples shown" in text


def test_html_is_escaped_and_alone(run):
    page = as_html(read(sources([run], [10])))
    assert "&lt;b&gt;5&lt;/b&gt;" in page
    assert "<b>5</b>" not in page
    assert not re.search(r"(src|href)=", page)
    opened: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "link", "br"):
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Balance().feed(page)
    assert opened == []


def test_jsonl_has_everything(run):
    lines = [json.loads(line) for line in as_jsonl(read(sources([run], [10]))).splitlines()]
    assert [line["completion"] for line in lines] == ["2", "3", "<b>5</b>"]
    assert {line["step"] for line in lines} == {10}
    assert lines[2]["finish_reason"] == "length"
    assert lines[0]["components"] == {"answer": 1.0, "length": -0.1}


def test_chat_prompts_become_text(run):
    chat = row("x", "y", 1.0, True) | {"prompt": [{"role": "user", "content": "hello"}]}
    write_samples(run, 50, [chat])
    assert read(sources([run], [50])).groups[0].prompts == ("[user] hello",)


def test_refusals(run, tmp_path):
    with pytest.raises(UserError, match="nearest step is 20"):
        read(sources([run], [19]))
    with pytest.raises(UserError, match=r'did you mean "a"'):
        sources([run.parent / "aa"], [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no samples"):
        sources([tmp_path / "empty"], [])
