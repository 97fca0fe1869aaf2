"""What crucible.trl.adapter takes for granted of TRL: this fails, by name, when TRL moves."""

from __future__ import annotations

import importlib.util
import inspect
import re
from importlib.metadata import version

import pytest

from crucible.errors import UserError
from crucible.trl import refuse
from crucible.trl.plan import OF_CLIP, TRL_EPS

pytestmark = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason=f"needs TRL {refuse.KNOWN}")


@pytest.fixture(scope="module")
def grpo():
    from trl import GRPOTrainer

    return GRPOTrainer


def test_the_installed_trl_is_the_known_one():
    assert version("trl").startswith(f"{refuse.KNOWN}.")
    assert refuse.refuse_other_trl() == version("trl")


@pytest.mark.parametrize("other", ["1.15.3", "1.160.0", "2.0.0"])
def test_another_trl_is_refused(monkeypatch, other):
    monkeypatch.setattr(refuse, "version", lambda _: other)
    with pytest.raises(UserError, match=f"knows TRL {refuse.KNOWN}, and {re.escape(other)} is installed"):
        refuse.refuse_other_trl()


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_generate_and_score_completions", ["self", "inputs"]),
        ("_compute_loss", ["self", "model", "inputs"]),
        ("_clip_grad_norm", ["self", "model"]),
        ("_send_telemetry", ["self"]),
    ],
)
def test_what_is_overridden_is_there_and_called_the_same_way(grpo, method, parameters):
    from crucible.trl.adapter import Trainer

    assert list(inspect.signature(getattr(grpo, method)).parameters) == parameters
    assert list(inspect.signature(getattr(Trainer, method)).parameters) == parameters


def test_a_column_of_ours_is_shuffled_and_cut_with_trls_own(grpo):
    source = inspect.getsource(grpo._prepare_inputs)
    called = ["_generate_and_score_completions", "shuffle_sequence_dict", "split_tensor_dict"]
    assert [name for name in called if name not in source] == []
    assert sorted(called, key=source.index) == called


def test_the_columns_that_are_replaced_are_read(grpo):
    source = inspect.getsource(grpo._compute_loss)
    for column in ("advantages", "old_per_token_logps"):
        assert f'"{column}"' in source
    assert "advantages.dim() == 1" in source  # advantages of single tokens are taken too


def test_the_rest_of_the_loss_is_where_the_plan_expects_it(grpo):
    loss, scoring = inspect.getsource(grpo._compute_loss), inspect.getsource(grpo._generate_and_score_completions)
    assert set(OF_CLIP.values()) <= set(re.findall(r'"(\w+)"', loss))
    assert f"std_rewards + {TRL_EPS:.0e}".replace("e-0", "e-") in scoring
    assert "torch.clamp(coef_1, max=self.epsilon_high).detach()" in loss  # CISPO's cap, and no floor
    assert "current_gradient_accumulation_steps / self.args.steps_per_generation" in loss  # of token means
    assert grpo.loss_is_scaled_for_ga is True


def test_the_rollout_function_is_asked_as_we_answer(grpo):
    source = inspect.getsource(grpo._generate)
    assert "self.rollout_func(prompts, self)" in source
    assert 'required_keys = {"prompt_ids", "completion_ids", "logprobs"}' in source


def test_a_step_is_logged_behind_its_optimiser_step_and_a_gradient_may_be_taken_away_before_it():
    """TRLRun writes in on_log, and clears the gradients of an update that is left out in on_pre_optimizer_step."""
    from transformers import Trainer

    source = inspect.getsource(Trainer._run_epoch)
    order = ["_clip_grad_norm", "on_pre_optimizer_step", "optimizer.step()", "on_step_end", "_maybe_log_save_evaluate"]
    assert sorted(order, key=source.index) == order
