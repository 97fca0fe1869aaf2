"""A user's own file: what is read, what is refused, and that nothing is dropped in silence."""

from __future__ import annotations

import json
import random
from itertools import islice

import pytest
from tests.rewards.cases import completions, scored

from crucible.data.chain import Chain
from crucible.data.fit import refuse_misfit
from crucible.data.jsonl import Jsonl
from crucible.data.truth import judged, truth_metrics
from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.exact import Exact
from crucible.types import Task


def write(path, rows):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def questions(n, start=0):
    return [{"prompt": f"What is {i}+{i}?", "answer": str(2 * i)} for i in range(start, start + n)]


@pytest.fixture
def good(tmp_path):
    return write(tmp_path / "q.jsonl", questions(200))


def test_every_row_is_on_one_side(good):
    task = Jsonl(path=good)
    assert isinstance(task, Task)
    train, held_out = task.train_pool(), task.eval_prompts()
    assert len(train) + len(held_out) == 200
    assert not {p.id for p in train} & {p.id for p in held_out}
    assert 5 <= len(held_out) <= 40
    assert {p.text for p in train} | {p.text for p in held_out} == {r["prompt"] for r in questions(200)}


def test_the_split_does_not_depend_on_the_order_or_on_other_rows(good, tmp_path):
    rows = questions(300)
    random.Random(0).shuffle(rows)
    more = Jsonl(path=write(tmp_path / "more.jsonl", rows))
    held = {p.id for p in Jsonl(path=good).eval_prompts()}
    assert held <= {p.id for p in more.eval_prompts()}
    assert not held & {p.id for p in more.train_pool()}


def test_train_prompts_go_through_epochs(good):
    task = Jsonl(path=good)
    n = len(task.train_pool())
    drawn = list(islice(task.train_prompts(random.Random(1)), 2 * n))
    assert {p.id for p in drawn[:n]} == {p.id for p in drawn[n:]} == {p.id for p in task.train_pool()}
    assert drawn[:n] != drawn[n:]
    assert drawn == list(islice(task.train_prompts(random.Random(1)), 2 * n))


def test_correct(good):
    task = Jsonl(path=good)
    prompt = next(p for p in task.train_pool() if p.text == "What is 7+7?")
    assert task.correct(prompt, "7+7=14")
    assert task.correct(prompt, "The answer is 14.")
    assert not task.correct(prompt, "The answer is 15.")
    assert not task.correct(prompt, "")


def test_limited_evaluation_set_is_stable(good):
    few = [p.id for p in Jsonl(path=good, eval_prompts=3).eval_prompts()]
    assert len(few) == 3
    assert few == [p.id for p in Jsonl(path=good).eval_prompts()][:3]


def test_chat_instruction_system_and_principle(tmp_path):
    rows = [dict(row, principle="it is short") for row in questions(50)]
    path = write(tmp_path / "q.jsonl", rows)
    plain = Jsonl(path=path, instruction=" Answer with a number.", principle_column="principle")
    assert plain.train_pool()[0].text.endswith("? Answer with a number.")
    assert plain.train_pool()[0].messages == ()
    assert plain.train_pool()[0].reference["principle"] == "it is short"
    chat = Jsonl(path=path, instruction=" Answer with a number.", system="Be brief.", chat=True)
    first = chat.train_pool()[0]
    assert first.text == ""
    assert [m["role"] for m in first.messages] == ["system", "user"]
    assert first.messages[1]["content"].endswith("? Answer with a number.")
    assert first.id == plain.train_pool()[0].id  # the question is the same, however it is put


def test_messages_as_prompt(tmp_path):
    def talk(i):
        return [
            {"role": "user", "content": f"Remember {i}."},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "What was it?"},
        ]

    path = write(tmp_path / "q.jsonl", [{"prompt": talk(i), "answer": i} for i in range(50)])
    task = Jsonl(path=path, instruction=" One number.")
    prompt = task.train_pool()[0]
    assert [m["role"] for m in prompt.messages] == ["user", "assistant", "user"]
    assert prompt.messages[-1]["content"] == "What was it? One number."
    assert task.correct(prompt, prompt.reference["answer"])


def test_worked_solutions_become_final_answers(tmp_path):
    rows = [{"prompt": f"q{i}", "answer": f"It is <<{i}>>{i}.\n#### {i}"} for i in range(50)]
    prompt = Jsonl(path=write(tmp_path / "q.jsonl", rows)).train_pool()[0]
    assert prompt.reference["solution"].endswith(f"#### {prompt.reference['answer']}")
    assert f"q{prompt.reference['answer']}" == prompt.text


BAD = [
    (b'{"prompt": "x", "answer": ', "is not JSON"),
    (b"[1, 2]", "is a JSON list, not an object"),
    (b'"text"', "is a JSON str, not an object"),
    (b'{"prompt": "caf\xe9", "answer": "1"}', "is not UTF-8 (byte 0xe9 at column 16)"),
    ({"promt": "x", "answer": "1"}, 'has no column "prompt" (prompt) (did you mean "promt"?)'),
    ({"prompt": "x"}, 'has no column "answer"'),
    ({"prompt": "x", "answer": None}, 'has null in column "answer"'),
    ({"prompt": None, "answer": "1"}, 'has null in column "prompt"'),
    ({"prompt": " \n", "answer": "1"}, 'has nothing in column "prompt"'),
    ({"prompt": "x", "answer": ""}, 'has nothing in column "answer"'),
    ({"prompt": "x", "answer": "so ####"}, "has no final answer"),
    ({"prompt": "x", "answer": True}, "neither text nor a number"),
    ({"prompt": "x", "answer": ["1"]}, "neither text nor a number"),
    (b'{"prompt": "x", "answer": NaN}', "neither text nor a number"),
    ({"prompt": 5, "answer": "1"}, "neither text nor a list of messages"),
    ({"prompt": [], "answer": "1"}, "neither text nor a list of messages"),
    ({"prompt": [{"role": "user"}], "answer": "1"}, "neither text nor a list of messages"),
    ({"prompt": [{"role": "assistant", "content": "x"}], "answer": "1"}, "does not end with the user"),
    (b'{"prompt": "\\ud800", "answer": "1"}', "lone surrogate"),
    (b'{"prompt": "x", "answer": ' + b"9" * 5000 + b"}", "is not readable JSON"),
    (b"[" * 100_000, "JSON"),
    ({"prompt": "what is  3+3? ", "answer": "6"}, "asks the same as"),
]


@pytest.mark.parametrize(("row", "reason"), BAD, ids=range(len(BAD)))
def test_an_unusable_row_is_named_with_file_line_and_reason(tmp_path, row, reason):
    path = write(tmp_path / "q.jsonl", [*questions(100), row, *questions(20, start=100)])
    with pytest.raises(UserError) as caught:
        Jsonl(path=path)
    message = str(caught.value)
    assert "1 of 121 rows cannot be used" in message
    assert f"{path}:101 " in message
    assert reason in message
    assert "\n" not in message
    told: list[str] = []
    task = Jsonl(path=path, on_bad_row="skip", report=told.append)
    assert [r.where for r in task.rejected] == [f"{path}:101"]
    assert reason in task.rejected[0].reason
    assert len(task.train_pool()) + len(task.eval_prompts()) == 120
    assert any(f"{path}:101" in line for line in told)


def test_many_unusable_rows_are_counted_and_all_reported_on_skip(tmp_path, capsys):
    path = write(tmp_path / "q.jsonl", [*questions(80), *[{"prompt": "x"}] * 9])
    with pytest.raises(UserError, match="9 of 89 rows") as caught:
        Jsonl(path=path)
    assert str(caught.value).count("has no column") == 1  # a reason is said once
    assert "q.jsonl:81 has no column" in str(caught.value)
    assert "(and 8 more rows)" in str(caught.value)
    assert "on_bad_row=skip" in str(caught.value)
    Jsonl(path=path, on_bad_row="skip")
    assert capsys.readouterr().err.count("has no column") == 9


def test_duplicate_ids(tmp_path):
    rows = [dict(row, name=f"n{i % 50}") for i, row in enumerate(questions(51))]
    path = write(tmp_path / "q.jsonl", rows)
    Jsonl(path=path)
    with pytest.raises(UserError, match=r"has the id 'n0' of .*q.jsonl:1"):
        Jsonl(path=path, id_column="name")


def test_evaluation_file_and_leaks(tmp_path):
    train = write(tmp_path / "train.jsonl", questions(50))
    test = write(tmp_path / "test.jsonl", questions(10, start=100))
    task = Jsonl(path=train, eval_path=test)
    assert len(task.train_pool()) == 50
    assert len(task.eval_prompts()) == 10
    leaky = write(tmp_path / "leaky.jsonl", questions(10, start=45))
    with pytest.raises(UserError, match=r"asks the same as the evaluation row .*leaky.jsonl:1"):
        Jsonl(path=train, eval_path=leaky)
    told: list[str] = []
    kept = Jsonl(path=train, eval_path=leaky, on_bad_row="skip", report=told.append)
    assert len(kept.train_pool()) == 45
    assert len(kept.rejected) == 5


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "is empty"), (b"\n \n", "is empty"), (b"\xef\xbb\xbf", "is empty")],
)
def test_empty_files(tmp_path, content, word):
    (tmp_path / "q.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=word):
        Jsonl(path=str(tmp_path / "q.jsonl"))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*gone.jsonl: no such file"):
        Jsonl(path=str(tmp_path / "gone.jsonl"))
    with pytest.raises(UserError, match="cannot read"):
        Jsonl(path=str(tmp_path))


def test_a_side_without_rows_is_refused(tmp_path):
    path = write(tmp_path / "q.jsonl", questions(1))
    with pytest.raises(UserError, match="no usable row is left for"):
        Jsonl(path=path)


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    content = b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(row).encode() for row in questions(60)) + b"\r\n\r\n"
    (tmp_path / "q.jsonl").write_bytes(content)
    task = Jsonl(path=str(tmp_path / "q.jsonl"))
    assert len(task.train_pool()) + len(task.eval_prompts()) == 60


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"on_bad_row": "ignore"}, "on_bad_row"),
        ({"eval_share": 2}, "eval_share"),
        ({"eval_prompts": 0}, "eval_prompts"),
    ],
)
def test_bad_options(good, options, word):
    with pytest.raises(UserError, match=word):
        Jsonl(path=good, **options)


def test_columns_that_rewards_read_are_kept_as_they_are(tmp_path):
    rows = [row | {"extra": {"tests": [i, "x"]}} for i, row in enumerate(questions(40))]
    task = Jsonl(path=write(tmp_path / "q.jsonl", rows), reference={"tests": "extra.tests"})
    assert {tuple(p.reference["tests"]) for p in task.train_pool()} <= {(i, "x") for i in range(40)}
    with pytest.raises(UserError, match=r'has no column "test_list" \(reference tests\)'):
        Jsonl(path=write(tmp_path / "p.jsonl", questions(40)), reference={"tests": "test_list"})


@per_sample()
def says_yes(prompt, completion):
    return {"yes": 1.0, "half": 0.5, "no": 0.0}.get(completion.text)  # anything else: no verdict


def test_a_check_decides_what_is_right_and_may_have_no_verdict(tmp_path):
    rows = [{"prompt": f"say yes {i}"} for i in range(40)]
    task = Jsonl(path=write(tmp_path / "q.jsonl", rows), answer_column=None, check=says_yes())
    prompt = task.train_pool()[0]
    texts = ["yes", "half", "no", "what"]
    verdicts = judged(task, [prompt] * 4, texts)
    assert verdicts == [True, True, False, None]
    assert [task.correct(prompt, text) for text in texts] == [True, True, False, False]
    assert truth_metrics(verdicts) == {"true/success": pytest.approx(2 / 3), "true/unknown": 0.25}
    scores = scored(Exact(task=task, right=1.0, wrong=-1.0), [prompt] * 4, completions(*texts))
    assert scores.valid.tolist() == [True, True, True, False]
    assert scores.total.tolist() == [1.0, 1.0, -1.0, 0.0]


def test_without_answers_a_check_is_asked_for(good):
    with pytest.raises(UserError, match=r"nothing says what is right; set data/check"):
        Jsonl(path=good, answer_column=None)


class Reads:
    name, parts = "mine", {}

    def __init__(self, *needs):
        self.needs = needs


def test_a_reward_that_reads_what_the_data_lacks_is_refused_naming_both(good, tmp_path):
    task = Jsonl(path=good)
    refuse_misfit(task, Reads("answer", "solution"))
    with pytest.raises(
        UserError, match=r"reward mine reads reference answers .* has answer, solution .*mean \"answer\""
    ):
        refuse_misfit(task, Reads("answers"))
    path = write(tmp_path / "e.jsonl", [row | {"t": []} for row in questions(40)])
    empty = Jsonl(path=path, reference={"tests": "t"})
    with pytest.raises(UserError, match=r"reward mine reads reference tests .* in data=jsonl is empty"):
        refuse_misfit(empty, Reads("tests"))
    combined = Reads("tests")
    combined.parts = {"inner": Reads("tests")}
    with pytest.raises(UserError, match="reward inner reads reference tests"):
        refuse_misfit(task, combined)
    refuse_misfit(Chain(), Reads())
    with pytest.raises(UserError, match=r"data=chain has .*prompt"):
        refuse_misfit(Chain(), Reads("tests"))
