"""A misspelt or ill-typed option never gets past the check, wherever and however it is set."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable

import pytest

from crucible.config.check import Origin, check, problems
from crucible.config.compose import Composed
from crucible.errors import UserError

Compose = Callable[..., Composed]


def refused(composed: Compose, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        composed(*overrides)
    return str(caught.value)


@functools.cache
def base(composed: Compose) -> Composed:
    return composed()


def complaints(composed: Compose, path: str, value: object) -> str:
    """What the check says of the default config with one value changed."""
    made = base(composed)
    config = copy.deepcopy(made.config)
    *parents, key = path.split(".")
    node = config
    for parent in parents:
        node = node[parent]
    node[key] = value
    return "\n".join(problems(config, made.origin))


def test_the_unchanged_config_passes(composed: Compose) -> None:
    config = composed().config
    assert config["algo"]["loss"] == {"_target_": "lab.heavy.ppo", "_partial_": True, "clip_high": 0.2}
    assert config["experiment"] == "ppo-x"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "algo.loss.clp_high=1",
            'unknown option algo.loss.clp_high in conf/algo/loss/ppo (did you mean "clip_high"?)',
        ),
        ("algo.clp=1", "unknown option algo.clp in conf/algo/ppo (options: loss, advantage, auxiliary, old)"),
        ("algo.odl=recompute", 'unknown option algo.odl in conf/algo/ppo (did you mean "old"?)'),
        ("data.trems=3", 'unknown option data.trems in conf/data/sums (did you mean "terms"?)'),
        (
            "batch.samples_per_promt=4",
            'unknown option batch.samples_per_promt in conf/train (did you mean "samples_per_prompt"?)',
        ),
        (
            "sampling.temprature=1",
            'unknown option sampling.temprature in conf/train (did you mean "temperature"?)',
        ),
        (
            "sampling.hidden=2",
            "unknown option sampling.hidden in conf/train (options: max_tokens, temperature, tags)",
        ),
        (
            "algo.advantage.epss=1",
            'unknown option algo.advantage.epss in conf/algo/advantage/norm (did you mean "eps"?)',
        ),
        ("algo.los.x=1", 'unknown option algo.los in conf/algo/ppo (did you mean "loss"?)'),
    ],
)
def test_unknown_nested_option(composed: Compose, override: str, message: str) -> None:
    assert refused(composed, f"++{override}") == message


@pytest.mark.parametrize("prefix", ["", "+"])
def test_the_prefix_makes_no_difference(composed: Compose, prefix: str) -> None:
    for override, path in (("algo.clp=1", "algo.clp"), ("sampling.temprature=1", "sampling.temprature")):
        assert refused(composed, prefix + override) == refused(composed, f"++{override}")
        assert refused(composed, prefix + override).startswith(f"unknown option {path} in conf/")


@pytest.mark.parametrize("prefix", ["+", "++"])
def test_unknown_top_level_option(composed: Compose, prefix: str) -> None:
    assert refused(composed, f"{prefix}stpes=3") == 'unknown option stpes in conf/train (did you mean "steps"?)'
    assert refused(composed, f"{prefix}rewrad=exact") == 'unknown option rewrad in conf/train (did you mean "reward"?)'


def test_unknown_option_of_a_named_part(composed: Compose) -> None:
    assert composed("algo/auxiliary=nll").config["algo"]["auxiliary"]["nll"]["coefficient"] == 0.1
    message = refused(composed, "algo/auxiliary=nll", "++algo.auxiliary.nll.coef=1")
    assert message == (
        'unknown option algo.auxiliary.nll.coef in conf/algo/auxiliary/nll (did you mean "coefficient"?)'
    )


def test_a_part_added_under_another_name_is_checked(composed: Compose) -> None:
    added = "+algo/auxiliary@algo.auxiliary.more=flat"
    assert composed(added).config["algo"]["auxiliary"]["more"]["coefficient"] == 0.2
    message = refused(composed, added, "++algo.auxiliary.more.coef=1")
    assert message == (
        'unknown option algo.auxiliary.more.coef in conf/algo/auxiliary/flat (did you mean "coefficient"?)'
    )


def test_a_part_in_another_package(composed: Compose) -> None:
    made = composed("model=deep", "model/part@model.inner=small")
    assert made.config["model"]["inner"]["_target_"] == "lab.heavy.center"
    message = refused(composed, "model=deep", "++model.inner.x=1")
    assert message.startswith("unknown option model.inner.x in conf/model/part/small")


def test_typos_in_recipes_name_the_recipe(composed: Compose) -> None:
    assert refused(composed, "+experiments=paper/typo") == (
        'unknown option algo.loss.clip_hihg in experiments/paper/typo (did you mean "clip_high"?)'
    )
    assert refused(composed, "+experiments=paper/deep").splitlines() == [
        'unknown option sampling.temprature in experiments/paper/deep (did you mean "temperature"?)',
        'unknown option stpes in experiments/paper/deep (did you mean "steps"?)',
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("~seed", "missing option seed in conf/train: run needs it"),
        ("~reward", "missing option reward in conf/train: run needs it"),
        ("~algo/loss", "missing option algo.loss in conf/algo/ppo: Online needs it"),
        ("~sampling.max_tokens", "missing option sampling.max_tokens in conf/train: Options needs it"),
        (
            "~batch.samples_per_prompt",
            "missing option batch.samples_per_prompt in conf/train: Batch needs it",
        ),
        ("~algo._target_", "algo in conf/algo/ppo has no _target_: it would build nothing"),
        ("~algo.loss._target_", "algo.loss in conf/algo/loss/ppo has no _target_: it would build nothing"),
    ],
)
def test_deleted_but_required(composed: Compose, override: str, message: str) -> None:
    assert refused(composed, override) == message


def test_what_the_program_hands_over_is_not_missing_and_not_offered(composed: Compose) -> None:
    assert "epochs" not in composed().config["model"]  # required by Warm, passed on by lab.run.run
    assert refused(composed, "+model.foo=1").endswith("in conf/model/warm (options: width)")


def test_deleting_what_has_a_default_is_fine(composed: Compose) -> None:
    assert "clip_high" not in composed("~algo.loss.clip_high").config["algo"]["loss"]


LOSS, NORM, DATA = "conf/algo/loss/ppo", "conf/algo/advantage/norm", "conf/data/sums"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("algo.loss.clip_high", "high", f'="high" in {LOSS}: must be a number, not "high"'),
        ("algo.loss.clip_high", math.nan, f"=nan in {LOSS}: is not a number (NaN); give a number"),
        ("algo.loss.clip_high", None, f"=null in {LOSS}: must be a number, not null"),
        ("algo.loss.clip_high", True, f"=true in {LOSS}: must be a number, not true"),
        ("algo.loss.dual", "3", f'="3" in {LOSS}: must be a number or null, not "3"'),
        ("steps", 3.5, "=3.5 in conf/train: must be a whole number, not 3.5"),
        ("steps", 1000.0, "=1000.0 in conf/train: must be a whole number: write 1000"),
        ("steps", "", '="" in conf/train: must be a whole number, not ""'),
        ("steps", True, "=true in conf/train: must be a whole number, not true"),
        ("data.terms", [1, 2], f" in {DATA} is a list; give a single value"),
        ("data.terms", {"a": 1}, f" in {DATA} has no _target_ and is not a mapping option"),
        ("data.terms", {"_target_": "lab.heavy.ppo"}, f" in {DATA} is a part with a _target_; give a plain value"),
        ("data.names", "abc", f'="abc" in {DATA}: must be a list, not "abc"'),
        ("data.names", ["a", 3], f"[1]=3 in {DATA}: must be text, not 3"),
        ("sampling.tags", [1], "[0]=1 in conf/train: must be text, not 1"),
        (
            "algo.old",
            "sample",
            '="sample" in conf/algo/ppo: must be one of "sampler", "recompute" (did you mean "sampler"?)',
        ),
        ("algo.advantage.unbiased", 1, f"=1 in {NORM}: must be true or false, not 1"),
        ("algo.loss", "gspo", "=gspo: algo.loss is chosen with a slash: write algo/loss=gspo"),
        ("algo.loss._partial_", 3, "=3: must be true or false"),
        ("algo.policy", 3, " in conf/algo/ppo: the program supplies policy"),
        ("algo.loss.mask", 3, f" in {LOSS}: the program supplies mask"),
        ("algo.loss._target_", 3, "=3: must be the dotted path of a function or class"),
    ],
)
def test_wrong_values(composed: Compose, path: str, value: object, message: str) -> None:
    assert complaints(composed, path, value) == path + message


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("lab.heavy.pop", 'lab.heavy defines no pop (did you mean "ppo"?)'),
        ("lab.heavier.ppo", "lab defines no heavier.ppo"),
        ("nowhere.ppo", "no module of that name has readable source"),
    ],
)
def test_targets_that_are_not_there(composed: Compose, target: str, message: str) -> None:
    expected = f"algo.loss in {LOSS}: _target_ {target}: {message}"
    assert complaints(composed, "algo.loss._target_", target) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("algo.loss.clip_high", 1),
        ("algo.loss.clip_high", math.inf),
        ("algo.loss.dual", None),
        ("data.names", ["a", "b"]),
        ("sampling.tags", []),
        ("run_id", None),
    ],
)
def test_values_that_fit(composed: Compose, path: str, value: object) -> None:
    assert complaints(composed, path, value) == ""


def test_keys_of_hydras_instantiate_are_unknown(composed: Compose) -> None:
    message = complaints(composed, "algo.loss._recursive_", False)
    assert message.startswith(f"unknown option algo.loss._recursive_ in {LOSS}")


@pytest.mark.usefixtures("lab")
def test_a_target_with_open_keywords_takes_none_of_them() -> None:
    config = {"_target_": "lab.heavy.greedy", "typo": 1}
    with pytest.raises(UserError, match=r"unknown option typo in conf/train \(it has no options\)"):
        check(config, Origin())


def test_every_problem_is_a_line(composed: Compose) -> None:
    assert len(refused(composed, "+a=1", "+b=2", "steps=x").splitlines()) == 3
