"""Stored completions: chosen, joined by prompt, shown."""

from __future__ import annotations

import html
import json
import re
import unicodedata
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


HOSTILE = "\x1b[2J\x1b]0;owned\x07\x1b[31m5\r\x00\x7f\x9b1m \u202e4=2+2\u202c \u200b\ud800 \u2028"


def test_an_answer_cannot_act_on_the_terminal_or_the_page(run):
    sample = row(HOSTILE, HOSTILE, 1.0, True) | {"components": {HOSTILE: 1.0}}
    write_samples(run, 60, [sample])
    write_samples(run, 70, [sample | {"prompt": f"other {HOSTILE}", "prompt_id": "other"}])
    reading, apart = read(sources([run], [60])), read(sources([run], [60, 70]))
    own = {"\n", "\x1b"}  # of the table itself, which is coloured in a terminal
    for shown in (as_text(reading, width=200), as_text(apart, width=200), as_html(reading), as_html(apart)):
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n"]
        assert "␛[2J␛]0;owned␇␛[31m5␍" in shown.replace("\n", "")
        assert "<U+202E>" in html.unescape(shown)
        shown.encode()
    coloured = as_text(reading, width=200, colour=True)
    assert {c for c in coloured if unicodedata.category(c) == "Cc"} == own
    assert set(re.findall("\x1b.[^m]*m?", coloured)) <= set(re.findall("\x1b\\[[0-9;]*m", coloured))  # colours alone
    line = as_jsonl(reading)
    assert [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")] == ["\n"]
    assert json.loads(line)["completion"] == reading.groups[0].cells[0][0].completion


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"completion": "x"}', "sample 1 cannot be read: it has no 'prompt'"),
        ('{"prompt": "p", "completion": "x", "reward": "much"}', "sample 1 cannot be read: could not convert"),
        ('{"prompt": "p", "completion": "x", "components": [1]}', "not written as a run writes them"),
        ('{"prompt": [1], "completion": "x"}', "not written as a run writes them"),
        ('{"prompt": "p", "compl', "no sample that can be read"),
        ("[1]", "no sample that can be read"),
        ("", "no sample that can be read"),
    ],
)
def test_damaged_samples_are_named(run, line, why):
    (run / "samples" / "step-000080.jsonl").write_text(f"{line}\n")
    with pytest.raises(UserError, match=why) as caught:
        read(sources([run], [80]))
    assert "step-000080.jsonl" in str(caught.value)


def test_refusals(run, tmp_path):
    with pytest.raises(UserError, match="nearest step is 20"):
        read(sources([run], [19]))
    with pytest.raises(UserError, match=r'did you mean "a"'):
        sources([run.parent / "aa"], [])
    (run.parent / "file").write_text("")
    with pytest.raises(UserError, match=r"file: it is a file$"):
        sources([run.parent / "file"], [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no samples"):
        sources([tmp_path / "empty"], [])
