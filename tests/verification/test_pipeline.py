"""The pipeline: killed anywhere it goes on, shards make one, bad input gets one line, and nothing is lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from crucible.data.programs import trusted
from crucible.verification import __main__ as program
from crucible.verification import execute, writer
from crucible.verification.command import verification
from tests.rewards.judge.server import serving

SMALL = {"count": 5, "samples": 4, "suite": ("minimal:3", "structured:3:0.2"), "tau": 0.8}
FILES = ("problems", "solutions", "suites", "verdicts", "train", "rejected")


def rows(folder: Path, name: str) -> list[dict]:
    found = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def contents(folder: Path) -> dict[str, list[dict]]:
    return {name: rows(folder, name) for name in FILES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    verification(out=out, **SMALL)
    return out


def lines(*arguments: str, capsys) -> tuple[int, str, str]:
    code = program.main(list(arguments))
    told = capsys.readouterr()
    return code, told.out, told.err


# what it makes


def test_the_files_are_those_of_the_contract(whole):
    made = contents(whole)
    problems = {row["problem"]: row for row in made["problems"]}
    assert len(problems) == 5
    assert {row["suite"] for row in made["verdicts"]} == {"minimal-3", "structured-3-e0.2"}
    assert len(made["verdicts"]) == 5 * 4 * 2
    completions = {(row["problem"], row["solution"]): row for row in made["solutions"]}
    for row in made["verdicts"]:
        solution = completions[row["problem"], row["solution"]]
        assert row["v"] == row["outcomes"].count("passed") / 3
        assert row["gold"] is (solution["kind"] == "correct")
        assert row["gold"] is (set(row["gold_outcomes"]) == {"passed"})
        assert len(row["gold_outcomes"]) == len(problems[row["problem"]]["gold"])
        assert row["difficulty"] == problems[row["problem"]]["difficulty"]
    wrong = [row for row in made["suites"] if row["suite"] == "structured-3-e0.2"]
    assert sum(map(sum, (row["wrong"] for row in wrong))) == 3  # a fifth of 15
    for row in made["suites"]:
        assert [outcome != "passed" for outcome in row["reference_outcomes"]] == row["wrong"]


def test_every_solution_is_trained_on_or_rejected_for_a_reason(whole):
    made = contents(whole)
    own = {(v["problem"], v["solution"]): v for v in made["verdicts"] if v["suite"] == "minimal-3"}
    train, rejected = ({(r["problem"], r["solution"]): r for r in made[name]} for name in ("train", "rejected"))
    assert set(train) | set(rejected) == set(own)
    assert not set(train) & set(rejected)
    assert all(own[key]["v"] >= 0.8 for key in train)
    assert all(row["reason"] and row["outcomes"] == own[key]["outcomes"] for key, row in rejected.items())


def test_no_program_of_the_pool_is_run_in_this_process(tmp_path, monkeypatch):
    """The generator checks its own programs; the pipeline runs all of them, and all tests, in the sandbox."""

    def refuse(*_):
        raise AssertionError("run outside the sandbox")

    solutions = tmp_path / "s.jsonl"
    hostile = "try:\n import crucible.errors as e; e.touched = 1\nexcept Exception: pass\ndef f(x):return x"
    problems = tmp_path / "p.jsonl"
    bare = {"mode": "completion", "prefix": "", "stops": []}
    row = {"problem": "p", "prompt": "identity", "entry_point": "f", "gold": ["assert f(1) == 1"], "program": bare}
    problems.write_text(json.dumps(row))
    solutions.write_text(json.dumps({"problem": "p", "completion": hostile}))
    suites = tmp_path / "t.jsonl"
    suites.write_text(json.dumps({"problem": "p", "suite": "mine", "tests": ["assert f(2) == 2"]}))
    monkeypatch.setattr(trusted, "outputs", refuse)
    verification(out=tmp_path / "out", problems=str(problems), solutions=str(solutions), suites=str(suites))
    (row,) = rows(tmp_path / "out", "verdicts")
    assert (row["v"], row["gold"], row["outcomes"]) == (1.0, True, ["passed"])
    assert not hasattr(sys.modules["crucible.errors"], "touched")


# going on


@pytest.mark.parametrize("after", [1, 4, 9, 14])
def test_killed_anywhere_it_goes_on(whole, tmp_path, monkeypatch, after):
    ran = []
    one = execute.Executor.run

    def dies(self, jobs):
        ran.append(len(jobs))
        if len(ran) > after:
            raise KeyboardInterrupt
        return one(self, jobs)

    with monkeypatch.context() as patched:
        patched.setattr(execute.Executor, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            verification(out=tmp_path, **SMALL)
    assert not (tmp_path / "verdicts.jsonl").exists()
    log = tmp_path / "shards" / "1-of-1" / "suites.jsonl"
    if log.exists() and log.stat().st_size > 20:  # torn in the middle of a line, as by a kill
        log.write_bytes(log.read_bytes()[:-9])
    monkeypatch.setattr(execute.Executor, "run", lambda self, jobs: ran.append(0) or one(self, jobs))
    ran.clear()
    verification(out=tmp_path, **SMALL)
    assert contents(tmp_path) == contents(whole)
    assert len(ran) <= 15 - after + 2  # of 15; what was torn off is done again


def test_shards_make_one(whole, tmp_path):
    said = [verification(out=tmp_path, shard=f"{k}/3", **SMALL) for k in (2, 3)]
    assert all("is done; the files follow when all 3 are" in text for text in said)
    assert not (tmp_path / "train.jsonl").exists()
    verification(out=tmp_path, shard="1/3", **SMALL)
    assert contents(tmp_path) == contents(whole)


def test_another_suite_or_tau_only_adds(whole, tmp_path, monkeypatch):
    verification(out=tmp_path, **SMALL | {"suite": ("structured:3:0.2",)})
    before = contents(tmp_path)
    verification(out=tmp_path, **SMALL | {"suite": ("minimal:3",), "tau": 0.8})
    assert contents(tmp_path)["train"] == contents(whole)["train"]
    monkeypatch.setattr(execute.Executor, "run", None)  # nothing is left to run
    verification(out=tmp_path, **SMALL | {"suite": ("structured:3:0.2",)})
    assert contents(tmp_path)["train"] == before["train"]
    tight = verification(out=tmp_path, **SMALL | {"suite": ("structured:3:0.2",), "tau": 1.0})
    assert len(rows(tmp_path, "train")) <= len(before["train"])
    assert "tau = 1, structured-3-e0.2" in tight


# bad input


def files(folder: Path, *, problem=None, solution=None, suite=None) -> list[str]:
    bare = {"mode": "completion", "prefix": "", "stops": []}
    given = {
        "problems": {"problem": "p", "prompt": "add 1", "entry_point": "f", "gold": ["assert f(1) == 2"],
                     "reference": "def f(x):return x+1", "program": bare} | (problem or {}),
        "solutions": {"problem": "p", "completion": "def f(x):return 1+x"} | (solution or {}),
        "suites": {"problem": "p", "suite": "mine", "tests": ["assert f(2) == 3", "assert f(0) == 1"]} | (suite or {}),
    }  # fmt: skip
    for name, row in given.items():
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    return [f"out={folder / 'out'}", *(f"{name}={folder / name}.jsonl" for name in given)]


def test_files_of_ones_own(tmp_path, capsys):
    code, out, err = lines(*files(tmp_path), capsys=capsys)
    assert (code, err) == (0, "")
    assert "1 solutions (tau = 1, mine), 100.0% of them right" in out
    assert rows(tmp_path / "out", "suites")[0]["reference_outcomes"] == ["passed", "passed"]


def test_a_suite_that_fails_its_own_reference(tmp_path, capsys):
    bad = {"tests": ["assert f(2) == 3", "assert f(0) == 7", "assert f(2)==3"]}
    arguments = files(tmp_path, suite=bad)
    code, _, err = lines(*arguments, "broken=refuse", capsys=capsys)
    assert code == 2
    assert err == (
        "error: suite mine fails the problem's own reference (problem p, test 2: assert f(0) == 7); broken=drop leaves "
        "such tests out\n"
    )
    code, _, err = lines(*arguments, capsys=capsys)
    assert code == 0
    assert err.startswith("suite mine: tests of 1 of 1 problems fail their own reference and are left out (first: ")
    (suite,), (row,) = rows(tmp_path / "out", "suites"), rows(tmp_path / "out", "verdicts")
    assert suite["tests"] == ["assert f(2) == 3"]
    assert (row["v"], row["outcomes"]) == (1.0, ["passed"])


@pytest.mark.parametrize("tests", [[], ["assert f(1) =="], "x = 1"])
def test_a_problem_without_tests_stays_unverified(tmp_path, capsys, tests):
    code, out, err = lines(*files(tmp_path, suite={"tests": tests}), capsys=capsys)
    assert code == 0
    assert err.count("\n") <= 2
    assert "1 of 1" in err
    (row,) = rows(tmp_path / "out", "verdicts")
    assert (row["v"], row["gold"]) == (None, True)
    assert rows(tmp_path / "out", "rejected")[0]["reason"] == "no tests"
    assert "0 solutions" in out


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        ({"problem": {"gold": "assert f(1) == 2", "prompt": 3}}, [], "problems.jsonl:1: prompt is 3, which is no str"),
        ({"solution": {"problem": "q"}}, [], "solutions.jsonl:1: there is no problem 'q'"),
        ({"suite": {"problem": "pp"}}, [], "suites.jsonl:1: there is no problem 'pp' (did you mean \"p\"?)"),
        ({}, ["suite=mnie"], 'suite=mnie: {here}/suites.jsonl has no such suite (did you mean "mine"?); it has mine'),
        ({}, ["language=cobol"], 'unknown sandbox language "cobol"'),
        ({}, ["shard=4/3"], "shard=4/3: write 3/8 for the third of eight shards"),
        ({}, ["tau=0"], "tau=0.0: must be above 0 and at most 1"),
        ({}, ["rule=judge"], "rule=judge needs a judge: choose judge=embedded or endpoint"),
        ({}, ["policy={here}"], "policy={here}: no model there"),
        ({}, ["solutions=endpoint"], "solutions is given twice"),
        ({}, ["suites=generated"], "suites is given twice"),
        ({}, ["judge=endpoint"], "an endpoint is asked for: give endpoint=http://... and endpoint_model=NAME"),
        ({}, ["size=4"], "size=4: the natural size is 1"),
    ],
)  # fmt: skip
def test_one_clear_line(tmp_path, capsys, change, more, message):
    code, out, err = lines(*files(tmp_path, **change), *(m.format(here=tmp_path) for m in more), capsys=capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message.format(here=tmp_path) in err
    assert (tmp_path / "out").exists() is any("size" in option for option in more)  # that is known at the end


def test_a_strategy_that_is_misspelt(tmp_path, capsys):
    code, _, err = lines(f"out={tmp_path / 'out'}", "suite=minimul", capsys=capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith('error: suite=minimul (did you mean "minimal"?): one of gold, minimal')
    assert not (tmp_path / "out").exists()


def test_a_directory_of_other_settings_is_left_alone(whole, capsys):
    before = contents(whole)
    code, _, err = lines(f"out={whole}", "count=5", "samples=3", capsys=capsys)
    assert code == 2
    assert "was begun with solutions count = 4, not 3; give the same options, or another out=" in err
    assert contents(whole) == before


def test_a_file_that_has_changed_is_not_mixed_with_the_old_one(tmp_path, capsys):
    assert lines(*files(tmp_path), capsys=capsys)[0] == 0
    code, _, err = lines(*files(tmp_path, suite={"tests": ["assert f(9) == 10"]}), capsys=capsys)
    assert code == 2
    assert "was begun with suites=" in err
    assert " content = " in err


def test_judges_of_other_rates_are_other_judges(tmp_path):
    small = {"count": 3, "samples": 4, "suite": ("minimal:2",), "judge": "embedded", "out": tmp_path}
    for rate in (0.0, 1.0):
        verification(**small, false_accept=rate, false_reject=rate)
        assert all(row["judge"] == (row["gold"] is (rate == 0.0)) for row in rows(tmp_path, "verdicts"))


def test_the_generator_writes_nothing_for_problems_of_others(tmp_path, capsys):
    given = [a for a in files(tmp_path) if not a.startswith("suites=")]
    code, _, err = lines(*given, capsys=capsys)
    assert code == 2
    assert "was not made by the embedded generator, which cannot write suites for it" in err
    assert not (tmp_path / "out").exists()


# an endpoint


def replies(text: str) -> str:
    """A model that solves `add 1`, writes tests for it, and takes every program for right."""
    if "unit tests" in text:
        harder = "harder to pass" in text
        return f"```python\nassert f({-3 if harder else 1}) == {-2 if harder else 2}\nassert f(5) == 6\nnonsense\n```"
    if "Write a Python function" in text:
        return "Here it is.\n```python\ndef f(x):\n    return x + 1\n```"
    return "It adds 1. \\boxed{A}"


def asks(server, folder: Path) -> list[str]:
    (folder / "p.jsonl").write_text(
        "".join(json.dumps({"problem": n, "prompt": f"{n}: add 1", "entry_point": "f"}) + "\n" for n in "abcd")
    )
    where = server.endpoint().url
    return [
        f"out={folder / 'out'}", f"problems={folder / 'p.jsonl'}", "solutions=endpoint", "suites=endpoint", "samples=2",
        "suite=minimal:2,structured:2,progressive:2", "judge=endpoint", f"endpoint={where}", "endpoint_model=judge-1",
        "endpoint_retries=0", "concurrency=1",
    ]  # fmt: skip


def test_an_endpoint_that_dies_midway_loses_nothing_and_is_paid_once(tmp_path, capsys):
    with serving(replies) as server:
        arguments = asks(server, tmp_path)
        server.script[:] = ["ok"] * 5 + ["reset"] * 50
        code, out, err = lines(*arguments, capsys=capsys)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert err.startswith("error: the endpoint gave no solution for 1 of the requests (")
        assert "run the same command again to go on, nothing is asked twice" in err
        server.script[:] = ["ok"] * 6 + ["reset"] * 50  # 3 solutions are left; then in the middle of the suites
        code, _, err = lines(*arguments, capsys=capsys)
        assert (code, "gave no tests" in err) == (2, True)
        server.script.clear()
        code, out, err = lines(*arguments, capsys=capsys)
        assert (code, err) == (0, "")
        answered = len(server.asked) - 2  # two were reset
        assert answered == len(set(zip(server.asked, range(len(server.asked)), strict=True))) - 2
        asked_once = [t for t in server.asked if "unit tests" in t and "harder" not in t and "candidate" not in t]
        assert len(asked_once) <= 4 + 1  # the minimal tests of four problems; one request was reset
        verdicts = rows(tmp_path / "out", "verdicts")
        assert len(verdicts) == 4 * 2 * 3
        assert {row["v"] for row in verdicts} == {1.0}
        assert {row["judge"] for row in verdicts} == {1.0}
        before = len(server.asked)
        lines(*arguments, capsys=capsys)
        assert len(server.asked) == before


def test_a_refused_key_is_told_in_this_commands_words(tmp_path, capsys):
    with serving(replies) as server:
        arguments = asks(server, tmp_path)
        server.models = ["other"]
        code, _, err = lines(*arguments, capsys=capsys)
    assert code == 2
    assert err == "error: endpoint_model=judge-1: not there; it has other\n"


def test_different_samples_are_different_questions(tmp_path):
    with serving(replies) as server:
        asked = writer.Writer(server.endpoint(), tmp_path)
        assert len(asked.ask([("Write a Python function", 0), ("Write a Python function", 1)])) == 2
        assert len(server.asked) == 2
        asked.ask([("Write a Python function", 1)])
        assert len(server.asked) == 2


# a policy


def test_a_policys_solutions_do_not_depend_on_shards(tmp_path, capsys):
    from crucible.policy.tiny import untrained

    small = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16}
    untrained(**small).save(tmp_path / "run" / "policy")
    given = {"count": 4, "samples": 3, "suite": ("minimal:2",), "policy": tmp_path / "run", "max_tokens": 6}
    verification(out=tmp_path / "one", **given)
    for shard in ("2/2", "1/2"):
        verification(out=tmp_path / "two", shard=shard, **given)
    one, two = (rows(tmp_path / name, "solutions") for name in ("one", "two"))
    assert one == two
    assert len({row["completion"] for row in one}) > 8
    assert {row["v"] for row in rows(tmp_path / "one", "verdicts")} == {0.0}
    assert all(row["reason"] == "V = 0, tau = 1" for row in rows(tmp_path / "one", "rejected"))
