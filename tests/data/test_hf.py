"""Data sets through the `datasets` library, from local folders made here."""

from __future__ import annotations

import json

import pytest

from crucible.data.hf import HuggingFace
from crucible.errors import UserError

datasets = pytest.importorskip("datasets", reason="the datasets library is not installed")


def rows(n, start=0):
    return [
        {"question": f"How many are {i} and {i}?", "answer": f"<<{i}+{i}={2 * i}>>{2 * i}.\n#### {2 * i:,}"}
        for i in range(start, start + n)
    ]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


@pytest.fixture
def folder(tmp_path):
    """A folder of parquet files, one a split."""
    place = tmp_path / "sums"
    place.mkdir()
    datasets.Dataset.from_list(rows(40)).to_parquet(str(place / "train-00000.parquet"))
    datasets.Dataset.from_list(rows(10, start=600)).to_parquet(str(place / "test-00000.parquet"))
    return place


def test_parquet_folder_with_its_own_test_split(folder, tmp_path):
    task = HuggingFace(dataset=str(folder), eval_split="test", cache_dir=tmp_path)
    assert len(task.train_pool()) == 40
    assert len(task.eval_prompts()) == 10
    prompt = next(p for p in task.eval_prompts() if p.text.startswith("How many are 600 "))
    assert prompt.reference["answer"] == "1,200"
    assert task.correct(prompt, "600 + 600 = 1200 apples. The answer is 1200.")
    assert not task.correct(prompt, "#### 1201")


def test_held_out_by_hash(folder, tmp_path):
    task = HuggingFace(dataset=str(folder), eval_share=0.25, cache_dir=tmp_path)
    assert len(task.train_pool()) + len(task.eval_prompts()) == 40
    assert 1 <= len(task.eval_prompts()) <= 20


def test_json_folder_chat_and_bad_rows(tmp_path):
    place = tmp_path / "json"
    place.mkdir()
    content = [*rows(30), {"question": "No answer?", "answer": None}]
    (place / "train.jsonl").write_text("\n".join(map(json.dumps, content)))
    with pytest.raises(UserError, match=r"1 of 31 rows .*train\[30\] has null in column \"answer\""):
        HuggingFace(dataset=str(place), cache_dir=tmp_path)
    told: list[str] = []
    task = HuggingFace(
        dataset=str(place), chat=True, on_bad_row="skip", report=told.append, cache_dir=tmp_path
    )
    assert len(task.rejected) == 1
    assert len(told) == 2
    assert task.train_pool()[0].messages[0]["role"] == "user"


def test_nested_columns_and_another_data_set_to_evaluate_on(folder, tmp_path):
    """As maths data comes: a chat and a nested reference for training, other columns in the benchmark."""
    place = tmp_path / "maths"
    place.mkdir()
    content = [
        {
            "prompt": [{"role": "user", "content": f"Double {i}?"}],
            "reward_model": {"ground_truth": str(2 * i), "style": "rule"},
        }
        for i in range(20)
    ]
    (place / "train.jsonl").write_text("\n".join(map(json.dumps, content)))
    task = HuggingFace(
        dataset=str(place), prompt_column="prompt", answer_column="reward_model.ground_truth", chat=True,
        eval_dataset=str(folder), eval_prompt_column="question", eval_answer_column="answer", cache_dir=tmp_path,
    )  # fmt: skip
    assert len(task.train_pool()) == 20
    assert task.train_pool()[7].reference["answer"] == "14"
    assert task.train_pool()[7].messages == ({"role": "user", "content": "Double 7?"},)
    assert len(task.eval_prompts()) == 10  # the split "test" of the other data set
    assert all(p.messages[0]["content"].startswith("How many are 60") for p in task.eval_prompts())
    options = {"prompt_column": "prompt", "cache_dir": tmp_path}
    with pytest.raises(UserError, match=r'no column "reward_model.gold" \(answer\).*it has: ground_truth, style'):
        HuggingFace(dataset=str(place), answer_column="reward_model.gold", **options)
    with pytest.raises(UserError, match=r"no column 'reward_modle\.ground_truth' \(did you mean \"reward_model\""):
        HuggingFace(dataset=str(place), answer_column="reward_modle.ground_truth", **options)
    with pytest.raises(UserError, match="no split 'validation'"):
        HuggingFace(dataset=str(place), answer_column="reward_model.ground_truth", eval_dataset=str(folder),
                    eval_split="validation", **options)  # fmt: skip


def test_a_training_question_of_the_evaluation_data_set_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match=r"40 of 80 rows .* asks the same as the evaluation row"):
        HuggingFace(dataset=str(folder), eval_dataset=str(folder), eval_split="train", cache_dir=tmp_path)


def test_saved_to_disk(tmp_path):
    datasets.Dataset.from_list(rows(40)).save_to_disk(str(tmp_path / "one"))
    both = datasets.DatasetDict(
        {"train": datasets.Dataset.from_list(rows(20)), "dev": datasets.Dataset.from_list(rows(5, start=50))}
    )
    both.save_to_disk(str(tmp_path / "both"))
    assert len(HuggingFace(dataset=str(tmp_path / "one"), eval_share=0.3).train_pool()) < 40
    assert len(HuggingFace(dataset=str(tmp_path / "both"), eval_split="dev").eval_prompts()) == 5


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"split": "trian"}, "no split 'trian' \\(did you mean \"train\""),
        ({"split": "train[:5]"}, "slices are not understood"),
        ({"prompt_column": "questions"}, "no column 'questions' \\(did you mean \"question\""),
        ({"answer_column": "gold"}, "no column 'gold'; it has: question, answer"),
        ({"eval_split": "dev"}, "no split 'dev'"),
    ],
)
def test_what_is_not_there(folder, tmp_path, options, word):
    with pytest.raises(UserError, match=word) as caught:
        HuggingFace(dataset=str(folder), cache_dir=tmp_path, **options)
    assert "\n" not in str(caught.value)


def test_a_data_set_that_is_not_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="data=hf: cannot load"):
        HuggingFace(dataset=str(tmp_path / "empty"), cache_dir=tmp_path)
    with pytest.raises(UserError, match="data=hf: cannot load"):
        HuggingFace(dataset=str(tmp_path / "gone"), cache_dir=tmp_path)


def test_answers_to_learn_from(tmp_path):
    rows = [{"question": f"say {i}", "chosen": f"{i}", "rejected": "no"} for i in range(40)]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "pairs"))
    task = HuggingFace(
        dataset=str(tmp_path / "pairs"), answer_column=None, chosen_column="chosen", rejected_column="rejected"
    )
    assert len(task.preferences()) + len(task.held_out_preferences()) == 40
    with pytest.raises(UserError, match=r"has no column 'better'"):
        HuggingFace(
            dataset=str(tmp_path / "pairs"), answer_column=None, chosen_column="better", rejected_column="rejected"
        )
