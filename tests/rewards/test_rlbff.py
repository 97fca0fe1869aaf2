"""`reward=rlbff`: the contract of rewards, its components, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.feedback.embed import NGramEmbedder
from crucible.modules.rm_recipe import RewardModelRecipe
from crucible.modules.rm_scorer import Judge
from crucible.policy.tiny import untrained
from crucible.rewards.rlbff import RLBFF, rlbff, short_names, warn_of_weakness
from crucible.rundir import read_metrics
from crucible.types import Completion
from tests.rewards.cases import scored

TASK = Chain()
ANSWER, STEPS = TASK.principles()[:2]
PROMPTS = [TASK.prompt(e) for e in ("7+8-6+2", "7+8-6+2", "1+1", "9-3+4")]
COMPLETIONS = [Completion(t, len(t)) for t in ("7+8=15;15-6=9;9+2=11", "7+8=14;14-6=8;8+2=11", "", "nonsense 9")]
RECIPE = RewardModelRecipe(embedder=NGramEmbedder(), tau=0.6)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("rm") / "judge"
    Judge(untrained(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64)).save(path)
    return path


def make(checkpoint, *, report=lambda line: None, task=TASK, **options) -> RLBFF:
    options = {"principles": [ANSWER, STEPS]} | options
    return rlbff(task=task, policy=None, cache_dir="unused", report=report, recipe=RECIPE,
                 checkpoint=str(checkpoint), **options)  # fmt: skip


def test_it_keeps_the_contract_of_rewards(checkpoint):
    reward = make(checkpoint)
    assert reward.needs == ()
    scores = scored(reward, PROMPTS, COMPLETIONS)
    assert scores.total.dtype == torch.float32
    assert scores.total.shape == (4,)
    assert torch.isfinite(scores.total).all()


def test_the_total_is_the_mean_or_minimum_of_the_principles_log_odds(checkpoint):
    r = Judge.load(checkpoint).score(PROMPTS, [c.text for c in COMPLETIONS], [ANSWER, STEPS])
    mean, least = (scored(make(checkpoint, combine=c), PROMPTS, COMPLETIONS) for c in ("mean", "min"))
    assert torch.equal(mean.total, r.mean(1))
    assert torch.equal(least.total, r.min(1).values)
    assert torch.equal(mean.components["final_answer_right"], r[:, 0])
    assert torch.equal(mean.components["step_right"], r[:, 1])
    clipped = scored(make(checkpoint, clip=0.01), PROMPTS, COMPLETIONS)
    assert clipped.total.abs().max() <= 0.01 < r.abs().max()


def oracle_weighted(r, weights):
    return [sum(w * x for w, x in zip(weights, row, strict=True)) / sum(weights) for row in r.tolist()]


@pytest.mark.parametrize("weights", [[2.0, 1.0], [0.0, 3.0], [0.25, 0.25]])
def test_a_weighted_total_is_the_weighted_mean(checkpoint, weights):
    r = Judge.load(checkpoint).score(PROMPTS, [c.text for c in COMPLETIONS], [ANSWER, STEPS])
    found = scored(make(checkpoint, combine="weighted", weights=weights), PROMPTS, COMPLETIONS)
    assert found.total.tolist() == pytest.approx(oracle_weighted(r, weights), abs=1e-5)


def test_without_principles_the_papers_fixed_one_is_asked(checkpoint):
    lines: list[str] = []
    found = scored(make(checkpoint, combine="none", report=lines.append), PROMPTS, COMPLETIONS)
    r = Judge.load(checkpoint).score(PROMPTS, [c.text for c in COMPLETIONS], ["accuracy of information"])
    assert torch.equal(found.total, r[:, 0])
    assert set(found.components) == {"accuracy_information"}
    assert "reward.principles are not used" in lines[0]


def test_a_row_does_not_depend_on_its_company(checkpoint):
    reward = make(checkpoint)
    alone = torch.cat([scored(reward, [p], [c]).total for p, c in zip(PROMPTS, COMPLETIONS, strict=True)])
    torch.testing.assert_close(scored(reward, PROMPTS, COMPLETIONS).total, alone, atol=1e-5, rtol=1e-5)


def test_the_truth_stands_beside_the_reward_and_never_in_it(checkpoint):
    reward = make(checkpoint)
    truth = reward.truth(PROMPTS, COMPLETIONS)
    expected = [float(TASK.fulfils(p, c.text, ANSWER)) for p, c in zip(PROMPTS, COMPLETIONS, strict=True)]
    assert truth[ANSWER].tolist() == expected == [1.0, 1.0, 0.0, 0.0]
    scores = scored(reward, PROMPTS, COMPLETIONS)
    assert scores.components["true/final_answer_right"].tolist() == expected

    class Contrary(Chain):
        def fulfils(self, prompt, completion, principle):
            return not super().fulfils(prompt, completion, principle)

    contrary = scored(make(checkpoint, task=Contrary()), PROMPTS, COMPLETIONS)
    assert torch.equal(contrary.total, scores.total)
    assert contrary.components["true/final_answer_right"].tolist() == [1 - x for x in expected]


def test_free_text_is_scored_and_a_typo_is_pointed_at(checkpoint):
    lines: list[str] = []
    reward = make(checkpoint, report=lines.append, principles=["the final answer is rihgt", "it rhymes"])
    warnings = [line for line in lines if line.startswith("warning")]
    assert 'did you mean "the final answer is right"?' in warnings[0]
    assert "did you mean" not in warnings[1]
    scores = scored(reward, PROMPTS, COMPLETIONS)
    assert not any(name.startswith("true/") for name in scores.components)
    assert torch.isfinite(scores.total).all()


def test_a_weak_reward_model_is_said_to_be_weak():
    lines: list[str] = []
    notes = {"held_out": {f"rm/accuracy_balanced/{ANSWER}": 0.6, f"rm/accuracy_balanced/{STEPS}": 0.97}}
    warn_of_weakness(notes, [ANSWER, STEPS, "it rhymes"], lines.append)
    assert len(lines) == 1
    assert ANSWER in lines[0]
    assert "60.0%" in lines[0]


def test_short_names_are_distinct_metric_names():
    names = short_names([*TASK.principles(), "is the final answer right"])
    assert names[ANSWER] == "final_answer_right"
    assert len(set(names.values())) == len(names)
    assert all(n.replace("_", "").isalnum() for n in names.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"principles": []}, "one or more different principles"),
        ({"principles": [ANSWER, f" {ANSWER} "]}, "one or more different principles"),
        ({"principles": ["word " * 200]}, "context of 128"),
        ({"combine": "max"}, "mean or min"),
        ({"combine": "weighted"}, "one for each of the 2 principles"),
        ({"combine": "weighted", "weights": [1.0]}, "one for each of the 2 principles"),
        ({"combine": "weighted", "weights": [1.0, -1.0]}, "at least 0"),
        ({"combine": "weighted", "weights": [0.0, 0.0]}, "one above it"),
        ({"combine": "weighted", "weights": [1.0, float("nan")]}, "at least 0"),
        ({"weights": [1.0, 1.0]}, "are for reward.combine=weighted, not mean"),
        ({"clip": 0.0}, "above 0"),
    ],
)
def test_bad_options_are_one_line(checkpoint, options, message):
    with pytest.raises(UserError, match=message) as caught:
        make(checkpoint, **options)
    assert "\n" not in str(caught.value)


def test_how_good_the_reward_model_was_goes_into_the_metrics(small_run, tmp_path):
    notes = {"task": "chain", "held_out": {f"rm/accuracy_true/{ANSWER}": 0.75}}
    policy = untrained(hidden_size=32, layers=1, heads=2, intermediate_size=32)
    Judge(policy, notes).save(tmp_path / "judge")
    path = small_run(
        "reward=rlbff", "reward._target_=crucible.rewards.rlbff.rlbff", f"reward.checkpoint={tmp_path / 'judge'}",
        f"reward.principles=[{ANSWER}]", "steps=1",
    )  # fmt: skip
    rows = [row for row in read_metrics(path) if row["kind"] == "reward_model"]
    assert rows == [{"kind": "reward_model", "step": 0, f"accuracy_true/{ANSWER}": 0.75}]


def test_a_reward_model_that_reads_no_principles_is_refused(tmp_path):
    from crucible.modules.rm_scalar import Scorer

    policy = untrained(hidden_size=32, layers=1, heads=2, intermediate_size=32)
    Scorer.on(policy, seed=0, notes={"kind": "bradley_terry", "task": "chain"}).save(tmp_path / "bt")
    with pytest.raises(UserError, match="reads no principles; use reward=reward_model"):
        make(tmp_path / "bt")


def test_the_fixed_principle_needs_a_checkpoint(small_run):
    options = ("reward._target_=crucible.rewards.rlbff.rlbff", "reward.combine=none", "model.context_length=128")
    with pytest.raises(UserError, match=r"accuracy of information.*give reward.checkpoint"):
        small_run("reward=rlbff", *options)


def test_a_missing_checkpoint_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no reward model at"):
        make(tmp_path / "nowhere")
