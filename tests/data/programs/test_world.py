"""The miniature world: every form of a task is right, every flaw is caught by the hidden tests, nothing leaks."""

from __future__ import annotations

import ast
import random
import sys
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.data.programs import inputs, mutants, pool, problem, trusted
from crucible.data.programs.forms import form, parsed
from crucible.data.programs.gold import LEAST, gold_inputs
from crucible.data.programs.operations import OPERATIONS
from crucible.data.programs.pool import Skill
from crucible.data.programs.programs import Programs, problem_of
from crucible.data.programs.write import LONGEST, STYLES, Written, demonstration, fits, parts_of, write
from crucible.data.split import split_of
from crucible.errors import UserError
from crucible.types import Task

WORLD = Programs()
SEEDS = st.integers(0, 10**6)


def drawn(seed: int) -> problem.Problem:
    rng = random.Random(seed)
    while not fits(task := problem.draw(rng, 1 + seed % 4, 0.5)):
        pass
    return task


NUMBERS = {
    "add": lambda v, k: v + k,
    "sub": lambda v, k: v - k,
    "mul": lambda v, k: v * k,
    "double": lambda v, k: v + v,
    "half": lambda v, k: (v - v % 2) // 2,
    "mod": lambda v, k: v - k * (v // k),
    "cap": lambda v, k: v if v < k else k,
    "neg": lambda v, k: 0 - v,
    "abs": lambda v, k: v if v > 0 else 0 - v,
}
KEPT = {
    "even": lambda v, k: not v & 1,
    "odd": lambda v, k: v & 1,
    "over": lambda v, k: v >= k + 1,
    "under": lambda v, k: v <= k - 1,
}


def oracle(task: problem.Problem, value):
    """What each word means, written out once more."""
    for step in task.steps:
        k, word = step.constant, step.word
        if word in NUMBERS:
            value = [NUMBERS[word](v, k) for v in value] if isinstance(value, list) else NUMBERS[word](value, k)
        elif word in KEPT:
            value = [v for v in value if KEPT[word](v, k)]
        elif word in ("take", "drop"):
            value = [v for i, v in enumerate(value) if (i < k) is (word == "take")]
        elif word in ("sort", "flip"):
            value = sorted(value) if word == "sort" else list(reversed(value))
        else:
            value = {"sum": sum, "count": len, "max": max, "min": min}[word](value) if value else 0
    return value


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_every_form_of_a_task_computes_what_its_words_mean(seed):
    task, rng = drawn(seed), random.Random(seed)
    asked = inputs.every(task.given)[:60]
    for style in STYLES:
        text = write(task.given, parts_of(task, rng), style, rng)
        assert trusted.outputs(text, asked) == [oracle(task, value) for value in asked], (task.statement, text)
    assert len(demonstration(task, rng)) <= LONGEST


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_statement_says_the_whole_task(seed):
    task = drawn(seed)
    assert problem.parse(task.statement) == task
    assert task.difficulty == len(task.statement.split(", "))


def test_every_word_is_drawn_and_has_a_mistake():
    words = Counter(step.word for seed in range(400) for step in drawn(seed).steps)
    assert set(words) == set(OPERATIONS)
    assert all(operation.mistakes for operation in OPERATIONS.values())


@pytest.mark.parametrize(
    "text", ["", "x: ", "x: add", "x: add 3,double", "b: add 3", "x: sum", "a: sum, sort", "x:add 3"]
)
def test_what_is_no_statement_is_refused(text):
    with pytest.raises(ValueError, match=r"is no task"):
        problem.parse(text)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_no_operation_is_without_effect(seed):
    task = drawn(seed)
    asked = inputs.every(task.given)
    for i in range(task.difficulty):
        shorter = problem.Problem(task.given, task.steps[:i] + task.steps[i + 1 :])
        if task.steps[i].operation.stage != "reduce":
            assert [shorter.answer(v) for v in asked] != [task.answer(v) for v in asked]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_hidden_tests_catch_every_flaw_of_the_catalogue_and_no_right_program(seed):
    task, rng = drawn(seed), random.Random(seed)
    asked = gold_inputs(task)
    right = [task.answer(value) for value in asked]
    assert len(asked) >= LEAST
    assert len(set(map(repr, asked))) == len(asked)
    flaws = mutants.catalogue(task)
    assert flaws
    for text in flaws:
        differs = any(
            not trusted.same(own, task.answer(value))
            for own, value in zip(
                trusted.outputs(text, inputs.every(task.given)), inputs.every(task.given), strict=True
            )
        )
        passes = all(map(trusted.same, trusted.outputs(text, asked), right))
        assert passes is not differs, (task.statement, text)
    assert trusted.outputs(demonstration(task, rng), asked) == right


def test_flaws_are_of_the_kind_they_are_called():
    found = {"near": [], "wrong": []}
    for seed in range(60):
        task = drawn(seed)
        rng = random.Random(seed)
        fresh = list(islice(inputs.anything(task.given, random.Random(seed + 1)), 60))
        for kind in ("near", "wrong"):
            text = mutants.mutant(task, rng, kind)
            if text is None:
                continue
            share = sum(map(trusted.same, trusted.outputs(text, fresh), map(task.answer, fresh))) / len(fresh)
            assert mutants.misses(task, text)
            found[kind].append(share)
    # other random inputs than those by which they were called so: the border is not sharp
    assert min(map(len, found.values())) > 40
    assert min(found["near"]) > 0.3
    assert max(found["wrong"]) < 0.7
    assert sum(share >= 0.5 for share in found["near"]) > 0.8 * len(found["near"])
    assert sum(share < 0.5 for share in found["wrong"]) > 0.9 * len(found["wrong"])


def test_harder_tasks_have_fewer_right_solutions_and_many_forms():
    right, forms = Counter(), Counter()
    for seed in range(80):
        task = drawn(seed)
        found = pool.solutions(task, 8, 0, Skill())
        assert found == pool.solutions(task, 8, 0, Skill())
        for solution in found:
            assert (not mutants.misses(task, solution.program)) is (solution.kind == "correct")
            right[task.difficulty] += solution.kind == "correct"
        forms[task.difficulty] += len({s.form for s in found if s.kind == "correct"})
    assert right[1] > right[2] > right[3] > right[4]
    assert forms[3] > 0.7 * right[3]


def test_a_form_is_blind_to_layout_brackets_and_names_and_to_nothing_else():
    one = "def f(x):return (x+3)*2"
    assert form(one) == form("def f(value):\n    return ((value + 3) * 2)")
    for other in (
        "def f(x):return 2*(x+3)",
        "def f(x):return x+3*2",
        "def f(x):y=x+3;return y*2",
        "def g(x):return (x+3)*2",
    ):
        assert form(other) != form(one)
    assert form("def f(a):return[x for x in a]") == form("def f(b):return [y for y in b]")
    assert form("def f(") != form("def f(x")
    assert parsed("(" * 100_000) is None


def test_only_our_own_text_is_run_in_this_process():
    assert trusted.outputs(Written("def f(x):return x+1"), [1]) == [2]
    with pytest.raises(TypeError, match=r"outside the sandbox"):
        trusted.outputs("def f(x):return x+1", [1])  # type: ignore[arg-type]


# the task


def test_it_is_a_task_and_deterministic():
    assert isinstance(WORLD, Task)
    assert WORLD.eval_prompts() == Programs().eval_prompts()
    for stream in ("train_prompts", "warmup_prompts"):
        first, again, other = (list(islice(getattr(WORLD, stream)(random.Random(s)), 20)) for s in (3, 3, 4))
        assert first == again != other


def test_tasks_that_compute_the_same_are_on_one_side():
    held_out = {prompt.id for prompt in WORLD.eval_prompts()}
    assert len(held_out) == 128
    for prompt in WORLD.eval_prompts():
        assert split_of(problem_of(prompt).key, 0.2) == "eval"
    for prompt in islice(WORLD.warmup_prompts(random.Random(0)), 500):
        assert prompt.id not in held_out
        assert split_of(problem_of(prompt).key, 0.2) == "train"
    assert problem.parse("x: add 3, neg").key == problem.parse("x: neg, sub 3").key
    assert problem.parse("x: add 3").key != problem.parse("x: add 4").key


def test_difficulties_are_mixed_and_the_dial_moves_them():
    mixed = Counter(p.difficulty for p in islice(WORLD.untested_prompts(random.Random(0)), 400))
    assert set(mixed) == {1.0, 2.0, 3.0, 4.0}
    assert min(mixed.values()) > 70
    eased = Counter(p.difficulty for p in islice(WORLD.warmup_prompts(random.Random(0)), 300))
    assert eased[1.0] + eased[2.0] > 1.3 * (eased[3.0] + eased[4.0]) > 0
    hard = Programs(operations=3, operations_min=3, eval_prompts=4)
    assert {p.difficulty for p in islice(hard.train_prompts(random.Random(0)), 20)} == {3.0}


@pytest.mark.parametrize(
    ("dials", "word"),
    [
        ({"operations": 0}, "operations"),
        ({"operations": 2, "operations_min": 3}, "operations_min"),
        ({"list_share": 1.5}, "list_share"),
        ({"suite": "minimall"}, 'suite is .minimall. .did you mean "minimal"'),
        ({"tests": 0}, "tests"),
        ({"error_rate": -0.1}, "error_rate"),
        ({"eval_share": 1}, "eval_share"),
    ],
)
def test_bad_dials_are_refused_in_one_line(dials, word):
    with pytest.raises(UserError, match=word) as caught:
        Programs(**dials)
    assert str(caught.value).startswith("data=programs")
    assert "\n" not in str(caught.value)


def test_prompts_carry_what_rewards_read():
    world = Programs(suite="minimal", tests=5, error_rate=0.4, eval_prompts=8)
    for prompt in [*world.eval_prompts(), *islice(world.train_prompts(random.Random(0)), 20)]:
        assert len(prompt.reference["tests"]) == 5
        assert prompt.reference["gold"] != prompt.reference["tests"]
        assert set(Programs.reference_keys) <= set(prompt.reference)
        given = [ast.literal_eval(t.removeprefix("assert f(").partition(") == ")[0]) for t in prompt.reference["tests"]]
        wanted = [ast.literal_eval(t.partition(" == ")[2]) for t in prompt.reference["tests"]]
        assert sum(oracle(problem_of(prompt), v) != w for v, w in zip(given, wanted, strict=True)) == 2
        assert set(prompt.text) <= set(WORLD.alphabet)
        assert set(world.demonstrate(prompt, random.Random(0))) <= set(WORLD.alphabet)


def test_the_sandbox_judges_demonstrations_right_and_flaws_wrong():
    rng = random.Random(0)
    prompts, texts, truth = [], [], []
    for prompt in WORLD.eval_prompts()[:6]:
        for text, right in ((WORLD.demonstrate(prompt, rng), True), (WORLD.corrupt(prompt, rng), False)):
            prompts.append(prompt)
            texts.append(text)
            truth.append(right)
    assert WORLD.judge(prompts, texts) == truth
    assert WORLD.correct(prompts[0], texts[0])
    with pytest.raises(UserError, match=r"there is no flaw"):
        WORLD.corrupt(prompts[0], rng, "nera")


TOUCHES = "try:\n import crucible.errors as e;e.touched=1\nexcept Exception:pass\ndef f(x):return x"
TEXTS = ["", "def f(x)", "x" * 50_000, "(" * 5000, "\x00", "def f(x):return\ud800", TOUCHES, "while 1:pass"]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_raises_passes_or_runs_here(text):
    prompt = next(p for p in WORLD.eval_prompts() if p.difficulty == 2)
    assert WORLD.correct(prompt, text) is False
    assert not hasattr(sys.modules["crucible.errors"], "touched")


def test_a_program_is_run_once(monkeypatch):
    from crucible.data.programs import judging

    runs = []
    monkeypatch.setattr(judging, "passes", lambda prompt, text: runs.append(text) or len(text) > 3)
    judge = judging.Judge()
    prompt = WORLD.eval_prompts()[0]
    assert judge([prompt] * 3, ["long text", "no", "long text"]) == [True, False, True]
    assert judge([prompt], ["no"]) == [False]
    assert sorted(runs) == ["long text", "no"]
