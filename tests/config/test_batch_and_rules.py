"""Impossible combinations are refused with the reason; the batch arithmetic is exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.config.batch import Batch
from crucible.config.check import Origin
from crucible.config.compose import Composed
from crucible.config.rules import broken, enforce
from crucible.errors import UserError

Compose = Callable[..., Composed]


def refused(composed: Compose, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        composed(*overrides)
    return str(caught.value)


def test_the_arithmetic_in_words() -> None:
    batch = Batch(prompts_per_step=64, samples_per_prompt=8, updates_per_rollout=4, micro_batch_tokens=8192)
    assert batch.in_words(100) == (
        "64 prompts x 8 samples = 512 completions a step; 4 updates of 16 prompts (128 completions) each; "
        "micro-batches of at most 8,192 tokens; 100 steps = 400 optimiser steps, 51,200 completions"
    )
    single = Batch(prompts_per_step=1, samples_per_prompt=1, updates_per_rollout=1, micro_batch_tokens=64)
    assert single.in_words(1) == (
        "1 prompt x 1 sample = 1 completion a step; 1 update of 1 prompt (1 completion); "
        "micro-batches of at most 64 tokens; 1 step = 1 optimiser step, 1 completion"
    )


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_refused_batches_name_a_legal_neighbour(prompts: int, updates: int) -> None:
    rest = {"samples_per_prompt": 2, "micro_batch_tokens": 64}
    if prompts % updates == 0:
        batch = Batch(prompts_per_step=prompts, updates_per_rollout=updates, **rest)
        assert batch.prompts_per_update * updates == prompts
        return
    with pytest.raises(UserError) as caught:
        Batch(prompts_per_step=prompts, updates_per_rollout=updates, **rest)
    advice = str(caught.value).partition("nearest: ")[2]
    legal_prompts, legal_updates = (int(part.partition("=")[2]) for part in advice.split(" or "))
    assert legal_prompts % updates == 0
    assert 0 < abs(legal_prompts - prompts) <= max(updates / 2, updates - prompts)
    assert prompts % legal_updates == 0


def test_batch_rules(composed: Compose) -> None:
    assert refused(composed, "batch.updates_per_rollout=5") == (
        "batch.prompts_per_step=64 does not divide into batch.updates_per_rollout=5 equal updates; "
        "nearest: prompts_per_step=65 or updates_per_rollout=4"
    )
    assert refused(composed, "batch.samples_per_prompt=0") == (
        "batch.samples_per_prompt=0 in conf/train: must be at least 1"
    )
    huge = refused(composed, "batch.prompts_per_step=10000000000000000000019")
    assert "nearest: prompts_per_step=10000000000000000000020 or updates_per_rollout=1" in huge
    assert refused(composed, "steps=0") == "steps=0: must be at least 1"
    assert "cannot hold one row" in refused(composed, "batch.micro_batch_tokens=32")
    composed("batch.micro_batch_tokens=33")


def test_a_part_that_needs_another_part(composed: Compose) -> None:
    composed("algo=gspo")
    assert refused(composed, "algo=gspo", "algo/advantage=norm") == (
        "algo.loss=gspo needs algo/advantage=center, not norm: its ratio belongs to whole sequences"
    )


def test_a_part_that_needs_a_number(composed: Compose) -> None:
    assert refused(composed, "batch.samples_per_prompt=1") == (
        "algo.advantage=norm needs batch.samples_per_prompt >= 2, not 1"
    )
    composed("batch.samples_per_prompt=1", "algo/advantage=center")


def test_what_the_data_must_give(composed: Compose) -> None:
    lines = refused(composed, "data=bare", "data.file=x").splitlines()
    assert lines == [
        "reward=exact needs reference answer of each prompt; bare has none",
        "model=Warm needs data with demonstrate(); bare has none",
    ]


@pytest.mark.usefixtures("lab")
def test_options_may_be_named_by_function_or_by_file() -> None:
    config = {
        "algo": {
            "loss": {"_target_": "lab.heavy.gspo"},
            "advantage": {"_target_": "lab.heavy.norm"},
        }
    }
    assert list(broken(config, Origin()))
    assert not list(broken(config, Origin(choices={"algo.advantage": "algo/advantage/center"})))


def test_upper_bounds_and_words_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bounded.py").write_text(
        "@needs(max_temperature=1)\ndef low(): ...\n\n@needs(whatever=3)\ndef odd(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def config(name: str) -> dict[str, object]:
        return {"part": {"_target_": f"bounded.{name}"}, "sampling": {"temperature": 2.0}}

    with pytest.raises(UserError, match=r"part=low needs sampling.temperature <= 1, not 2.0"):
        enforce(config("low"))
    with pytest.raises(ValueError, match="no such constraint"):
        enforce(config("odd"))
