"""What gives scores: a principle judge's folder, a classifier's folder, and a model behind an endpoint."""

from __future__ import annotations

import json
import re

import pytest
import torch

from crucible.data.chain import Chain
from crucible.modules.rm_scalar import Scorer
from crucible.modules.rm_scorer import Judge
from crucible.policy.tiny import untrained
from crucible.reward_benchmarks.classifier import Classifier
from crucible.reward_benchmarks.items import Question
from crucible.reward_benchmarks.principle_judge import PrincipleJudge
from crucible.reward_benchmarks.principles import build
from tests.rewards.judge.server import serving

from .small import judgebench_row, refused, rows_of, run, summary, write_rows

SIZE = {"hidden_size": 32, "layers": 2, "heads": 2, "kv_heads": 1, "intermediate_size": 64}
ROWS = [
    judgebench_row("p1", "mmlu-pro-law", "ab", "abcd"),
    judgebench_row("p2", "livebench-math", "abcde", "a", "B>A"),
    judgebench_row("p3", "livecodebench", "abc", "abcdefg"),
]
TASK = Chain(eval_prompts=4)
ANSWER, STEPS = TASK.principles()[:2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("judges")
    policy = untrained(**SIZE, context_length=128)
    Judge(policy, {"task": "chain"}).save(home / "run" / "policy")
    policy.save(home / "policy alone")
    Scorer.on(untrained(**SIZE, context_length=64), seed=3).save(home / "scalar")
    write_rows(home / "pairs.jsonl", ROWS)
    return home


def options(folders, out, judge: str, *more: str) -> list[str]:
    return ["benchmark=judgebench", f"judge={folders / judge}", f"data={folders / 'pairs.jsonl'}", f"out={out}", *more]


def kept(out) -> dict:
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    return {row["id"]: row.get("scores") or row["games"] for row in rows}


def test_a_principle_judge_is_asked_the_fixed_principle_of_the_ablation(folders, tmp_path, capsys) -> None:
    assert run(*options(folders, tmp_path / "out", "run")) == 0  # the run's directory will do
    assert "asked of every item: accuracy of information" in capsys.readouterr().out
    judge = Judge.load(folders / "run" / "policy")
    for row in ROWS:
        better, worse = (row["response_A"], row["response_B"])[:: 1 if row["label"] == "A>B" else -1]
        prompt = Question(_prompt(row["question"]), "").prompt
        wanted = judge.score([prompt, prompt], [better, worse], ["accuracy of information"])[:, 0]
        assert kept(tmp_path / "out")[row["pair_id"]] == pytest.approx(wanted.tolist(), abs=1e-5)


def _prompt(text: str):
    from crucible.data.split import content_id
    from crucible.types import Prompt

    return Prompt(id=content_id("judgebench", text), text=text)


def test_several_principles_by_mean_or_minimum(folders, tmp_path) -> None:
    found = {}
    for combine in ("mean", "min"):
        out = tmp_path / combine
        assert run(*options(folders, out, "run", f"principle={ANSWER},{STEPS}", f"combine={combine}")) == 0
        found[combine] = kept(out)["p1"]
    alone = []
    for number, principle in enumerate((ANSWER, STEPS)):
        assert run(*options(folders, tmp_path / str(number), "run", f"principle={principle}")) == 0
        alone.append(kept(tmp_path / str(number))["p1"])
    both = torch.tensor(alone)
    assert found["mean"] == pytest.approx(both.mean(0).tolist(), abs=1e-5)
    assert found["min"] == pytest.approx(both.amin(0).tolist(), abs=1e-5)


def test_the_items_own_principle_is_asked(folders) -> None:
    items = build(TASK, prompts=4).items
    own = PrincipleJudge(folders / "run" / "policy", principles=(), combine="mean", device="cpu", batch_tokens=512)
    asked = [Question(i.prompt, i.responses[0], i.principle) for i in items]
    wanted = [float(own.judge.score([q.prompt], [q.response], [q.principle])[0, 0]) for q in asked]
    assert own.scores(asked) == pytest.approx(wanted, abs=1e-5)


def test_every_token_counts_for_what_is_too_long(folders) -> None:
    judge = PrincipleJudge(
        folders / "run" / "policy", principles=(ANSWER,), combine="mean", device="cpu", batch_tokens=512
    )
    scalar = Classifier(folders / "scalar", device="cpu", batch_tokens=512)
    prompt = _prompt("7+8=")
    question = len(judge.judge.asker.question(ANSWER))
    prompt_tokens = 1 + 4  # the begin token and 7+8=
    for made, most, rest in ((judge, 128, prompt_tokens + 1 + question), (scalar, 64, prompt_tokens + 1)):
        room = most - rest
        fits, over = Question(prompt, "1" * room), Question(prompt, "1" * (room + 1))
        assert made.too_long([fits, over]) == ["", f"{most + 1} tokens of {most}"]
        assert len(made.scores([fits])) == 1


def test_a_classifier_scores_as_transformers_own_class_does(folders, tmp_path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    assert run(*options(folders, tmp_path / "out", "scalar", "batch_tokens=40")) == 0
    model = AutoModelForSequenceClassification.from_pretrained(folders / "scalar").eval()
    tokenizer = AutoTokenizer.from_pretrained(folders / "scalar")
    for row in ROWS:
        own = []
        for response in (row["response_A"], row["response_B"]):
            text = tokenizer(row["question"] + response)["input_ids"]
            assert text[0] == tokenizer.bos_token_id
            with torch.no_grad():
                own.append(model(input_ids=torch.tensor([[*text, tokenizer.eos_token_id]])).logits[0, 0].item())
        found = kept(tmp_path / "out")[row["pair_id"]]
        assert found == pytest.approx(own[:: 1 if row["label"] == "A>B" else -1], abs=1e-5)


def test_a_chat_template_is_used_where_there_is_one(tmp_path) -> None:
    scorer = Scorer.on(untrained(**SIZE, context_length=64), seed=3)
    scorer.policy.tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'][0] }}>{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<a>{% endif %}"
    )
    scorer.save(tmp_path / "chat")
    made = Classifier(tmp_path / "chat", device="cpu", batch_tokens=512)
    question = Question(_prompt("7+8="), "15")
    tokenizer = made.scorer.policy.tokenizer
    ids = tokenizer("<u>7+8=<a>15", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        wanted = made.scorer.model(input_ids=torch.tensor([ids])).logits[0, 0].item()
    assert made.scores([question]) == pytest.approx([wanted], abs=1e-5)


def test_folders_that_are_no_reward_model(folders, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    line = refused(capsys, *options(folders, out, "policy alone"))
    assert line.startswith(
        f"no reward model at {folders / 'policy alone'}: a folder with reward_model.json is expected"
    )
    (tmp_path / "empty").mkdir()
    assert refused(
        capsys, *options(tmp_path, out, "empty")[:2], f"data={folders / 'pairs.jsonl'}", f"out={out}"
    ).startswith(f"no reward model at {tmp_path / 'empty'}: a folder with config.json is expected")
    two = json.loads((folders / "scalar" / "config.json").read_text()) | {
        "num_labels": 2,
        "id2label": {"0": "a", "1": "b"},
    }
    (tmp_path / "empty" / "config.json").write_text(json.dumps(two))
    line = refused(capsys, *options(tmp_path, out, "empty")[:2], f"data={folders / 'pairs.jsonl'}", f"out={out}")
    assert line.endswith("with 2 labels; a reward model has one")
    line = refused(capsys, *options(folders, out, "scalar", "principle=brevity"))
    assert line == f"principle= is for a judge that reads one; {folders / 'scalar'} does not"
    assert not out.exists()


def test_what_is_too_long_for_a_folder_is_said_whichever_way_it_counts(folders, tmp_path, capsys) -> None:
    long = [*ROWS, judgebench_row("p4", "livecodebench", "a" * 200, "b")]
    data = f"data={write_rows(tmp_path / 'long.jsonl', long)}"
    for judge in ("run", "scalar"):
        first, *_, last = options(folders, tmp_path / judge, judge)
        told = [first, f"judge={folders / judge}", data, last]
        assert "1 of 4 items are too long for this judge" in refused(capsys, *told)
        assert not (tmp_path / judge).exists()
        for how, count, fate in (("wrong", 4, "it loses"), ("leave_out", 3, "they are left out")):
            assert run(*told, f"too_long={how}") == 0
            assert f"1 of 4 items have a response too long for this judge: {fate}" in capsys.readouterr().out
            assert rows_of(tmp_path / judge)["overall"]["n"] == count


def endpoint(folders, out, url: str, *more: str) -> list[str]:
    return ["benchmark=judgebench", "judge=endpoint", f"data={folders / 'pairs.jsonl'}", f"out={out}",
            f"endpoint={url}", "endpoint_model=judge-1", *more]  # fmt: skip


def part(text: str, name: str) -> str:
    found = re.search(rf"--- {name} \w+ ---\n(.*?)\n--- ", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_an_endpoint_is_asked_in_both_orders_and_never_pays_twice(folders, tmp_path, capsys) -> None:
    """A judge that takes the shorter response, but the first where both have more than two characters."""

    def shorter(text: str) -> str:
        a, b = part(text, "response A"), part(text, "response B")
        return r"so \boxed{A}" if min(len(a), len(b)) > 2 or len(a) < len(b) else r"so \boxed{B}"

    out = tmp_path / "out"
    with serving(shorter) as server:
        assert run(*endpoint(folders, out, server.url, "asked=pair", "principle=brevity")) == 0
        assert len(server.asked) == 6
        assert all(part(text, "principle") == "brevity" for text in server.asked)
        (out / "scores.jsonl").unlink()
        assert run(*endpoint(folders, out, server.url, "asked=pair", "principle=brevity", "rule=both_orders")) == 0
        assert len(server.asked) == 6
    assert kept(out) == {"p1": ["right", "right"], "p2": ["right", "right"], "p3": ["right", "wrong"]}
    overall = rows_of(out)["overall"]
    shares = [overall[n]["value"] for n in ("accuracy", "chosen first", "rejected first", "both orders")]
    assert shares == pytest.approx([2 / 3, 1.0, 2 / 3, 2 / 3])
    assert "asked of every item: brevity" in capsys.readouterr().out


def test_an_endpoint_gives_points_to_one_response_and_silence_wins_nothing(folders, tmp_path, capsys) -> None:
    def points(text: str) -> str:
        response = part(text, "response")
        return "I cannot say" if len(response) == 7 else rf"\boxed{{{len(response)}}}"

    out = tmp_path / "out"
    with serving(points) as server:
        assert run(*endpoint(folders, out, server.url)) == 0
        assert len(server.asked) == 6
    assert kept(out) == {"p1": [0.2, 0.4], "p2": [0.1, 0.5], "p3": [0.3, None]}
    assert rows_of(out)["overall"]["accuracy"]["value"] == 0.0
    assert "1 responses without a readable score" in capsys.readouterr().out


def test_an_endpoint_that_fails_is_said_and_goes_on_later(folders, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    more = ["endpoint_retries=0", "concurrency=1"]
    with serving(lambda text: r"\boxed{7}") as server:
        server.script = ["ok", "ok", "500"]
        line = refused(capsys, *endpoint(folders, out, server.url, *more))
        assert line.startswith("the endpoint gave no verdict for 4 of the requests (judge: status 500")
        assert len(server.asked) == 3
        assert run(*endpoint(folders, out, server.url, *more)) == 0
        assert len(server.asked) == 3 + 4
    assert summary(out)["rows"][-1]["accuracy"]["value"] == 0.0  # points alike: ties


def test_an_endpoint_reads_the_items_own_principle(tmp_path, capsys) -> None:
    def by_principle(text: str) -> str:
        a, b = part(text, "response A"), part(text, "response B")
        longer = len(a) > len(b)
        return rf"\boxed{{{'A' if longer == ('long' in part(text, 'principle')) else 'B'}}}"

    lines = [{"id": "1", "prompt": "q", "principle": "long", "chosen": "aaa", "rejected": "b", "swap": 1},
             {"id": "2", "prompt": "q", "principle": "brief", "chosen": "b", "rejected": "aaa", "swap": 1}]  # fmt: skip
    data = write_rows(tmp_path / "f.jsonl", lines)
    with serving(by_principle) as server:
        told = [f"endpoint={server.url}", "endpoint_model=judge-1"]
        assert (
            run("benchmark=principles", "judge=endpoint", f"data={data}", f"out={tmp_path / 'o'}", "asked=pair", *told)
            == 0
        )
    assert rows_of(tmp_path / "o")["swaps re-ordered rightly"]["accuracy"]["value"] == 1.0
    assert "right in % by order: chosen first 100.0, rejected first 100.0, both orders 100.0" in capsys.readouterr().out


def test_an_endpoint_that_is_not_there(folders, tmp_path, capsys) -> None:
    line = refused(capsys, *endpoint(folders, tmp_path / "out", "http://127.0.0.1:9/v1"))
    assert line.startswith("endpoint=http://127.0.0.1:9/v1 cannot be reached")
    assert not (tmp_path / "out").exists()
