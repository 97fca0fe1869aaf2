"""A resumed run draws what it would have drawn; a finite task is gone through in epochs."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.samplers.uniform import Uniform
from crucible.types import Prompt, Sampler, Scores


class Finite:
    name = "finite"

    def __init__(self, size, held_out=()):
        self._pool = [Prompt(id=f"p{i}") for i in range(size)]
        self._held_out = [Prompt(id=name) for name in held_out]

    def train_pool(self):
        return self._pool

    def train_prompts(self, rng):
        raise AssertionError("a finite task is drawn from its pool")

    def eval_prompts(self):
        return self._held_out

    def correct(self, prompt, completion):
        return False


CHAIN = Chain()
TASKS = {"endless": lambda: CHAIN, "finite": lambda: Finite(23)}


def ids(prompts):
    return [p.id for p in prompts]


@pytest.mark.parametrize("kind", TASKS)
def test_a_resumed_sampler_goes_on_as_the_first_would_have(kind):
    first = Uniform(task=TASKS[kind](), seed=5)
    for _ in range(4):
        first.draw(7)
    state = json.loads(json.dumps(first.state_dict()))  # survives a checkpoint in text
    rest = [ids(first.draw(7)) for _ in range(6)]
    again = Uniform(task=TASKS[kind](), seed=99)
    again.load_state_dict(state)
    assert [ids(again.draw(7)) for _ in range(6)] == rest
    assert again.state_dict() == first.state_dict()


@pytest.mark.parametrize("kind", TASKS)
def test_the_seed_decides(kind):
    def draws(seed):
        sampler = Uniform(task=TASKS[kind](), seed=seed)
        return [ids(sampler.draw(8)) for _ in range(3)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert len({tuple(d) for d in draws(1)}) == 3


def test_epochs_without_replacement_across_draws():
    sampler = Uniform(task=Finite(10), seed=0)
    drawn = [name for _ in range(10) for name in ids(sampler.draw(7))]
    for epoch in range(7):
        assert Counter(drawn[10 * epoch : 10 * epoch + 10]) == Counter(f"p{i}" for i in range(10))
    assert drawn[:10] != drawn[10:20]
    assert sampler.epoch == 7.0
    assert ids(Uniform(task=Finite(3), seed=0).draw(8)).count("p0") in (2, 3)


def test_draws_of_another_size_keep_a_finite_order():
    one, other = Uniform(task=Finite(9), seed=3), Uniform(task=Finite(9), seed=3)
    assert ids(one.draw(12)) == ids(other.draw(5)) + ids(other.draw(7))


def test_contamination_is_zero_and_would_show():
    sampler = Uniform(task=CHAIN, seed=0)
    for _ in range(20):
        sampler.draw(64)
    assert sampler.contamination == 0.0
    leaky = Uniform(task=Finite(10, held_out=["p3", "x", "y", "z"]), seed=0)
    leaky.draw(10)
    assert leaky.contamination == 0.25
    again = Uniform(task=Finite(10, held_out=["p3", "x", "y", "z"]), seed=0)
    again.load_state_dict(leaky.state_dict())
    assert again.contamination == 0.25


def test_observe_counts_and_changes_no_draw():
    one, other = Uniform(task=CHAIN, seed=1), Uniform(task=CHAIN, seed=1)
    prompts = one.draw(4)
    assert ids(other.draw(4)) == ids(prompts)
    one.observe(prompts, Scores(total=None))
    assert one.observed == 4
    assert ids(one.draw(4)) == ids(other.draw(4))
    assert one.state_dict()["observed"] == 4


def test_is_a_sampler():
    def accepts(sampler: Sampler) -> Sampler:
        return sampler

    assert accepts(Uniform(task=CHAIN)).draw(2)


def test_a_task_that_runs_dry_is_refused():
    with pytest.raises(UserError, match="no training prompts"):
        Uniform(task=Finite(0)).draw(1)

    class Dry(Finite):
        train_pool = None

        def train_prompts(self, rng):
            return iter([Prompt(id="only")])

    with pytest.raises(UserError, match="gave 1 of 2"):
        Uniform(task=Dry(1)).draw(2)
