"""Claims: the tests behind them by hand, verdicts under Holm's correction, files checked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from crucible.analysis import claim_tests, claims
from crucible.analysis.arms import Arm, assign, read_arms
from crucible.analysis.claim_tests import Evidence, Values, compare
from crucible.analysis.claims import Claim, judge, read_claims
from crucible.analysis.find import find_runs
from crucible.errors import UserError

from ..conftest import ROOT
from .study_runs import write_study


class Known(Values):
    """Arms whose values are given."""

    def __init__(self, **values: dict[int, float]):
        super().__init__({key: Arm(key, key.upper(), {}, i) for i, key in enumerate(values)}, ROOT)
        self.known = values

    def of(self, arm: str, value: str) -> dict[int, float]:
        return self.known[arm]


A = {1: 0.5, 2: 0.6, 3: 0.55, 4: 0.62}
B = {1: 0.4, 2: 0.45, 3: 0.47, 4: 0.5}
C = {1: 0.2, 2: 0.22, 3: 0.3, 4: 0.27}


def paired(a: dict[int, float], b: dict[int, float]) -> float:
    return float(stats.ttest_rel(list(a.values()), list(b.values())).pvalue)


def test_the_same_seeds_are_pairs_and_others_are_not():
    assert compare(A, B).p == pytest.approx(paired(A, B))
    assert compare(A, B).interval.value == pytest.approx(np.mean(list(A.values())) - np.mean(list(B.values())))
    few = {1: 0.4, 2: 0.45}
    assert compare(A, few).p == pytest.approx(stats.ttest_rel([0.5, 0.6], [0.4, 0.45]).pvalue)
    other = {7: 0.4, 8: 0.45, 9: 0.5}
    welch = stats.ttest_ind(list(A.values()), list(other.values()), equal_var=False).pvalue
    assert compare(A, other).p == pytest.approx(welch)


def test_larger_than_several_needs_all_of_them():
    found = claim_tests.larger(Known(a=A, b=B, c=C), a="a", b=["b", "c"], value="x")
    assert found.supports
    assert found.p == pytest.approx(max(paired(A, B), paired(A, C)))
    reverse = claim_tests.larger(Known(a=A, b=B, c=C), a="b", b=["a", "c"], value="x")
    assert not reverse.supports
    assert reverse.p == pytest.approx(paired(A, B))
    both = claim_tests.larger(Known(a=A, b=B, c=C), a="c", b=["a", "b"], value="x")
    assert both.p == pytest.approx(2 * min(paired(A, C), paired(B, C)))


def test_between():
    found = claim_tests.between(Known(a=A, b=B, c=C), arm="b", low="c", high="a", value="x")
    assert found.supports
    assert found.p == pytest.approx(max(paired(B, C), paired(A, B)))


def test_ordered_is_the_linear_contrast_over_seeds():
    found = claim_tests.ordered(Known(a=A, b=B, c=C), arms=["a", "b", "c"], value="x")
    slopes = [-np.polyfit([0, 1, 2], [A[s], B[s], C[s]], 1)[0] for s in A]
    assert found.supports
    assert found.p == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue)
    assert found.parts[0].difference.interval.value == pytest.approx(np.mean(slopes))
    rising = claim_tests.ordered(Known(a=C, b=B, c=A), arms=["a", "b", "c"], value="x")
    assert not rising.supports
    assert rising.p == pytest.approx(found.p)


def test_a_trend_with_two_neighbours_reversed_is_not_the_order():
    found = claim_tests.ordered(
        Known(a=A, b=C, c=B, d={s: v - 0.3 for s, v in B.items()}), arms=list("abcd"), value="x"
    )
    assert not found.supports
    assert found.p == pytest.approx(paired(B, C))
    assert "order is not complete" in found.note


def test_beyond_and_not_larger():
    above = claim_tests.beyond(Known(a=A), arm="a", value="x", above=0.4)
    assert above.supports
    assert above.p == pytest.approx(stats.ttest_1samp(list(A.values()), 0.4).pvalue)
    assert not claim_tests.beyond(Known(a=A), arm="a", value="x", below=0.4).supports
    margin = claim_tests.not_larger(Known(a=A, b=B), a="a", b="b", value="x", factor=1.5)
    assert margin.supports
    assert margin.p == pytest.approx(paired({s: 1.5 * v for s, v in B.items()}, A))
    assert not claim_tests.not_larger(Known(a=A, b=B), a="a", b="b", value="x", factor=1.1).supports
    with pytest.raises(UserError, match="above or below"):
        claim_tests.beyond(Known(a=A), arm="a", value="x")


def test_every_run():
    assert claim_tests.every_run(Known(a=A, b=B), arm=["a", "b"], value="x", above=0.39).exact is True
    assert claim_tests.every_run(Known(a=A, b=B), arm=["a", "b"], value="x", above=0.4).exact is False


def test_arms_without_runs_are_not_judged():
    assert claim_tests.larger(Known(a=A, b={}), a="a", b="b", value="x").missing == ("B has no runs",)


def test_claims_by_unit_tests_need_the_tests_to_exist():
    name = "tests/analysis/test_claims.py::test_every_run"
    assert claim_tests.tested(Known(), tests=[name]).exact is True
    with pytest.raises(UserError, match="no such test"):
        claim_tests.tested(Known(), tests=["tests/analysis/test_claims.py::test_nothing"])


def test_verdicts_are_by_holms_correction(monkeypatch):
    given = {"sure": (0.01, True), "against": (0.012, False), "weak": (0.04, True), "none": (math.nan, True)}

    def stated(values, *, name):
        p, supports = given[name]
        return Evidence(supports=supports, p=p)

    monkeypatch.setitem(claims.KINDS, "stated", stated)
    stated_claims = [Claim(name, name, "", "stated", {"name": name}) for name in given]
    found = judge(stated_claims, {}, root=ROOT)
    assert [f.p for f in found[:3]] == pytest.approx([0.03, 0.03, 0.04])
    assert [f.verdict for f in found] == ["held", "did not hold", "held", "undecided"]
    assert [f.verdict for f in judge(stated_claims, {}, root=ROOT, alpha=0.03)] == ["undecided"] * 4


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The claims of the repository on runs whose answers are known."""
    study = write_study(tmp_path_factory.mktemp("runs") / "study", seeds=5)
    arms, stated = read_claims(ROOT / "analysis" / "claims" / "ce_gppo.yaml", ROOT / "analysis" / "arms")
    assigned, _ = assign(arms, [run for run in find_runs([study]) if run.state == "finished"])
    return {f.claim.id: f for f in judge(stated, assigned, root=ROOT)}


def test_every_kind_of_test_is_used(found):
    used = {f.claim.kind for f in found.values()}
    inner = {
        test["kind"] for f in found.values() for test in f.claim.options.get("tests", ()) if isinstance(test, dict)
    }
    assert used | inner == set(claims.KINDS) - {"rates", "gain_larger"}  # these: tests/analysis/verification


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("gradient_cells", "held"),
        ("entropy_signs", "held"),
        ("entropy_theorem", "held"),
        ("mechanism_was_active", "held"),
        ("without_na_lp_entropy_rises", "held"),
        ("grpo_collapses_fastest", "held"),
        ("ce_gppo_between", "held"),
        ("dapo_rises_first", "did not hold"),
        ("larger_bonus_explodes", "undecided"),
        ("without_pa_lp_entropy_falls", "not run"),
        ("placebo_teaches_nothing", "not run"),
    ],
)
def test_verdicts_on_runs_with_known_answers(found, claim, verdict):
    assert found[claim].verdict == verdict


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{kind: larger, a: grpo, b: dap, value: accuracy}", r'no arm dap \(did you mean "dapo"'),
        ("{kind: lager, a: grpo, b: dapo, value: accuracy}", r'did you mean "larger"'),
        ("{kind: larger, a: grpo, b: dapo}", "needs value"),
        ("{kind: larger, a: grpo, b: dapo, values: accuracy}", r'did you mean "value"'),
        ("{kind: all_of, tests: [{kind: larger, a: grpo, b: dapoo, value: accuracy}]}", r'did you mean "dapo"'),
    ],
)
def test_claim_files_are_checked(tmp_path, test, message):
    path = tmp_path / "c.yaml"
    path.write_text(f"arms: ce_gppo\nclaims:\n  - {{id: x, says: x, source: x, test: {test}}}\n")
    with pytest.raises(UserError, match=message):
        read_claims(path, ROOT / "analysis" / "arms")


def test_arms_of_claims_exist():
    arms = read_arms(ROOT / "analysis" / "arms" / "ce_gppo.yaml")
    read, stated = read_claims(ROOT / "analysis" / "claims" / "ce_gppo.yaml", ROOT / "analysis" / "arms")
    assert list(read) == list(arms)
    assert len({claim.id for claim in stated}) == len(stated)
