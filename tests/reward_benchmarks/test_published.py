"""The published overalls of 2509.21319 are recomputed from their category columns by the functions that score here."""

from __future__ import annotations

import pytest

from crucible.analysis.statistics import Interval
from crucible.analysis.tables.reference import printed, read_reference
from crucible.reward_benchmarks.judgebench import SIZES, micro
from crucible.reward_benchmarks.rm_bench import overall
from tests.conftest import ROOT

NUMBERS = read_reference("rlbff", ROOT / "analysis")
OTHER_AVERAGING = {  # b.8: their difficulty columns do not average to the overall
    "Llama-3.3-Nemotron-70B-Reward", "Llama-3.3-Nemotron-70B-Reward-Multilingual", "Llama-3.1-Nemotron-70B-Reward",
    "Skywork-Reward-Gemma-2-27B",
}  # fmt: skip


def models(benchmark: str, column: str) -> list[str]:
    return [n.model for n in NUMBERS if n.metric == f"{benchmark} {column}"]


def value(model: str, metric: str) -> float:
    found = printed(NUMBERS, {"model": model, "metric": metric}, where="test")
    assert found is not None
    assert found.unit == "%"
    return float(found.value)


def mean(model: str, columns: tuple[str, ...]) -> float:
    values = [value(model, f"RM-Bench {c}") / 100 for c in columns]
    return 100 * overall({c: Interval(v, v, v, 1, "printed") for c, v in zip(columns, values, strict=True)}).value


def test_eleven_rows_have_their_columns_and_the_twelfth_its_overall_alone() -> None:
    for benchmark, column in (("RM-Bench", "chat"), ("JudgeBench", "knowledge")):
        assert len(models(benchmark, column)) == 11
        assert set(models(benchmark, "overall")) - set(models(benchmark, column)) == {"Bradley-Terry on the same data"}


@pytest.mark.parametrize("model", models("RM-Bench", "chat"))
def test_rm_bench_domains_average_to_the_overall(model) -> None:
    assert abs(mean(model, ("chat", "math", "code", "safety")) - value(model, "RM-Bench overall")) < 0.1


@pytest.mark.parametrize("model", models("RM-Bench", "chat"))
def test_rm_bench_difficulties_average_to_the_overall_but_in_four_rows(model) -> None:
    difference = abs(mean(model, ("easy", "normal", "hard")) - value(model, "RM-Bench overall"))
    assert difference > 1 if model in OTHER_AVERAGING else difference < 0.1


@pytest.mark.parametrize("model", models("JudgeBench", "knowledge"))
def test_judgebench_overall_is_the_micro_average_of_whole_counts(model) -> None:
    right = {}
    for category, column in {
        "knowledge": "knowledge",
        "reasoning": "reasoning",
        "math": "math",
        "coding": "code",
    }.items():
        n, share = SIZES["gpt-4o"][category], value(model, f"JudgeBench {column}")
        count = round(n * share / 100)
        assert abs(100 * count / n - share) < 0.1, "the printed share is no count of these"
        right[category] = [True] * count + [False] * (n - count)
    assert f"{100 * micro(right).value:.1f}" == f"{value(model, 'JudgeBench overall'):.1f}"


def test_two_counts_by_hand() -> None:
    for model, count in (("Flexible Principles GenRM", 115 + 84 + 48 + 38), ("Flexible Principles ScalarRM", 267)):
        assert round(350 * value(model, "JudgeBench overall") / 100) == count
