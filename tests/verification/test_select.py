"""D(tau): what it holds, how it shrinks, and that everything else has a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import UserError
from crucible.verification.options import SuiteSpec, Verify
from crucible.verification.records import Verdict
from crucible.verification.select import select


def verdict(
    problem: str, number: int, v: float | None, *, gold: bool | None = None, form: str = "", judge=None
) -> Verdict:
    outcomes = [] if v is None else ["passed"] * round(20 * v) + ["failed"] * (20 - round(20 * v))
    return Verdict(
        problem, f"{problem}/{number}", 1, "s", outcomes, v, gold, None, form or f"{problem} {number}", None, judge
    )


def texts(verdicts, same: str = ""):
    return {(v.problem, v.solution): same or v.solution for v in verdicts}


def kept(verdicts, **options):
    return [v.solution for v in select(verdicts, texts(verdicts), Verify(**options)).kept]


SHARES = st.sampled_from([None, 0.0, 0.25, 0.5, 0.75, 0.8, 1.0])
ROWS = st.tuples(
    st.sampled_from("abc"), SHARES, st.booleans(), st.sampled_from("xyz"), st.sampled_from([None, 0.0, 1.0])
)
POOLS = st.lists(ROWS, max_size=24).map(
    lambda rows: [verdict(p, i, v, gold=g, form=f, judge=j) for i, (p, v, g, f, j) in enumerate(rows)]
)


@settings(max_examples=150, deadline=None)
@given(pool=POOLS, low=st.floats(0.01, 1), high=st.floats(0.01, 1), distinct=st.sampled_from([None, 1, 2]))
def test_it_shrinks_as_tau_grows_and_everything_is_accounted_for(pool, low, high, distinct):
    low, high = sorted((low, high))
    assert set(kept(pool, tau=high)) <= set(kept(pool, tau=low))
    assert set(kept(pool, tau=low)) == {v.solution for v in pool if v.v is not None and v.v >= low - 1e-9}
    found = select(pool, texts(pool), Verify(tau=low, distinct=distinct))
    assert sorted(v.solution for v in found.kept) + sorted(v.solution for v, _ in found.rejected) == [
        *sorted(v.solution for v in found.kept), *sorted({v.solution for v in pool} - {v.solution for v in found.kept})
    ]  # fmt: skip
    assert all(reason for _, reason in found.rejected)
    for problem in "abc":
        forms = [v.form for v in found.kept if v.problem == problem]
        if distinct:
            assert len(forms) == len(set(forms)) <= distinct
            accepted = {v.form for v in pool if v.problem == problem and v.v is not None and v.v >= low - 1e-9}
            assert len(forms) == min(distinct, len(accepted))


@settings(max_examples=100, deadline=None)
@given(outcomes=st.lists(st.booleans(), min_size=1, max_size=12), more=st.lists(st.booleans(), max_size=6))
def test_at_tau_1_more_tests_can_only_shrink_it(outcomes, more):
    v = [sum(o) / len(o) for o in (outcomes, outcomes + more)]
    accepted = [bool(kept([verdict("a", 0, share)], tau=1.0)) for share in v]
    assert accepted[0] >= accepted[1]


def test_ties_pass_whatever_the_rounding():
    assert kept([verdict("a", 0, (0.1 + 0.7) / 1.0), verdict("a", 1, 4 / 5), verdict("a", 2, 0.79)], tau=0.8) == [
        "a/0",
        "a/1",
    ]


def test_without_tests_a_solution_is_unverified():
    found = select([verdict("a", 0, None)], {("a", "a/0"): "x"}, Verify(tau=0.1))
    assert [(v.v, reason) for v, reason in found.rejected] == [(None, "no tests")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("tests", ["a/0", "a/1", "a/4"]),
        ("judge", ["a/0", "a/2"]),
        ("both", ["a/0"]),
        ("either", ["a/0", "a/1", "a/2", "a/4"]),
        ("mean", ["a/0"]),
    ],
)
def test_rules(rule, expected):
    pool = [
        verdict("a", 0, 1.0, judge=1.0), verdict("a", 1, 1.0, judge=0.0), verdict("a", 2, 0.5, judge=1.0),
        verdict("a", 3, 0.5, judge=0.0), verdict("a", 4, 1.0, judge=None),
    ]  # fmt: skip
    assert kept(pool, tau=0.8, rule=rule, judge=object()) == expected
    reasons = [reason for _, reason in select(pool, texts(pool), Verify(tau=0.8, rule=rule, judge=object())).rejected]
    assert all("tau = 0.8" in reason or "judge = " in reason for reason in reasons)


def test_controls():
    pool = [verdict("a", 0, 0.0, gold=True), verdict("a", 1, 1.0, gold=False), verdict("a", 2, None, gold=False)]
    assert kept(pool, control="none") == ["a/0", "a/1", "a/2"]
    assert kept(pool, control="wrong_only") == ["a/1", "a/2"]
    assert kept(pool, control="correct_only") == ["a/0"]
    with pytest.raises(UserError, match=r"needs gold tests; problem a has none"):
        kept([verdict("a", 0, 1.0)], control="wrong_only")


def test_the_same_text_counts_once_and_names_the_first():
    pool = [verdict("a", i, 1.0) for i in range(3)] + [verdict("b", 0, 1.0)]
    found = select(pool, texts(pool, same="def f"), Verify())
    assert [v.solution for v in found.kept] == ["a/0", "b/0"]
    assert [reason for _, reason in found.rejected] == ["repeats a/0", "repeats a/0"]


def test_sizes_are_drawn_and_nested():
    pool = [verdict(p, i, 1.0) for p in "abcdef" for i in range(5)]
    small, large = kept(pool, size=6), kept(pool, size=17)
    assert len(small) == 6
    assert len(large) == 17
    assert set(small) < set(large)
    assert set(kept(pool, size=6, seed=1)) != set(small)
    with pytest.raises(UserError, match=r"verify.size=31: the natural size is 30"):
        kept(pool, size=31)


def test_designs_for_diversity():
    """k distinct for few problems against one for many at one size; and k against one for the same problems."""
    pool = [verdict(p, i, 1.0, form=f"{p} {i % (4 if p < 'e' else 2)}") for p in "abcdefgh" for i in range(6)]
    deep = kept(pool, distinct=4, at_least=4, problems=2, size=8)
    wide = kept(pool, distinct=1, problems=8, size=8)
    assert len({s[0] for s in deep}) == 2
    assert {s[0] for s in wide} == set("abcdefgh")
    one, four = (kept(pool, distinct=k, at_least=4, problems=3) for k in (1, 4))
    assert {s[0] for s in one} == {s[0] for s in four} <= set("abcd")
    assert (len(one), len(four)) == (3, 12)
    with pytest.raises(UserError, match=r"only 4 problems have a solution to keep"):
        kept(pool, at_least=4, problems=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 0}, "verify.tau=0: must be above 0 and at most 1"),
        ({"error_rate": 1.5}, "verify.error_rate=1.5: must be at least 0 and at most 1"),
        ({"distinct": 0}, "verify.distinct=0: must be at least 1"),
        ({"rule": "bothe", "judge": object()}, 'verify.rule=bothe .did you mean "both"..: one of tests'),
        ({"control": "nothing"}, "verify.control=nothing"),
        ({"rule": "judge"}, "verify.rule=judge needs a judge"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, message):
    with pytest.raises(UserError, match=message):
        Verify(**options)


@pytest.mark.parametrize(
    ("text", "name"),
    [("minimal", "minimal-4"), ("structured:8", "structured-8"), ("random:2:0.25", "random-2-e0.25"), ("gold", "gold")],
)
def test_suites_by_name(text, name):
    assert SuiteSpec.parse(text, grows=False, seed=0).name == name
    assert Verify(suite="structured", tests=8, error_rate=0.1, errors_grow=True, suite_seed=2).suite_name == (
        "structured-8-e0.1-grows-s2"
    )


@pytest.mark.parametrize("text", ["minimal:x", "minimal:0", "minimal:4:2", "minimal:4:0.1:9"])
def test_a_suite_that_is_misspelt_is_refused(text):
    with pytest.raises(UserError, match=r"write strategy:tests:error_rate"):
        SuiteSpec.parse(text, grows=False, seed=0)


def test_a_verdict_can_get_a_judges_score():
    assert replace(verdict("a", 0, 1.0), judge=0.5).judge == 0.5
