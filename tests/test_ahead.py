"""What is refused before any model is made: by its options, by the data, by a policy that only stands in."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.ahead import asks_for, looks_ahead, refuse_ahead, stand_in, stood_in_by
from crucible.data.fit import AT_ONCE, refuse_unfit
from crucible.errors import UserError
from crucible.parts import Parts
from crucible.policy.policy import Policy
from crucible.policy.tiny import tiny, untrained
from crucible.types import Prompt

HERE = __name__


class Model:
    """What costs much to make."""

    made = 0

    def __init__(self, *, size: int = 3):
        Model.made += 1
        self.size = size


def light(*, size: int) -> str:
    return f"like a model of {size}"


@stood_in_by(light)
def model(*, size: int = 3) -> Model:
    return Model(size=size)


def refuse(*, low: float, high: float, task: str) -> None:
    if low > high:
        raise UserError(f"{task}: {low} > {high}")


@looks_ahead(refuse)
def reward(*, policy: Model, task: str, low: float = 0.0, high: float = 1.0) -> tuple[Model, float]:
    return policy, low


def weighted(*, parts: dict[str, Any]) -> dict[str, Any]:
    return parts


def engine(*, policy: Model) -> Model:
    return policy


def plain(*, task: str) -> str:
    return task


def node(name: str, **options: Any) -> dict[str, Any]:
    return {"_target_": f"{HERE}.{name}", **options}


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    Model.made = 0


def parts(**nodes: Any) -> Parts:
    return Parts({"policy": node("model"), **nodes}, task="sums")


def test_a_target_refuses_with_its_own_defaults_and_no_model_is_made() -> None:
    for bad in (node("reward", low=2.0), node("weighted", parts={"a": node("plain"), "b": node("reward", high=-1.0)})):
        with pytest.raises(UserError, match="sums: "):
            refuse_ahead(parts(), node("plain"), bad)
    refuse_ahead(parts(), node("reward", low=0.5))
    assert Model.made == 0


def test_what_stands_in_gets_the_options_of_the_model() -> None:
    assert stand_in(parts()) == "like a model of 3"
    assert stand_in(parts(policy=node("model", size=7))) == "like a model of 7"
    assert stand_in(parts(policy=node("Model"))) is None
    assert Model.made == 0


def test_what_asks_for_the_policy_does_so_directly_or_through_another_part() -> None:
    assert asks_for(parts(reward=node("reward")), "reward", "policy")
    assert asks_for(parts(reward=node("weighted", parts={"a": node("reward")})), "reward", "policy")
    assert not asks_for(parts(reward=node("plain")), "reward", "policy")
    through = parts(reward=node("asks_engine"), engine=node("engine"))
    assert asks_for(through, "reward", "policy")
    assert Model.made == 0


def asks_engine(*, engine: Model) -> Model:
    return engine


def test_a_part_is_looked_at_as_soon_as_it_is_built_and_not_kept_where_it_is_refused() -> None:
    def refuses(policy: Model) -> None:
        raise UserError(f"size {policy.size}")

    some = parts(reward=node("reward"))
    some.once_built("policy", refuses)
    with pytest.raises(UserError, match="size 3"):
        some["reward"]


def test_the_model_made_from_scratch_is_stood_in_for_without_its_warm_up() -> None:
    shape = {"hidden_size": 32, "layers": 1, "heads": 2, "context_length": 40}
    run = Parts({"policy": {"_target_": "crucible.policy.tiny.tiny", "warmup": None, **shape}}, seed=1)
    similar = stand_in(run)
    assert similar.context_length == 40
    whole = tiny(task=None, cache_dir="unused", report=print, **shape)
    assert similar.tokenizer.get_vocab() == whole.tokenizer.get_vocab()


# -- the prompts of a whole data set ---------------------------------------------------------------


class Pool:
    """A finite data set of `size` prompts, one of which is different."""

    name = "pool"

    def __init__(self, size: int, odd: str, *, held_out: bool = False):
        prompts = [Prompt(id=str(i), text=f"{i % 10}+1=") for i in range(size)]
        other = Prompt(id="odd", text=odd)
        self.train, self.evaluation = prompts, [Prompt(id="e", text="1+1=")]
        (self.evaluation if held_out else self.train).append(other)

    def train_pool(self) -> list[Prompt]:
        return self.train

    def eval_prompts(self) -> list[Prompt]:
        return self.evaluation


@pytest.fixture(scope="module")
def policy() -> Policy:
    return untrained(hidden_size=16, layers=1, heads=2, intermediate_size=16, context_length=32)


@pytest.mark.parametrize(("odd", "why"), [("1+" * 20, "has 41 tokens"), ("3×4=", "does not know '×'")])
@pytest.mark.parametrize("held_out", [False, True])
def test_the_last_prompt_of_a_pool_is_looked_at_and_so_are_those_held_out(policy, odd, why, held_out) -> None:
    with pytest.raises(UserError, match=f"prompt odd.*{why}") as caught:
        refuse_unfit(Pool(AT_ONCE + 5, odd, held_out=held_out), policy, 8)
    assert "\n" not in str(caught.value)
    refuse_unfit(Pool(AT_ONCE + 5, "2+2=", held_out=held_out), policy, 8)


def test_so_are_those_that_an_evaluation_asks_besides(policy) -> None:
    class Asks(Pool):
        def further_prompts(self) -> list[Prompt]:
            return [Prompt(id="further", text="3×4=")]

        def further_measures(self, scores) -> dict[str, float]:
            return {}

    with pytest.raises(UserError, match=r"prompt further.*does not know '×'"):
        refuse_unfit(Asks(3, "2+2="), policy, 8)


def test_tokens_do_not_depend_on_the_prompts_beside() -> None:
    policy = untrained(hidden_size=16, layers=1, heads=2, intermediate_size=16, context_length=32)
    prompts = [Prompt(id=str(i), text=text) for i, text in enumerate(("1+1=", "Yes", "7", "12+3\n-4="))]
    assert policy.token_ids(prompts) == [policy.token_ids([p])[0] for p in prompts]
    policy.tokenizer.chat_template = "{% for m in messages %}<bos>{{ m['content'] }}{% endfor %}"
    chat = [*prompts[:2], Prompt(id="c", messages=({"role": "user", "content": "1+1="},))]
    assert policy.token_ids(chat) == [policy.token_ids([p])[0] for p in chat]
    assert policy.token_ids([]) == []
    policy.chat = False  # texts as they are, with the tokenizer's own begin token; chats through the template
    mixed = policy.token_ids(chat)
    assert mixed[0] == mixed[2] == policy.token_ids([chat[0]])[0]


# -- reward=rlbff ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["reward.principles=[it rhymes]"], "does not learn"),
        (["reward.yes_above=50"], "yes_above"),
        (["reward.recipe.error_rates=[0.1]"], "error_rates"),
        (["reward.recipe.max_tokens=200"], "context"),
        (["reward.checkpoint=nowhere"], "no reward model"),
        (["data=countdown"], "no principles"),
        (["sampling.max_tokens=200"], "context"),
        (["entropy=adaptive", "entropy.start=1"], "start"),
    ],
)
def test_a_run_is_refused_before_the_warm_up(options, why, tmp_path, monkeypatch) -> None:
    from crucible.config.compose import compose
    from crucible.policy import tiny as module
    from crucible.run import run
    from tests.conftest import ROOT

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the warm-up had begun")

    monkeypatch.setattr(module, "warm_up", never)
    places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}", "trainer.accelerator=cpu"]
    config = compose(["reward=rlbff", *options, *places], ROOT).config
    with pytest.raises(UserError, match=why):
        run(**config)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("task", "refused"), [("countdown", True), ("chain", False), (None, False)])
def test_a_reward_model_of_another_task_is_refused(task, refused) -> None:
    from crucible.data.chain import Chain
    from crucible.rewards.rlbff import refuse_other_task

    notes = {} if task is None else {"task": task}
    if refused:
        with pytest.raises(UserError, match="trained on data=countdown"):
            refuse_other_task(Chain(), "judge", notes)
    else:
        refuse_other_task(Chain(), "judge", notes)


def test_every_wording_that_the_recipe_teaches_is_known() -> None:
    from crucible.data.chain import Chain
    from crucible.feedback.extract import wordings
    from crucible.rewards.rlbff import refuse_unlearned

    task = Chain()
    for principle in task.principles():
        refuse_unlearned(task, [*wordings(principle), *task.paraphrases(principle)])
