"""The state of a reward survives a checkpoint wherever the reward stands."""

from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.modules.sharing import OneReward
from crucible.ranks import ALONE, Ranks
from crucible.rewards.clip import Clip
from crucible.rewards.gated import Gated
from crucible.rewards.hybrid import Hybrid
from crucible.rewards.route import Route
from crucible.rewards.weighted import Weighted
from crucible.types import Answers, Rollouts, Scores
from tests.rewards.cases import context
from tests.rewards.parts import Fixed, of, rows, values


class Counts:
    """Pays the number of times it was asked."""

    needs: tuple[str, ...] = ()

    def __init__(self):
        self.times = 0

    def __call__(self, prompts, completions, context):
        self.times += 1
        return Scores(torch.full((len(prompts),), float(self.times)))

    def state_dict(self):
        return {"times": self.times}

    def load_state_dict(self, state):
        self.times = state["times"]


def weighted(part):
    return Weighted(parts={"counts": part, "plain": Fixed(1.0, 1.0)}, weights={"counts": 1.0, "plain": 0.0})


PLACES = {
    "weighted": weighted,
    "gated": lambda part: Gated(parts={"form": Fixed(1.0, 1.0), "counts": part}, gate="form"),
    "the gate": lambda part: Gated(parts={"gate": part, "right": Fixed(1.0, 1.0)}, gate="gate"),
    "a transform": lambda part: Clip(raw=part, low=None, high=99.0),
    "a transform in a gate in a sum": lambda part: weighted(
        Gated(parts={"form": Fixed(1.0, 1.0), "sum": weighted(Clip(raw=part, low=0.0, high=99.0))}, gate="form")
    ),
    "the model of a hybrid": lambda part: Hybrid(rule=Fixed(0.0, 0.0), model=part),
    "one of several processes": lambda part: OneReward(weighted(part), ALONE),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_part_with_a_state_goes_on_where_it_stopped(place):
    whole, stopped, fresh = (PLACES[place](Counts()) for _ in range(3))
    for _ in range(3):
        of(whole, 2), of(stopped, 2)
    state = stopped.state_dict()
    fresh.load_state_dict(state)
    assert values(of(fresh, 2)) == values(of(whole, 2))
    assert fresh.state_dict() == whole.state_dict() != state


def test_two_parts_keep_their_states_apart():
    first, second = Counts(), Counts()
    second.times = 5
    both = Weighted(parts={"a": first, "b": second}, weights={"a": 1.0, "b": 1.0})
    assert both.state_dict() == {"a": {"times": 0}, "b": {"times": 5}}
    other = Weighted(parts={"a": Counts(), "b": Counts()}, weights={"a": 1.0, "b": 1.0})
    other.load_state_dict(both.state_dict())
    assert (other.parts["a"].times, other.parts["b"].times) == (0, 5)


def test_where_nothing_has_a_state_there_is_none_to_ask_for():
    """Checkpoints of runs from before stay loadable: nothing of theirs is missing."""
    plain = Gated(parts={"form": Fixed(1.0), "sum": Hybrid(rule=Fixed(1.0), model=Fixed(1.0))}, gate="form")
    assert not hasattr(plain, "state_dict")
    assert not hasattr(OneReward(plain, ALONE), "state_dict")


def test_only_the_main_process_has_the_state():
    class Second(Ranks):
        """Rank 1 of 2, told by hand what the main process has."""

        def from_main(self, item):
            return True

    other = OneReward(None, Second(1, 2))
    assert other.state_dict() == {}
    other.load_state_dict({"times": 3})


# -- what a reward hands to an auxiliary loss on reference answers stays with its rows -----------------


def rollouts(n: int, width: int = 2) -> Rollouts:
    prompts, texts = rows(n)
    zeros = torch.zeros(n, dtype=torch.int64)
    ids = torch.arange(n)[:, None].expand(n, width)
    return Rollouts(
        prompt_ids=ids, prompt_mask=ids * 0 + 1, completion_ids=ids, mask=torch.ones(n, width),
        sampling_logps=torch.zeros(n, width), group=torch.arange(n), policy_version=zeros, prompts=prompts,
        texts=[c.text for c in texts], finish_reason=["stop"] * n,
    )  # fmt: skip


class Answering:
    """Gives the rows themselves as answers, of which the first token is reasoning."""

    needs: tuple[str, ...] = ()

    def __call__(self, prompts, completions, context):
        reasoning = torch.tensor([1.0, 0.0]).expand(len(prompts), 2)
        return Scores(torch.ones(len(prompts)), answers=Answers(context.rollouts, reasoning))


def test_answers_pass_through_nodes():
    reward = weighted(Clip(raw=Answering(), low=0.0, high=9.0))
    scores = of(reward, 2, rollouts=rollouts(2))
    assert scores.answers is not None
    assert scores.answers.rows.completion_ids.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_answers_of_some_rows_are_laid_out_over_all(order):
    """Behind a gate that rows 1 and 3 do not pass, they have no answer, and all their tokens count as reasoning."""
    gate = Fixed(*[float(i in (0, 2)) for i in range(4)])
    sampled = rollouts(4).rows(torch.tensor(order))
    prompts, texts = rows(4)
    reward = Gated(parts={"form": gate, "likely": Answering()}, gate="form")
    found = reward(
        [prompts[i] for i in order], [texts[i] for i in order], context([prompts[i] for i in order], rollouts=sampled)
    )
    assert found.answers is not None
    for place, row in enumerate(order):
        asked = row in (0, 2)
        assert bool(found.answers.rows.mask[place].any()) == asked
        assert found.answers.reasoning[place].tolist() == ([1.0, 0.0] if asked else [1.0, 1.0])
        if asked:
            assert found.answers.rows.completion_ids[place].tolist() == [row, row]


def test_two_parts_that_give_answers_are_refused():
    two = Weighted(parts={"a": Answering(), "b": Answering()}, weights={"a": 1.0, "b": 1.0})
    with pytest.raises(UserError, match="two parts put the reference answer behind the reasoning, the second is b"):
        of(two, 2, rollouts=rollouts(2))


def test_route_is_a_place_too():
    part = Counts()
    reward = Route(parts={"all": part}, sources={"all": []}, otherwise="all")
    of(reward, 2)
    assert reward.state_dict() == {"all": {"times": 1}}
