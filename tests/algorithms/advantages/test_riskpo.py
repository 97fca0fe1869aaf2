"""RiskPO: bundles, papers and quantiles."""

from __future__ import annotations

from statistics import mean, stdev

import numpy as np
import pytest
import torch
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.riskpo import RiskPO
from crucible.errors import UserError

EXCEPTIONS = {
    "row_order": "paper k is the k-th completion of each prompt",
    "group_of_one": "its paper is measured against the other papers of the bundle",
}


def oracle(rows, bundle=5, lower=0.2, upper=0.8, tail=1.5, tracked=None, baseline=True, divide=False, mix=False):
    prompts = groups_of(rows)
    found = [0.0] * len(rows)
    for start in range(0, len(prompts), bundle):
        exam = prompts[start : start + bundle]
        papers = max(len(p) for p in exam)
        share = bundle / len(exam)
        score = [
            share * sum(rows[p[k]].reward if k < len(p) else mean(rows[i].reward for i in p) for p in exam)
            for k in range(papers)
        ]
        q_d, q_u = tracked or (np.quantile(score, lower), np.quantile(score, upper))
        spread = (stdev(score) if papers > 1 else 0.0) + 1e-6 if divide else 1.0
        for k, s in enumerate(score):
            a = max(s - q_d, 0) - max(s - q_u, 0) + (q_d - q_u if baseline else 0.0)
            c = -max(q_d - s, 0) / (lower + 1e-6)
            value = (tail * c + a / (upper - lower + 1e-6)) / (tail + 1) / spread
            for p in exam:
                if k < len(p):
                    found[p[k]] = value
    return found


def fresh(**options):
    return lambda scores, group, mask: RiskPO(**options)(scores, group, mask)


def test_against_loops():
    agree(fresh(quantiles="batch"), oracle)
    agree(fresh(quantiles="batch", bundle=2), lambda rows: oracle(rows, bundle=2))
    options = {"upper": 0.9, "tail": 0.5, "baseline": False}
    agree(fresh(quantiles="batch", divide_by_std=True, **options), lambda rows: oracle(rows, divide=True, **options))


def test_shares_of_a_paper():
    def scored(rows):
        return [x * (0.5 if row.reward >= 1 else 1.5) for x, row in zip(oracle(rows), rows, strict=True)]

    def by_std(rows):
        spread = {rows[p[0]].group: stdev(rows[i].reward for i in p) if len(p) > 1 else 0.0 for p in groups_of(rows)}
        return [x / (spread[row.group] + 1e-6) for x, row in zip(oracle(rows), rows, strict=True)]

    agree(fresh(quantiles="batch", share="score"), scored)
    agree(fresh(quantiles="batch", share="std"), by_std, kinds=("graded",), close=1e-7)
    with pytest.raises(UserError, match='did you mean "score"'):
        RiskPO(share="scores")


def test_worked_numbers():
    """One prompt, four papers S = [0, 2, 3, 5], remembered quantiles 1 and 4."""
    part = RiskPO(bundle=1, quantiles="track")
    part.load_state_dict({"tracked": (1.0, 4.0)})
    check(part, [0, 2, 3, 5], [-5, -1.333333, -0.666667, 0], close=2e-5)
    assert part.tracked == pytest.approx((0.995, 4.005))  # 1 + .1 (.2 - 1/4), 4 + .1 (.8 - 3/4)


def test_papers_join_the_kth_completions_of_a_bundle():
    """Rewards [1, 0], [1, 1]: papers 2 and 1. Both rows of paper 2 get what the better paper gets."""
    part = RiskPO(bundle=2, quantiles="batch", lower=0.4, upper=0.6)
    check(part, [1, 0, 1, 1], oracle_of([1, 0, 1, 1], [0, 0, 1, 1], bundle=2, lower=0.4, upper=0.6), [0, 0, 1, 1])


def oracle_of(reward, group, **options):
    from types import SimpleNamespace

    return oracle([SimpleNamespace(reward=r, group=g) for r, g in zip(reward, group, strict=True)], **options)


def test_mix_is_the_mean_of_both():
    part = RiskPO(bundle=1)
    part.load_state_dict({"tracked": (1.0, 4.0)})
    own = np.quantile([0, 2, 3, 5], [0.2, 0.8])
    expected = oracle_of([0, 2, 3, 5], [0] * 4, bundle=1, tracked=((own[0] + 1) / 2, (own[1] + 4) / 2))
    check(part, [0, 2, 3, 5], expected, close=1e-6)


def test_the_remembered_quantiles_start_at_the_first_batch_and_move():
    part = RiskPO(bundle=1, quantiles="track")
    check(part, [0, 1, 2, 3, 4], oracle_of([0, 1, 2, 3, 4], [0] * 5, bundle=1), close=1e-6)
    assert part.tracked[0] == pytest.approx(0.8 + 0.1 * (0.2 - 0.2))
    assert part.tracked[1] == pytest.approx(3.2 + 0.1 * (0.8 - 0.8))
    check(part, [9, 9], oracle_of([9, 9], [0, 0], bundle=1, tracked=(0.8, 3.2)), close=1e-6)


def test_a_short_last_bundle_is_scaled_up():
    part = RiskPO(bundle=2, quantiles="batch")
    found = [0.0, 1, 0, 1, 0, 1]
    check(part, found, oracle_of(found, [0, 0, 1, 1, 2, 2], bundle=2), [0, 0, 1, 1, 2, 2])


def test_the_state_survives_a_checkpoint():
    part, again = RiskPO(bundle=1), RiskPO(bundle=1)
    check(part, [0, 1, 1, 3], oracle_of([0, 1, 1, 3], [0] * 4, bundle=1))
    again.load_state_dict(part.state_dict())
    assert again.tracked == part.tracked
    fresh_state = RiskPO()
    fresh_state.load_state_dict(RiskPO().state_dict())
    assert fresh_state.tracked is None


def test_impossible_options_are_refused():
    with pytest.raises(UserError, match='did you mean "track"'):
        RiskPO(quantiles="tracked")
    with pytest.raises(UserError, match="0 < lower < upper < 1"):
        RiskPO(lower=0.9)


def test_single_precision():
    part = RiskPO()
    from crucible.types import Scores

    found = part(Scores(torch.tensor([1.0, 0.0])), torch.tensor([0, 0]), torch.ones(2, 1))
    assert found.values.dtype == torch.float32
