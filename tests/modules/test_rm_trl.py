"""The same pairs through TRL's RewardTrainer: the same tokens, the same loss, the same gradient."""

from __future__ import annotations

import functools

import pytest
import torch
from tests.modules import trl_reward as theirs
from tests.policy.models import qwen3

from crucible.algorithms.reward_models.bradley_terry import bradley_terry
from crucible.modules.rm_bradley_terry import PairScores
from crucible.modules.rm_scalar import Answers, Scorer
from crucible.modules.rm_units import units
from crucible.types import Preference, Prompt

trl = pytest.importorskip("trl")

ITEMS = [
    Preference(Prompt("a", "7+8="), "7+8=15", "16", 1.0),
    Preference(Prompt("b", "1+2+3="), "6", "1+2=3;3+3=7", 3.0),
    Preference(Prompt("c", "2="), "Yes", "No;No", 0.25),
]
ROWS = [{"prompt": i.prompt.text, "chosen": i.chosen, "rejected": i.rejected} for i in ITEMS]


def test_trl_is_the_version_that_these_comparisons_know():
    """Fails when TRL moves: then read its loss again."""
    assert trl.__version__.startswith(f"{theirs.KNOWN}."), trl.__version__


@pytest.mark.parametrize(("form", "centre"), [("plain", None), ("margin", None), ("plain", 0.01), ("margin", 0.3)])
def test_the_same_tokens_loss_and_gradient(form, centre, tmp_path):
    policy = qwen3()
    scorer = Scorer.on(policy, seed=1)
    with torch.no_grad():
        scorer.model.score.weight.mul_(10.0)  # scores of different sizes
    rows = [dict(row, margin=item.margin) if form == "margin" else row for row, item in zip(ROWS, ITEMS, strict=True)]
    trainer = theirs.reward_trainer(
        scorer.model, policy.tokenizer, rows, tmp_path, center_rewards_coefficient=centre, seed=0
    )
    batch = next(iter(trainer.get_train_dataloader()))
    encoder = Answers(scorer.policy)
    ours = {tuple(row) for unit in units(encoder, ITEMS) for row in unit.rows}
    visible = zip(batch["input_ids"], batch["attention_mask"], strict=True)
    assert ours == {tuple(ids[seen > 0].tolist()) for ids, seen in visible}
    scorer.model.zero_grad()
    expected = trainer.compute_loss(trainer.model, dict(batch))
    expected.backward()
    slope = torch.cat([p.grad.flatten() for p in scorer.model.parameters()])
    scorer.model.zero_grad()
    objective = PairScores(scorer, encoder, functools.partial(bradley_terry, form=form, centre=centre), 30)
    found = objective.learn(ITEMS, {}, torch.Tensor.backward)
    gradient = torch.cat([p.grad.flatten() for p in scorer.model.parameters()])
    assert found["policy/loss"] == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(gradient, slope, rtol=1e-3, atol=1e-5 * float(slope.abs().max()))
    assert slope.abs().max() > 1e-3
