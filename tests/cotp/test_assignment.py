"""The assignment against all assignments there are; what its two facts about candidates promise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from crucible.cotp import assignment
from crucible.cotp.assignment import assign, of_matrix
from crucible.cotp.nearest import Candidates
from crucible.errors import UserError


def oracle(costs: np.ndarray, o: int) -> float:
    """The least cost of giving each row `o` columns, no column twice: all ways are tried."""

    rows = costs.tolist()

    def best(row: int, free: frozenset[int]) -> float:
        if row == len(rows):
            return 0.0
        ways = combinations(sorted(free), o)
        return min(sum(rows[row][j] for j in taken) + best(row + 1, free - set(taken)) for taken in ways)

    return best(0, frozenset(range(costs.shape[1])))


def few(costs: np.ndarray, k: int) -> Candidates:
    whole = of_matrix(costs)
    return Candidates(whole.distances[:, :k].copy(), whole.items[:, :k].copy(), costs.shape[1])


def random_costs(seed: int, t: int, n: int) -> np.ndarray:
    """Small whole numbers, so that rows compete and many sums are equal."""
    return np.random.default_rng(seed).integers(0, 6, (t, n)).astype(float)


@pytest.mark.parametrize("solver", ["dense", "sparse"])
@pytest.mark.parametrize(("t", "o", "n"), [(3, 1, 5), (2, 2, 6), (3, 2, 7), (1, 4, 5), (2, 3, 6)])
def test_the_hungarian_assignment_is_the_cheapest_of_all(solver, t, o, n, monkeypatch):
    if solver == "sparse":
        monkeypatch.setattr(assignment, "DENSE", 0)
    for seed in range(8):
        costs = random_costs(seed, t, n)
        found = assign(of_matrix(costs), o)
        assert found.cost == pytest.approx(oracle(costs, o))
        assert len(set(found.items.tolist())) == t * o == found.asked
        assert np.bincount(found.core, minlength=t).tolist() == [o] * t
        assert found.distances.tolist() == costs[found.core, found.items].tolist()
        assert found.proven


def test_the_nearest_t_times_o_of_each_row_are_enough():
    for seed in range(30):
        costs = random_costs(seed, 3, 8)
        found = assign(few(costs, 6), 2)
        assert found.proven
        assert found.cost == pytest.approx(oracle(costs, 2))


def test_with_fewer_candidates_it_says_whether_it_is_the_optimum():
    proven = wrong = 0
    for seed in range(200):
        costs = random_costs(seed, 3, 8)
        candidates = few(costs, 2)
        if len(np.unique(candidates.items)) < 3:
            with pytest.raises(UserError, match="core items compete for the same ones; at most 3 are ever needed"):
                assign(candidates, 1)
            continue
        found = assign(candidates, 1)
        best = oracle(costs, 1)
        assert found.cost >= best - 1e-9
        if found.proven:
            proven += 1
            assert found.cost == pytest.approx(best)
        wrong += found.cost > best + 1e-9
    assert proven > 30
    assert wrong > 0  # the mark means something


def test_greedy_is_the_nearest_free_pair_again_and_again_and_never_cheaper():
    def by_hand(costs: np.ndarray, o: int) -> list[tuple[int, int]]:
        free, wants, pairs = set(range(costs.shape[1])), [o] * len(costs), []
        while any(wants):
            _, j, i = min((costs[i, j], j, i) for i in range(len(costs)) if wants[i] for j in free)
            pairs.append((i, j))
            free.discard(j)
            wants[i] -= 1
        return sorted(pairs)

    dearer = 0
    for seed in range(40):
        costs = random_costs(seed, 3, 8)
        found = assign(of_matrix(costs), 2, "greedy")
        assert sorted(zip(found.core.tolist(), found.items.tolist(), strict=True)) == by_hand(costs, 2)
        exact = assign(of_matrix(costs), 2)
        assert exact.cost <= found.cost + 1e-9
        dearer += exact.cost < found.cost - 1e-9
    assert dearer > 0


def test_knn_lets_core_items_share_and_differs_only_where_they_compete():
    costs = np.array([[0.0, 1.0, 5.0, 6.0], [0.5, 9.0, 2.0, 8.0]])
    found = assign(of_matrix(costs), 2, "knn")
    assert found.items.tolist() == [0, 1, 2]  # item 0 is near to both and counts once, for the nearer
    assert found.core.tolist() == [0, 0, 1]
    assert (found.asked, len(found.items)) == (4, 3)
    apart = np.array([[0.0, 1.0, 8.0, 9.0], [8.0, 9.0, 0.0, 1.0]])
    assert assign(of_matrix(apart), 2, "knn").items.tolist() == assign(of_matrix(apart), 2).items.tolist()


def test_one_item_each_is_plain_assignment():
    from scipy.optimize import linear_sum_assignment

    costs = np.random.default_rng(0).random((6, 9))
    rows, columns = linear_sum_assignment(costs)
    found = assign(of_matrix(costs), 1)
    assert dict(zip(found.core.tolist(), found.items.tolist(), strict=True)) == dict(
        zip(rows.tolist(), columns.tolist(), strict=True)
    )


def test_a_pool_that_is_too_small_says_both_numbers():
    with pytest.raises(
        UserError, match=r"the pool has 5 chains, fewer than the 3 x 2 = 6 that 3 core chains with 2 each"
    ):
        assign(of_matrix(np.zeros((3, 5))), 2)
    with pytest.raises(UserError, match="candidates=1: at least per_core=2 are needed"):
        assign(few(np.zeros((3, 9)), 1), 2)
    with pytest.raises(UserError, match="assignment=best: hungarian, greedy or knn"):
        assign(of_matrix(np.zeros((1, 2))), 1, "best")
    with pytest.raises(UserError, match="per_core=0: at least 1"):
        assign(of_matrix(np.zeros((1, 2))), 0)
