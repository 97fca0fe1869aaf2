"""The reward of a judge that writes first: r where it wrote its verdict, an abstention where it wrote none."""

from __future__ import annotations

import pytest

from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.feedback.judging import HEAD
from crucible.modules.rm_scorer import Judge
from crucible.policy.tiny import untrained
from crucible.rewards.genrm import GenRM, refuse
from crucible.rewards.label_signed import log_odds
from crucible.rewards.unknown import unknown
from crucible.types import Sampling
from tests.rewards.cases import completions, prompt, scored
from tests.rewards.test_label_signed import SHAPE, oracle_log_p

BATCH = Batch(prompts_per_step=1, samples_per_prompt=8, updates_per_rollout=1, micro_batch_tokens=4096)
TEXTS = {"=2": f"fine\n{HEAD} Yes", "=3": "no idea", "=4": f"{HEAD} No"}


def oracle_r(policy, asked, text: str) -> float:
    before = text[: text.rindex(HEAD)] + HEAD
    return oracle_log_p(policy, asked, before, "Yes") - oracle_log_p(policy, asked, before, "No")


@pytest.fixture
def reward(tmp_path, monkeypatch):
    """A judge with random weights whose judgements are written for it."""
    from crucible.rollout.embedded import EmbeddedEngine

    untrained(**SHAPE, context_length=96, initializer_range=0.3).save(tmp_path / "judge")
    made = GenRM(
        checkpoint=str(tmp_path / "judge"),
        policy=untrained(**SHAPE),
        batch=BATCH,
        report=lambda line: None,
        max_tokens=30,
    )
    generate = EmbeddedEngine.generate

    def written(self, prompts, count, sampling: Sampling):
        out = generate(self, prompts, count, sampling)
        said = [next(text for end, text in TEXTS.items() if end in p.text) for p in out.prompts]
        out.texts, out.finish_reason = said, ["stop"] * len(out)
        return out

    monkeypatch.setattr(EmbeddedEngine, "generate", written)
    return made


def test_r_is_read_at_the_verdict_under_the_principle_of_each_prompt(reward):
    prompts = [prompt(i, principle=p) for i, p in ((1, "it is right"), (1, "it is right"), (2, "it is short"))]
    scores = scored(reward, prompts, completions("=2", "=3", "=4"))
    assert scores.valid.tolist() == [True, False, True]
    policy = reward.judge.policy
    for row, (p, text) in enumerate(zip(prompts, TEXTS, strict=True)):
        asked = reward.judge.asked(p, text, p.reference["principle"])
        assert asked.text == f"{p.text}{text}\n{p.reference['principle']}?\n"
        if scores.valid[row]:
            assert scores.total[row].item() == pytest.approx(oracle_r(policy, asked, TEXTS[text]), abs=1e-4)
    assert log_odds(policy, [prompts[0]], [None], tokens=64) == [None]


def test_what_has_no_room_in_the_judges_context_is_an_abstention(reward):
    scores = scored(reward, [prompt(1, principle="right")] * 2, completions("=2" + "1" * 80, "=2"))
    assert scores.valid.tolist() == [False, True]


def test_one_principle_can_be_asked_of_every_prompt(reward):
    assert reward.needs == ("principle",)
    reward.principle = "it is right"
    assert scored(reward, [prompt(1)], completions("=2")).valid is None


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="no model there"):
        refuse(checkpoint=str(tmp_path))
    Judge(untrained(**SHAPE, context_length=96), {"task": "chain"}).save(tmp_path / "scalar")
    with pytest.raises(UserError, match="writes no judgement"):
        refuse(checkpoint=str(tmp_path / "scalar"))


def test_the_check_that_knows_nothing_abstains():
    assert unknown.__wrapped__(prompt(), completions("x")[0]) is None
    assert [o.kind for o in unknown().outcomes([prompt()], completions("x"))] == ["abstain"]
