"""Who computes what, and what is refused, before any model is made."""

from __future__ import annotations

import pytest

from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.trl.plan import planned
from tests.conftest import ROOT
from tests.trl.world import config_of


def plan(*overrides, owner="auto"):
    config = config_of(*overrides)
    return planned(config["algo"], config["entropy"], owner)


@pytest.mark.parametrize(
    ("overrides", "options"),
    [
        (["algo=grpo"], {"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.2, "delta": None}),
        (["algo=dapo", "algo/filter=keep_all"], {"loss_type": "dapo", "epsilon_high": 0.28, "delta": 10.0}),
        (["algo=dr_grpo"], {"loss_type": "dr_grpo", "epsilon": 0.2}),
        (["algo=cispo", "algo.loss.eps_low=null"], {"loss_type": "cispo", "epsilon_high": 1.2}),
        (["algo=gspo"], {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 3e-4}),
    ],
)
def test_options_in_trls_words(overrides, options):
    found = plan(*overrides).loss
    assert found is not None
    assert {name: found[name] for name in options} == options


@pytest.mark.parametrize(
    ("overrides", "scale"),
    [
        (["algo=dr_grpo"], "none"),
        (["algo=grpo", "algo.advantage.eps=1e-4"], "group"),
        (["algo=grpo"], None),
        (["algo=grpo", "algo.advantage.eps=1e-4", "algo.advantage.std=population"], None),
        (["algo=grpo", "algo/advantage=rloo"], None),
        (["algo=grpo", "algo.advantage.eps=1e-4", "algo/kl=in_reward"], None),
    ],
)
def test_advantages_are_trls_only_where_they_are_the_same_numbers(overrides, scale):
    found = plan(*overrides)
    assert found.loss is not None
    assert found.scale_rewards == scale
    assert (scale is None) == bool(found.why_advantages)


@pytest.mark.parametrize(
    ("overrides", "lacks"),
    [
        (["algo=ce_gppo"], "algo/loss=ce_gppo"),
        (["algo=dapo"], "algo/filter=drop_without_signal"),
        (["algo=cispo"], "algo.loss.eps_low=0.2"),
        (["algo=grpo", "entropy=bonus"], "entropy="),
        (["algo=grpo", "algo/kl=in_loss"], "algo/kl=in_loss"),
        (["algo=grpo", "algo/correction=tis", "algo.old_logps=recompute"], "algo/correction="),
        (["algo=grpo", "algo/auxiliary=positive_nll"], "algo/auxiliary=positive_nll"),
        (["algo=grpo", "algo/aggregation=token_sum"], "algo/aggregation=token_sum"),
        (["algo=grpo", "algo.loss.dual_clip=1.1"], "algo.loss.dual_clip=1.1"),
    ],
)
def test_what_trl_lacks_is_computed_here_and_said_or_refused(overrides, lacks):
    found = plan(*overrides)
    assert found.loss is None
    assert lacks in "; ".join(found.why_loss)
    assert "Crucible's objective" in found.in_words("1.16.0")
    assert lacks in found.in_words("1.16.0")
    with pytest.raises(UserError, match=r"trainer\.objective=trl: TRL lacks") as refused:
        plan(*overrides, owner="trl")
    assert lacks in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_advantage_of_ours_is_refused_where_trls_is_asked_for():
    with pytest.raises(UserError, match=r"algo\.advantage\.eps=1e-06 \(it adds 0\.0001 to the std\)"):
        plan("algo=grpo", owner="trl")
    assert plan("algo=grpo", "algo.advantage.eps=1e-4", owner="trl").scale_rewards == "group"


def test_crucibles_objective_can_be_asked_for():
    assert plan("algo=grpo", owner="crucible").loss is None


@pytest.mark.parametrize("algo", ["sft", "dpo", "rm_principle"])
def test_other_kinds_of_algorithms_are_refused_by_the_check(algo):
    with pytest.raises(UserError, match="GRPOTrainer learns from groups of completions"):
        compose([f"algo={algo}", "trainer=trl"], ROOT)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["algo=ppo"], "no critic"),
        (["algo=grpo", "entropy=arbitrary_entropy"], "samples further rows"),
        (["algo=online_dpo"], r"algo\.loss=online_dpo looks at the rows of a prompt together"),
    ],
)
def test_what_cannot_be_driven_is_refused_before_a_model(small_run, monkeypatch, overrides, message, tmp_path):
    from crucible.policy import tiny

    monkeypatch.setattr(tiny, "untrained", lambda **_: pytest.fail("a model was made"))
    with pytest.raises(UserError, match=message):
        small_run(*overrides, "trainer=trl")
    assert not list((tmp_path / "runs").rglob("config.yaml"))


def test_adapters_are_refused_before_a_model(tmp_path):
    from crucible.run import run

    lora = "model.lora={r: 4, alpha: 8, targets: all-linear}"
    places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}"]
    config = compose(["algo=grpo", "trainer=trl", "model=hf", "model.name_or_path=nobody/nothing", lora, *places], ROOT)
    with pytest.raises(UserError, match=r"model\.lora is not driven through TRL"):
        run(**config.config)
    assert not list((tmp_path / "runs").rglob("config.yaml"))
