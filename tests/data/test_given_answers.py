"""Answers to learn from in a user's file: TRL's formats, which rows are refused and why, what is held out."""

from __future__ import annotations

import json

import pytest

from crucible.data.jsonl import Jsonl
from crucible.errors import UserError
from crucible.types import Demonstrated, Judged, Preferred


def said(*turns: str) -> list[dict[str, str]]:
    """A chat of "user: text" and "assistant: text"."""
    pairs = (turn.split(": ", 1) for turn in turns)
    return [{"role": role, "content": content} for role, content in pairs]


@pytest.fixture
def read(tmp_path):
    def make(rows, **options):
        path = tmp_path / "q.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = {"answer_column": None, "report": lambda line: None, "eval_share": 0.2, **options}
        return Jsonl(path=str(path), **options)

    return make


def everything(task, kind):
    return [*getattr(task, kind)(), *getattr(task, f"held_out_{kind}")()]


def test_prompt_and_completion_as_text_and_as_messages(read):
    for make in (lambda text: text, lambda text: said(f"assistant: {text}")):
        rows = [{"prompt": f"say {i}", "completion": make(f" {i}!"), "w": i / 10} for i in range(30)]
        task = read(rows, completion_column="completion", weight_column="w")
        found = everything(task, "demonstrations")
        assert isinstance(task, Demonstrated)
        assert {(d.prompt.text, d.completion, d.weight) for d in found} == {
            (f"say {i}", f" {i}!", i / 10) for i in range(30)
        }
        assert task.preferences() == task.labelled() == ()


def test_pairs_may_have_a_margin_and_completions_a_score(read):
    rows = [{"prompt": f"say {i}", "chosen": f"{i}", "rejected": "no", "strength": i % 4} for i in range(30)]
    columns = {"chosen_column": "chosen", "rejected_column": "rejected"}
    with_margin = everything(read(rows, **columns, margin_column="strength"), "preferences")
    assert {(p.prompt.text, p.margin) for p in with_margin} == {(f"say {i}", float(i % 4)) for i in range(30)}
    assert {p.margin for p in everything(read(rows, **columns), "preferences")} == {None}
    rated = [{"prompt": f"say {i}", "completion": f"{i}", "stars": i / 2 - 3} for i in range(30)]
    task = read(rated, completion_column="completion", score_column="stars")
    assert {(s.completion, s.score) for s in everything(task, "scored")} == {(f"{i}", i / 2 - 3) for i in range(30)}
    assert read(rated, completion_column="completion").scored() == ()


def test_the_last_message_of_a_conversation_is_the_completion(read):
    rows = [{"messages": said("system: be brief", f"user: {i}?", "assistant: a", "user: so?", f"assistant: {i}")}
            for i in range(30)]  # fmt: skip
    task = read(rows, prompt_column="messages", completion_column="messages")
    found = everything(task, "demonstrations")
    assert {d.completion for d in found} == {str(i) for i in range(30)}
    assert [m["role"] for m in found[0].prompt.messages] == ["system", "user", "assistant", "user"]


def test_a_question_may_have_several_answers_that_stay_on_one_side(read):
    rows = [{"prompt": f"say {i}", "completion": f"{i} {j}"} for i in range(40) for j in range(3)]
    task = read(rows, completion_column="completion")
    assert len(task.train_pool()) + len(task.eval_prompts()) == 40
    assert len(everything(task, "demonstrations")) == 120
    held = {d.prompt.id for d in task.held_out_demonstrations()}
    assert held == {p.id for p in task.eval_prompts()}
    assert not held & {d.prompt.id for d in task.demonstrations()}
    with pytest.raises(UserError, match=r"1 of 121 rows cannot be used: .*:121 says the same as .*:1\."):
        read([*rows, rows[0]], completion_column="completion")


@pytest.mark.parametrize("form", ["text", "messages"])
@pytest.mark.parametrize("implicit", [False, True])
def test_pairs_with_an_explicit_and_an_implicit_prompt(read, form, implicit):
    def row(i):
        if form == "text":
            before, better, worse = f"say {i}:", f" {i}", f" not {i}"
        else:
            before, better, worse = said(f"user: say {i}"), said(f"assistant: {i}"), said(f"assistant: not {i}")
        return {"chosen": before + better, "rejected": before + worse} if implicit else {
            "prompt": before, "chosen": better, "rejected": worse,
        }  # fmt: skip

    task = read(
        [row(i) for i in range(30)], chosen_column="chosen", rejected_column="rejected",
        prompt_column=None if implicit else "prompt",
    )  # fmt: skip
    found = everything(task, "preferences")
    assert isinstance(task, Preferred)
    assert {(p.chosen.strip(), p.rejected.strip()) for p in found} == {(f"{i}", f"not {i}") for i in range(30)}
    asked = {p.prompt.text or p.prompt.messages[0]["content"] for p in found}
    assert asked == {f"say {i}:" if form == "text" else f"say {i}" for i in range(30)}
    assert {d.completion.strip() for d in everything(task, "demonstrations")} == {str(i) for i in range(30)}
    labels = everything(task, "labelled")
    assert isinstance(task, Judged)
    assert sum(x.desirable for x in labels) == len(labels) / 2 == 30


def test_labels_and_what_is_learned_by_heart_of_them(read):
    rows = [{"prompt": f"say {i}", "completion": f"{i}", "label": i % 2 == 0} for i in range(30)]
    task = read(rows, completion_column="completion", label_column="label")
    assert {(x.completion, x.desirable) for x in everything(task, "labelled")} == {
        (str(i), i % 2 == 0) for i in range(30)
    }
    assert {int(d.completion) % 2 for d in everything(task, "demonstrations")} == {0}  # bad answers are no examples


def test_evaluation_rows_of_their_own_may_lack_answers_to_learn_from(read, tmp_path):
    test = tmp_path / "test.jsonl"
    rows = [{"prompt": "x 1", "answer": "1"}, {"prompt": "x 2", "answer": "2", "completion": "so 2"}]
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = [{"prompt": f"say {i}", "completion": f"{i}", "answer": str(i)} for i in range(5)]
    task = read(train, completion_column="completion", answer_column="answer", eval_path=str(test))
    assert task.judges
    assert len(task.eval_prompts()) == 2
    assert [d.completion for d in task.held_out_demonstrations()] == ["so 2"]
    assert len(task.demonstrations()) == 5


def test_what_is_held_out_goes_with_the_evaluation_questions_that_are_kept(read):
    rows = [{"prompt": f"say {i}", "completion": f"{i}"} for i in range(60)]
    task = read(rows, completion_column="completion", eval_prompts=3)
    assert len(task.held_out_demonstrations()) == len(task.eval_prompts()) == 3


def test_without_answers_and_check_nothing_is_judged(read):
    task = read([{"prompt": f"say {i}", "completion": f"{i}"} for i in range(30)], completion_column="completion")
    prompt = task.train_pool()[0]
    assert not task.judges
    assert task.judge([prompt, prompt], ["1", "2"]) == [None, None]
    assert task.correct(prompt, "1") is False
    with pytest.raises(UserError, match="without answers nothing says what is right"):
        read([{"prompt": "x"}])


PAIR = {"chosen_column": "chosen", "rejected_column": "rejected"}
LABELS = {"completion_column": "completion", "label_column": "label"}
BAD = [
    ({"prompt": "x"}, {"completion_column": "completion"}, 'has no column "completion" (completion)'),
    ({"prompt": "x", "completion": " "}, {"completion_column": "completion"}, 'has nothing in column "completion"'),
    ({"prompt": "x", "completion": 3}, {"completion_column": "completion"}, "neither text nor a list of messages"),
    ({"prompt": "x", "completion": said("user: y")}, {"completion_column": "completion"}, "messages by user"),
    (
        {"prompt": "x", "completion": said("assistant: y", "user: z", "assistant: w")},
        {"completion_column": "completion"},
        "messages by assistant, user, assistant",
    ),
    ({"prompt": "x", "completion": "\ud800"}, {"completion_column": "completion"}, "half a character"),
    ({"prompt": said("user: x")}, {"completion_column": "prompt"}, "does not end with an answer of the assistant"),
    ({"prompt": "x"}, {"completion_column": "prompt"}, "which is to hold prompt and completion"),
    (
        {"prompt": "x", "completion": "y", "w": -1},
        {"completion_column": "completion", "weight_column": "w"},
        "a weight is at least 0",
    ),
    (
        {"prompt": "x", "completion": "y", "w": "1"},
        {"completion_column": "completion", "weight_column": "w"},
        "which is not a number",
    ),
    (
        {"prompt": "x", "chosen": "y", "rejected": "z", "m": "much"},
        {"chosen_column": "chosen", "rejected_column": "rejected", "margin_column": "m"},
        "which is not a number",
    ),
    (
        {"prompt": "x", "completion": "y"},
        {"completion_column": "completion", "score_column": "stars"},
        'has no column "stars" (score)',
    ),
    ({"prompt": "x", "completion": "y", "label": "yes"}, LABELS, "a label is true or false"),
    ({"prompt": "x", "completion": "y", "label": 2}, LABELS, "a label is true or false"),
    ({"prompt": "x", "completion": "y", "label": 1.0}, LABELS, "a label is true or false"),
    ({"prompt": "x", "chosen": "y", "rejected": "y"}, PAIR, "has the same answer"),
    ({"prompt": "x", "chosen": "y"}, PAIR, 'has no column "rejected"'),
    ({"prompt": "x", "chosen": said("user: x", "assistant: y"), "rejected": "z"}, PAIR, "messages by user, assistant"),
    ({"chosen": "abc", "rejected": "xyz"}, {**PAIR, "prompt_column": None}, "has no prompt in column"),
    ({"chosen": "abc", "rejected": "abcd"}, {**PAIR, "prompt_column": None}, "has no prompt in column"),
    (
        {"chosen": "abc", "rejected": said("user: x")},
        {**PAIR, "prompt_column": None},
        "neither two texts nor two lists",
    ),
    ({"chosen": 1, "rejected": 2}, {**PAIR, "prompt_column": None}, "neither two texts nor two lists"),
]


@pytest.mark.parametrize(("row", "options", "reason"), BAD, ids=range(len(BAD)))
def test_an_unusable_row_is_named_with_the_reason(read, row, options, reason):
    with pytest.raises(UserError) as caught:
        read([row], **options)
    assert reason in str(caught.value)
    assert ":1 " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chosen_column": "a"}, "give data.rejected_column as well"),
        ({"rejected_column": "a"}, "give data.chosen_column as well"),
        ({"completion_column": "a", **PAIR}, "a completion or a pair of answers"),
        ({"label_column": "a"}, "label_column=a is about a completion"),
        ({"weight_column": "a"}, "weight_column=a is about a completion"),
        ({"score_column": "a"}, "score_column=a is about a completion"),
        ({"margin_column": "a"}, "margin_column=a is about a pair"),
        ({"prompt_column": None, "completion_column": "a"}, "prompt_column=null takes the prompt from"),
    ],
)
def test_columns_that_make_no_row_together_are_refused(read, options, message):
    with pytest.raises(UserError, match=message):
        read([{"prompt": "x"}], **options)
