"""HumanEval and MBPP: small files made here in the benchmarks' own formats; the real ones where CRUCIBLE_DATA is."""

from __future__ import annotations

import gzip
import json
import os
import random
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from crucible.analysis.statistics import pass_at_k_interval
from crucible.data import code_problems
from crucible.data.fit import refuse_misfit
from crucible.data.humaneval import HumanEval, preamble
from crucible.data.mbpp import MBPP
from crucible.errors import UserError
from crucible.rewards.unit_tests import unit_tests
from crucible.sandbox import program_of
from crucible.types import Completion, Task

PATIENT = {"test_seconds": 60.0, "suite_seconds": 100.0, "timeout": 120.0}
CHECK = unit_tests(**PATIENT)


def function(name: str, body: str, number: int, before: str = "") -> dict[str, Any]:
    """A row as HumanEval has them."""
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f'{before}def {name}(xs: List[int]) -> int:\n    """ Of xs.\n    >>> {name}([])\n    0\n    """\n',
        "entry_point": name,
        "canonical_solution": f"    return {body}\n",
        "test": "\n\nMETADATA = {'author': 'me'}\n\n\ndef check(candidate):\n"
        f"    assert candidate([]) == 0\n    assert candidate([3, 4]) == {eval(body, {'xs': [3, 4]})}\n",
    }


IMPORT = "from typing import List\n\n\n"
FUNCTIONS = [
    function("total", "sum(xs)", 0, IMPORT),
    function("squares", "sum(x * x for x in xs)", 1, IMPORT + "def square(x):\n    return x * x\n\n\n"),
    function("count", "len(xs)", 2, IMPORT),
]


def task(number: int, **extra: Any) -> dict[str, Any]:
    """A row as MBPP has them."""
    return {
        "text": f"Write a function to add {number}.",
        "code": f"def add(x):\r\n    return x + {number}",
        "task_id": number,
        "test_setup_code": "",
        "test_list": [f"assert add({x}) == {x + number}" for x in (1, 2)],
        "challenge_test_list": [],
        **extra,
    }


TASKS = [task(n) for n in (2, 3, 4, 11, 12, 510, 511, 601, 602, 974)]


@pytest.fixture
def humaneval_file(tmp_path: Path) -> str:
    return lines(tmp_path / "HumanEval.jsonl", FUNCTIONS)


@pytest.fixture
def mbpp_file(tmp_path: Path) -> str:
    return lines(tmp_path / "mbpp.jsonl", TASKS)


def lines(path: Path, rows: list[Any]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return str(path)


def told(prompt: Any) -> str:
    return prompt.text or prompt.messages[-1]["content"]


@pytest.mark.parametrize("mode", code_problems.MODES)
def test_reference_solutions_are_right_and_others_are_not(humaneval_file: str, mbpp_file: str, mode: Any) -> None:
    for made in (HumanEval(path=humaneval_file, mode=mode, check=CHECK, train_on=mbpp_file),
                 MBPP(path=mbpp_file, mode=mode, check=CHECK)):  # fmt: skip
        assert isinstance(made, Task)
        prompts = list(made.eval_prompts())
        solutions = {p.reference["task_id"]: p.reference["solution"] for p in prompts}
        answers = [solutions[p.reference["task_id"]] for p in prompts]
        if mode == "completion":
            answers = [a.removeprefix(p.reference["program"]["prefix"]) for a, p in zip(answers, prompts, strict=True)]
        else:
            answers = [f"Here:\n{code_problems.block(a)}" for a in answers]
        wrong = [a.replace("return ", "return 1 + ") for a in answers]
        assert made.judge(prompts, answers) == [True] * len(prompts)
        assert made.judge(prompts, wrong) == [False] * len(prompts)
        assert made.judge(prompts, [""] * len(prompts)) == [False] * len(prompts)
        assert made.correct(prompts[0], answers[0])
        shown = made.demonstrations()
        assert [d.prompt for d in shown] == list(made.train_pool())
        assert made.judge([d.prompt for d in shown], [d.completion for d in shown]) == [True] * len(shown)
        pass_at_1 = pass_at_k_interval([2, 0, 1][: len(prompts)], 2, 1)  # as the evaluation of a run computes it
        assert pass_at_1.value == pytest.approx(0.5)
        assert bool(prompts[0].messages) == (mode == "chat")


def test_humaneval_asks_as_it_should(humaneval_file: str) -> None:
    chat = HumanEval(path=humaneval_file, system="Be brief.", check=CHECK)
    assert [m["role"] for m in chat.eval_prompts()[0].messages] == ["system", "user"]
    assert FUNCTIONS[0]["prompt"].strip() in told(chat.eval_prompts()[0])
    completion = HumanEval(path=humaneval_file, mode="completion", check=CHECK)
    assert [p.text for p in completion.eval_prompts()] == [row["prompt"] for row in FUNCTIONS]
    same = HumanEval(path=humaneval_file, instruction="Write:\n{prompt}", mode="instruction", check=CHECK)
    assert told(same.eval_prompts()[2]).startswith("Write:\nfrom typing")


def test_humaneval_programs(humaneval_file: str) -> None:
    """Imports and helpers of the prompt need not be repeated; a completion ends where the paper ends it."""
    chat, completion = (HumanEval(path=humaneval_file, mode=m, check=CHECK) for m in ("chat", "completion"))  # type: ignore[arg-type]
    bare = "```python\ndef squares(xs: List[int]) -> int:\n    return sum(map(square, xs))\n```"
    assert chat.correct(chat.eval_prompts()[1], bare)
    total = completion.eval_prompts()[0]
    for rest in ("\ndef total(xs): return 7", "\nclass A: pass", "\n# so", "\nif 1: raise", "\nprint(1 / 0)"):
        assert completion.correct(total, "    return sum(xs)" + rest)
    assert not completion.correct(total, "    return sum(xs) + 1")
    assert preamble("import a\n@b\ndef f(): pass", "f") == "import a\n"


def test_a_program_cannot_replace_the_helpers_of_the_tests(humaneval_file: str) -> None:
    rows = [dict(FUNCTIONS[1], test="def check(candidate):\n    assert candidate([3]) == square(3)\n")]
    made = HumanEval(path=lines(Path(humaneval_file).with_name("one.jsonl"), rows), check=CHECK)
    cheat = code_problems.block("def square(x): return 0\ndef squares(xs): return 0")
    assert not made.correct(made.eval_prompts()[0], cheat)


def test_humaneval_is_not_trained_on(humaneval_file: str, mbpp_file: str) -> None:
    alone = HumanEval(path=humaneval_file, check=CHECK)
    for ask in (alone.train_pool, alone.demonstrations, lambda: next(alone.train_prompts(random.Random(1)))):
        with pytest.raises(UserError, match=r"no problems to train on; name those of MBPP with data\.train_on"):
            ask()
    both = HumanEval(path=humaneval_file, train_on=mbpp_file, check=CHECK, eval_prompts=2)
    assert [p.reference["task_id"] for p in both.train_pool()] == ["601", "602", "974"]
    assert len(both.eval_prompts()) == 2
    refuse_misfit(both, CHECK)


def test_mbpp_splits_by_task_id(mbpp_file: str) -> None:
    made = MBPP(path=mbpp_file, check=CHECK)
    assert [p.reference["task_id"] for p in made.eval_prompts()] == ["11", "12", "510"]
    assert [p.reference["task_id"] for p in made.train_pool()] == ["601", "602", "974"]
    other = MBPP(path=mbpp_file, train_split="prompt", eval_split="validation", check=CHECK)
    assert [p.reference["task_id"] for p in other.eval_prompts()] == ["511"]
    assert len(other.train_pool()) == 3
    drawn = list(islice(made.train_prompts(random.Random(1)), 6))
    assert {p.id for p in drawn[:3]} == {p.id for p in drawn[3:]} == {p.id for p in made.train_pool()}


def test_mbpp_has_the_papers_prompt(mbpp_file: str) -> None:
    prompt = MBPP(path=mbpp_file, mode="completion", check=CHECK).eval_prompts()[0]
    asked = "You are an expert Python programmer, and here is your task: Write a function to add {0}. Your code should "
    asked += "pass these tests:\n\nassert add(1) == {1}\nassert add(2) == {2}\n[BEGIN]\n"
    solved = "".join(asked.format(n, n + 1, n + 2) + f"def add(x):\n    return x + {n}\n[DONE]\n\n" for n in (2, 3, 4))
    assert prompt.text == solved + asked.format(11, 12, 13)
    zero = MBPP(path=mbpp_file, mode="completion", few_shot=[], check=CHECK).eval_prompts()[0]
    assert zero.text == asked.format(11, 12, 13)
    assert "[BEGIN]" not in told(MBPP(path=mbpp_file, check=CHECK).eval_prompts()[0])
    assert zero.id != prompt.id


def test_other_forms_of_the_files(tmp_path: Path) -> None:
    packed = tmp_path / "HumanEval.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, FUNCTIONS)).encode()))
    assert len(HumanEval(path=str(packed), check=CHECK).eval_prompts()) == 3
    clean = [
        {"prompt": row["text"], "code": "import math\n" + row["code"], "task_id": row["task_id"],
         "test_imports": ["import math"], "test_list": [f"{row['test_list'][0]} + math.floor(0.5)"]}
        for row in TASKS
    ]  # fmt: skip
    (tmp_path / "sanitized-mbpp.json").write_text(json.dumps(clean))
    made = MBPP(path=str(tmp_path / "sanitized-mbpp.json"), check=CHECK)
    prompts = made.eval_prompts()
    assert made.judge(prompts, [code_problems.block(p.reference["solution"]) for p in prompts]) == [True] * 3


def test_through_the_datasets_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one file a split, as the Hub serves them; a name that is not there says what else there is."""
    datasets = pytest.importorskip("datasets", reason="the datasets library is not installed")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, FUNCTIONS)))
    rows = code_problems.load_problems("humaneval", str(folder), None, ["test"], tmp_path)  # type: ignore[arg-type]
    assert [row.fields["task_id"] for row in rows] == ["HumanEval/0", "HumanEval/1", "HumanEval/2"]
    with pytest.raises(UserError, match=r"^data=mbpp: cannot load .*; data\.path=FILE reads the benchmark's own file"):
        MBPP(dataset=str(tmp_path / "nothing"), check=CHECK)


def test_a_problem_that_is_also_in_training_is_left_out(tmp_path: Path) -> None:
    twice = task(601, text=TASKS[3]["text"], test_list=TASKS[3]["test_list"])
    made = MBPP(path=lines(tmp_path / "mbpp.jsonl", [*TASKS[:4], twice, task(602)]), check=CHECK)
    assert [p.reference["task_id"] for p in made.train_pool()] == ["602"]
    assert [p.prompt.reference["task_id"] for p in made.leaked] == ["601"]


BAD = [
    ({}, "no number in column 'task_id'"),
    (task(11, test_list=[]), "has no asserts"),
    (task(11, test_list=[1]), "has no asserts"),
    (task(11, code=None), "which is not text"),
    ({k: v for k, v in task(11).items() if k != "text"}, "has no column 'prompt'"),
    ({k: v for k, v in task(11).items() if k != "test_setup_code"}, "not MBPP's"),
    ([1], "is a JSON list, not an object"),
]


@pytest.mark.parametrize(("row", "reason"), BAD, ids=range(len(BAD)))
def test_rows_that_are_not_mbpps(tmp_path: Path, row: Any, reason: str) -> None:
    path = lines(tmp_path / "m.jsonl", [*TASKS, row])
    with pytest.raises(UserError, match=reason) as caught:
        MBPP(path=path, check=CHECK)
    assert f"m.jsonl:{len(TASKS) + 1}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "options", "reason"),
    [
        (MBPP, {"mode": "chatt"}, r'mode is .chatt. \(did you mean "chat"'),
        (MBPP, {"train_split": "training"}, r'train_split is .training. \(did you mean "train"'),
        (MBPP, {"train_split": "test"}, "nothing would be held out"),
        (MBPP, {"mode": "completion", "few_shot": [1, 2]}, "few-shot example 1 is not among .* there are: 2, 3, 4"),
        (MBPP, {"instruction": "{prompt}"}, r"needs \{tests\}"),
        (MBPP, {"version": "clean"}, "must be full or sanitized"),
        (MBPP, {"eval_prompts": 0}, "eval_prompts"),
        (MBPP, {"check": None}, "set data/check=unit_tests"),
        (MBPP, {"path": "/no/such/file.jsonl"}, "cannot read /no/such/file.jsonl: no such file"),
        (HumanEval, {"instruction": "do it"}, r"needs \{prompt\}"),
        (HumanEval, {"train_on": "/no/such/mbpp.jsonl"}, "data=humaneval: cannot read /no/such/mbpp.jsonl"),
    ],
)
def test_senseless_options(humaneval_file: str, mbpp_file: str, make: Any, options: Any, reason: str) -> None:
    path = mbpp_file if make is MBPP else humaneval_file
    with pytest.raises(UserError, match=reason) as caught:
        make(**{"path": path, "check": CHECK, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\xff\xfe", "cannot read"), (b'{"a": 1}\n{', "is not JSON after 1 rows"), (b"[]", "is empty"),
     (b"\x1f\x8b12", "cannot read"), (b'{"prompt": "def (", "entry_point": "f"}', "has no column 'canonical_solution'"),
     (json.dumps(dict(FUNCTIONS[0], prompt="def (")).encode(), "is not Python"),
     (json.dumps(dict(FUNCTIONS[0], entry_point="other")).encode(), "does not define other")],
)  # fmt: skip
def test_files_that_are_not_humanevals(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "h.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        HumanEval(path=str(tmp_path / "h.jsonl"), check=CHECK)
    assert "\n" not in str(caught.value)


def test_as_a_reward(mbpp_file: str) -> None:
    """`reward=unit_tests` reads tests and program where these data sets keep them; fractions too."""
    for mode in code_problems.MODES:
        made = MBPP(path=mbpp_file, mode=mode, check=CHECK)
        refuse_misfit(made, CHECK)
        prompt = made.train_pool()[0]
        half = "def add(x): return 602 if x == 1 else 0"
        answer = half + "\n[DONE]\nmore" if mode == "completion" else code_problems.block(half)
        outcomes = unit_tests(mode="fraction", **PATIENT).outcomes([prompt], [Completion(answer, tokens=9)])
        assert outcomes[0].value == 0.5


def test_program_of() -> None:
    assert program_of("```python\nx\n```") == "x\n"
    assert program_of("no block") == ""
    assert program_of("no block", how={"mode": "block", "prefix": "import a\n"}) == ""
    assert program_of("```\nx\n```", how={"mode": "block", "prefix": "import a\n"}) == "import a\nx\n"
    assert program_of(" 1\nb\na", how={"mode": "completion", "prefix": "x =", "stops": ["\na", "\nb"]}) == "x = 1"


def real(name: str) -> str:
    path = Path(os.environ.get("CRUCIBLE_DATA", "")) / name
    if not os.environ.get("CRUCIBLE_DATA") or not path.is_file():
        pytest.skip(f"CRUCIBLE_DATA does not name a folder with {name}")
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("mode", code_problems.MODES)
def test_reference_solutions_of_the_real_humaneval(mode: Any) -> None:
    made = HumanEval(path=real("humaneval/test.jsonl"), mode=mode, check=CHECK)
    prompts = list(made.eval_prompts())
    given = [p.reference["solution"] for p in prompts]
    if mode == "completion":
        answers = [g.removeprefix(p.reference["program"]["prefix"]) for g, p in zip(given, prompts, strict=True)]
    else:
        answers = [code_problems.block(g) for g in given]
    verdicts = made.judge(prompts, answers)
    assert [p.reference["task_id"] for p, v in zip(prompts, verdicts, strict=True) if v is not True] == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_reference_solutions_of_the_real_mbpp(mode: Any) -> None:
    """Of all splits."""
    path, right, failing = real("mbpp/mbpp.jsonl"), 0, []
    for train, held_out in (("train", "test"), ("prompt", "validation")):
        made = MBPP(path=path, mode=mode, few_shot=[1, 3], train_split=train, eval_split=held_out, check=CHECK)
        asked = [*made.eval_prompts(), *made.train_pool()]
        done = "\n[DONE]"
        answers = [
            p.reference["solution"] + done if mode == "completion" else code_problems.block(p.reference["solution"])
            for p in asked
        ]
        verdicts = made.judge(asked, answers)
        right += sum(v is True for v in verdicts)
        failing += [p.reference["task_id"] for p, v in zip(asked, verdicts, strict=True) if v is not True]
    assert failing == []
    assert right > 400
