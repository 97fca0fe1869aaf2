"""Rates against loops over the rows, intervals against known special cases and the bootstrap."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from crucible.analysis.statistics import mean_interval
from crucible.analysis.verification.counts import count, read_counts, write_counts
from crucible.analysis.verification.rates import RATES, compared, rate
from crucible.analysis.verification.ratios import difference, ratio
from crucible.analysis.verification.verdicts import Verdict, read_verdicts, with_wrong_tests
from crucible.analysis.verification.verifiers import verifier
from crucible.errors import UserError
from tests.analysis.verification.world import random_rows, write

LABELS = ("all", "tests@0.5", "tests@0.75", "tests@1", "judge@0.5", "both@0.5+0.5", "either@0.5+0.5", "mean@0.6+0.5")


def oracle_accepts(row: dict[str, Any], label: str) -> bool | None:
    kind, _, levels = label.partition("@")
    one, _, two = levels.partition("+")
    v = row["outcomes"].count("passed") / len(row["outcomes"]) if row["outcomes"] else None
    j = row["judge"]
    if kind == "all":
        return True
    if kind == "tests":
        return None if v is None else v >= float(one)
    if kind == "judge":
        return None if j is None else j >= float(one)
    if v is None or j is None:
        return None
    if kind == "mean":
        return float(two) * v + (1 - float(two)) * j >= float(one) - 1e-9
    passed, said = v >= float(one), j >= float(two)
    return (passed and said) if kind == "both" else (passed or said)


def oracle(rows: list[dict[str, Any]], label: str, name: str, difficulty: int | None) -> float | None:
    """The rate by its definition, over the rows of one suite."""
    rows = [r for r in rows if difficulty in (None, r["difficulty"])]
    judged = [(r, a) for r in rows if (a := oracle_accepts(r, label)) is not None]
    accepted = [r for r, a in judged if a]
    right = [(r, a) for r, a in judged if r["gold"] is True]
    wrong = [(r, a) for r, a in judged if r["gold"] is False]

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    def problems(items: list[dict[str, Any]]) -> int:
        return len({r["problem"] for r in items})

    def forms(items: list[dict[str, Any]]) -> int:
        return len({(r["problem"], r["form"]) for r in items})

    known = [r for r in accepted if r["gold"] is not None]
    kept_right = [r for r, a in right if a]
    return {
        "kept": share(len(accepted), len(judged)),
        "precision": share(sum(r["gold"] for r in known), len(known)),
        "recall": share(len(kept_right), len(right)),
        "false_reject": share(len(right) - len(kept_right), len(right)),
        "false_accept": share(sum(a for _, a in wrong), len(wrong)),
        "problems": share(problems(accepted), problems([r for r, _ in judged])),
        "reach": share(problems(kept_right), problems([r for r, _ in right])),
        "diversity": share(forms(kept_right), forms([r for r, _ in right])),
    }[name]


@pytest.mark.parametrize("seed", range(4))
def test_every_rate_is_what_its_definition_says(tmp_path: Path, seed: int) -> None:
    rows = random_rows(seed)
    suites = count(read_verdicts([write(tmp_path / "v.jsonl", rows)]), LABELS)
    for suite, counted in suites.items():
        own = [row for row in rows if row["suite"] == suite]
        for label in LABELS:
            for name in RATES:
                for difficulty in (None, 1, 2, 3):
                    found = rate(counted, label, name, None if difficulty is None else [difficulty])
                    expected = oracle(own, label, name, difficulty)
                    assert (found is None) == (expected is None), (label, name, difficulty)
                    if found is not None:
                        assert found.value == pytest.approx(expected), (label, name, difficulty)
                        assert found.low <= found.value + 1e-12
                        assert found.high >= found.value - 1e-12


def test_monotony_in_tau(tmp_path: Path) -> None:
    """D(tau) shrinks as tau grows; at tau = 1 more tests can only shrink it."""
    rows = [r for r in random_rows(5, problems=60) if r["outcomes"]]
    taus = [f"tests@{t}" for t in (0.1, 0.3, 0.5, 0.7, 0.9, 1)]
    for suite in count(read_verdicts([write(tmp_path / "v.jsonl", rows)]), taus).values():
        for name in ("kept", "recall", "false_accept", "problems", "reach", "diversity"):
            values = [rate(suite, label, name).value for label in taus]  # type: ignore[union-attr]
            assert values == sorted(values, reverse=True), name
    fewer = [r | {"outcomes": r["outcomes"][:-1], "v": None} for r in rows]
    less = count(read_verdicts([write(tmp_path / "w.jsonl", fewer)]), ["tests@1"])
    more = count(read_verdicts([write(tmp_path / "v.jsonl", rows)]), ["tests@1"])
    for name, suite in more.items():
        assert (
            suite.counts("tests@1").accepted[less[name].tests > 0]
            <= less[name].counts("tests@1").accepted[less[name].tests > 0]
        ).all()


def test_equal_problems_give_the_t_interval_over_problems() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 6, 40), np.full(40, 5)
    a = np.minimum(a, b)
    ours, theirs = ratio(a, b), mean_interval(a / b)
    assert ours is not None
    assert (ours.value, ours.low, ours.high, ours.n) == pytest.approx((theirs.value, theirs.low, theirs.high, theirs.n))


def test_the_standard_error_is_that_of_resampling_problems() -> None:
    rng = np.random.default_rng(2)
    b = rng.integers(0, 9, 300)
    p = rng.beta(2, 2, 300)  # problems differ: a cluster says less than as many independent draws
    a = rng.binomial(b, p)
    found = ratio(a, b)
    assert found is not None
    draws = rng.integers(0, 300, (4000, 300))
    resampled = a[draws].sum(1) / b[draws].sum(1)
    half = stats.t.ppf(0.975, (b > 0).sum() - 1) * resampled.std()
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)
    independent = 1.96 * math.sqrt(found.value * (1 - found.value) / b.sum())
    assert (found.high - found.low) / 2 > 1.2 * independent


def test_no_variation_is_no_knowledge() -> None:
    for a, value in ((np.zeros(20), 0.0), (np.full(20, 3), 1.0)):
        found = ratio(a, np.full(20, 3))
        assert found is not None
        assert found.value == value
        assert found.high - found.low > 0.1
    assert ratio([0, 0], [0, 0]) is None
    with pytest.raises(UserError, match="0 <= part <= whole"):
        ratio([2], [1])


def test_differences() -> None:
    rng = np.random.default_rng(3)
    b = np.full(30, 4)
    x, y = rng.integers(0, 4, 30), rng.integers(1, 5, 30)
    ids = [f"p{i}" for i in range(30)]
    found = difference((x, b), (y, b), problems=(ids, ids))
    assert found is not None
    assert found.p == pytest.approx(stats.ttest_rel(y / 4, x / 4).pvalue)
    assert found.interval.value == pytest.approx((y - x).mean() / 4)
    assert "paired by problem" in found.method
    order = rng.permutation(30)  # pairs are found by name, not by place
    again = difference((x, b), (y[order], b[order]), problems=(ids, [ids[i] for i in order]))
    assert again is not None
    assert again.p == pytest.approx(found.p)
    apart = difference((x, b), (y, b), problems=(ids, [f"q{i}" for i in range(30)]))
    assert apart is not None
    own = [ratio(side, b) for side in (x, y)]
    se = [(i.high - i.low) / 2 / stats.t.ppf(0.975, 29) for i in own if i is not None]
    half = (apart.interval.high - apart.interval.low) / 2 / stats.t.ppf(0.975, 59)
    assert half == pytest.approx(math.hypot(*se), rel=0.02)
    assert "two sets" in apart.method
    assert difference((x, b), (x, np.zeros(30)), problems=(ids, ids)) is None if not x.any() else True
    same = difference((x, b), (x, b), problems=(ids, ids))
    assert same is not None
    assert math.isnan(same.p)


def test_verifiers_and_suites_are_compared_on_the_same_problems(tmp_path: Path) -> None:
    rows = [r for r in random_rows(7, problems=80) if r["outcomes"] and r["judge"] is not None]
    suites = count(read_verdicts([write(tmp_path / "v.jsonl", rows)]), LABELS)
    found = compared("recall", (suites["weak"], "tests@1", None), (suites["weak"], "either@0.5+0.5", None))
    assert found is not None
    values = [rate(suites["weak"], label, "recall") for label in ("tests@1", "either@0.5+0.5")]
    assert found.interval.value == pytest.approx(values[1].value - values[0].value)  # type: ignore[union-attr]
    assert found.interval.value > 0  # either accepts whatever tests@1 accepts
    with pytest.raises(UserError, match=r'did you mean "recall"'):
        rate(suites["weak"], "tests@1", "recal")
    with pytest.raises(UserError, match=r'was not counted \(did you mean "tests@1"'):
        rate(suites["weak"], "tests@1.0", "recall")


def test_wrong_tests() -> None:
    """Without the wrong test the right program passes all; the wrong one is told by the sound test alone."""
    rows = [
        Verdict("p", "a", 1, "s", ("passed", "failed"), True, "f"),
        Verdict("p", "b", 1, "s", ("failed", "passed"), False, "f"),
    ]
    told = with_wrong_tests(rows, [{"problem": "p", "suite": "s", "wrong": [False, True]}])
    assert [verifier("sound@1").accepts(row) for row in told] == [True, False]
    assert [verifier("tests@1").accepts(row) for row in told] == [False, False]
    by_reference = with_wrong_tests(rows, [{"problem": "p", "suite": "s", "reference_outcomes": ["passed", "failed"]}])
    assert by_reference == told
    assert with_wrong_tests(rows, [{"problem": "q", "suite": "s", "wrong": [True]}]) == rows
    with pytest.raises(UserError, match="3 tests, but solution a has 2 outcomes"):
        with_wrong_tests(rows, [{"problem": "p", "suite": "s", "wrong": [False, True, True]}])


def test_counts_are_kept_in_a_file(tmp_path: Path) -> None:
    suites = count(read_verdicts([write(tmp_path / "v.jsonl", random_rows(9))]), LABELS)
    write_counts(tmp_path / "c.json", suites, made_by="a test", files=["v.jsonl"])
    again = read_counts(tmp_path / "c.json")
    for name, suite in suites.items():
        for label in LABELS:
            for which in RATES:
                assert rate(again[name], label, which) == rate(suite, label, which)
    (tmp_path / "d.json").write_text('{"format": "other"}')
    (tmp_path / "e.json").write_text(json.dumps({"format": "crucible verification 1", "suites": {"s": {}}}))
    for name, reason in (("d", "holds no counts"), ("e", "is damaged"), ("f", "no file")):
        with pytest.raises(UserError, match=reason):
            read_counts(tmp_path / f"{name}.json")


BAD = [
    ({"outcomes": None}, "no 'outcomes'"),
    ({"outcomes": "passed"}, "must be a list of words"),
    ({"gold": 1}, "gold must be true, false or null"),
    ({"judge": "yes"}, "judge must be a number or null"),
    ({"v": 0.9}, "v is 0.9, but 1 of 2 tests passed"),
    ({"solution": "s0"}, "is judged twice, first at .*v.jsonl:1"),
    ({"difficulty": 2}, "difficulty 2 here and 1 before"),
]


@pytest.mark.parametrize(("change", "reason"), BAD, ids=range(len(BAD)))
def test_rows_that_are_no_verdicts_are_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    rows = [
        {"problem": "p", "solution": f"s{i}", "difficulty": 1, "suite": "a", "outcomes": ["passed", "failed"], "v": 0.5,
         "gold": True, "form": "f"} for i in range(2)
    ]  # fmt: skip
    with pytest.raises(UserError, match=reason) as caught:
        read_verdicts([write(tmp_path / "v.jsonl", [rows[0], rows[1] | change])])
    assert "v.jsonl:2" in str(caught.value)


@pytest.mark.parametrize("text", ["tests", "tests@2", "both@0.5", "judge@0.5+0.5", "all@1", "tests@0.5@", "exams@1"])
def test_texts_that_are_no_verifier(text: str) -> None:
    with pytest.raises(UserError):
        verifier(text)


def test_ties_pass() -> None:
    row = Verdict("p", "a", 1, "s", ("passed",) * 7 + ("failed",) * 3, True, "f", judge=0.5)
    assert verifier("tests@0.7").accepts(row) is True
    assert verifier("judge@0.5").accepts(row) is True
    assert verifier("mean@0.6+0.5").accepts(row) is True
