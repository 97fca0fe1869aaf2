"""`reward=reward_model`: the contract of rewards, checkpoints of ours and of others, what it refuses, whole runs."""

from __future__ import annotations

import functools
import json
import re
import shlex

import pytest
import torch

from crucible.config.compose import compose
from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.feedback.embed import NGramEmbedder
from crucible.modules.rm_recipe import RewardModelRecipe
from crucible.modules.rm_scalar import Scorer
from crucible.policy import tiny
from crucible.policy.tiny import untrained
from crucible.rewards.reward_model import ScalarReward, refuse, reward_model
from crucible.rundir import read_metrics
from crucible.types import Completion
from tests.conftest import ROOT
from tests.modules.test_rm_scalar import SMALL_FEEDBACK
from tests.rewards.cases import scored

TASK = Chain()
PROMPTS = [TASK.prompt(e) for e in ("7+8-6+2", "7+8-6+2", "1+1", "9-3+4")]
COMPLETIONS = [Completion(t, len(t)) for t in ("7+8=15;15-6=9;9+2=11", "7+8=14;14-6=8;8+2=11", "", "nonsense 9")]
RECIPE = RewardModelRecipe(embedder=NGramEmbedder(), tau=0.6)
PAGE = (ROOT / "docs" / "reward_models.md").read_text()
CHOSEN = ("reward=reward_model", "reward._target_=crucible.rewards.reward_model.reward_model")


def small():
    return untrained(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("rm") / "scorer"
    Scorer.on(small(), seed=1, notes={"kind": "bradley_terry", "task": "chain"}).save(path)
    return path


def make(checkpoint, *, task=TASK, **options) -> ScalarReward:
    return reward_model(
        task=task, policy=None, cache_dir="unused", report=lambda line: None, recipe=RECIPE, checkpoint=str(checkpoint),
        **options,
    )  # fmt: skip


def oracle(checkpoint):
    """The logit of transformers' class, a row alone."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    with torch.no_grad():
        return [
            model(**tokenizer(f"{p.text}{c.text}<eos>", return_tensors="pt", return_token_type_ids=False)).logits.item()
            for p, c in zip(PROMPTS, COMPLETIONS, strict=True)
        ]


def test_the_total_is_the_score_and_the_truth_stands_beside_it(checkpoint):
    reward = make(checkpoint)
    found = scored(reward, PROMPTS, COMPLETIONS)
    assert found.total.dtype == torch.float32
    assert found.total.tolist() == pytest.approx(oracle(checkpoint), abs=1e-5)
    assert found.verdict is None
    assert found.components["true/final_answer_right"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert set(found.components) == set(reward.fulfilment(PROMPTS, COMPLETIONS))

    class Plain:
        name = "chain"

    bare = make(checkpoint, task=Plain())
    assert torch.equal(scored(bare, PROMPTS, COMPLETIONS).total, found.total)
    assert not hasattr(bare, "fulfilment")
    assert not hasattr(bare, "state_dict")


def test_a_bound_clips_and_a_row_does_not_depend_on_its_company(checkpoint):
    found = scored(make(checkpoint), PROMPTS, COMPLETIONS).total
    bound = found.abs().median().item()
    assert torch.equal(scored(make(checkpoint, clip=bound), PROMPTS, COMPLETIONS).total, found.clamp(-bound, bound))
    alone = [scored(make(checkpoint), [p], [c]).total for p, c in zip(PROMPTS, COMPLETIONS, strict=True)]
    torch.testing.assert_close(torch.cat(alone), found, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_that_others_made_is_scored_as_its_own_class_does(tmp_path):
    """Without notes, saved by transformers itself, with a padding token of its own."""
    scorer = Scorer.on(small(), seed=2)
    scorer.model.save_pretrained(tmp_path / "theirs")
    scorer.policy.tokenizer.save_pretrained(tmp_path / "theirs")
    assert scored(make(tmp_path / "theirs"), PROMPTS, COMPLETIONS).total.tolist() == pytest.approx(
        oracle(tmp_path / "theirs"), abs=1e-5
    )


def config(**fields):
    return lambda path: (path / "config.json").write_text(json.dumps(fields))


ONE = {"architectures": ["Qwen3ForSequenceClassification"], "id2label": {"0": "LABEL_0"}}


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (None, {}, "no reward model at"),
        (config(architectures=["Qwen3ForCausalLM"]), {}, "holds a Qwen3ForCausalLM, not a ForSequenceClassification"),
        (config(architectures=ONE["architectures"]), {}, "with 2 labels; a reward model has one"),
        (lambda path: (path / "config.json").write_text("{"), {}, "is damaged: config.json"),
        (lambda path: (path / "config.json").write_text("[]"), {}, "is damaged: config.json"),
        (config(**ONE, model_type="qwen3"), {}, "cannot load the reward model in"),
        (config(**ONE), {"clip": 0.0}, "above 0, or null"),
        (config(**ONE), {"kind": "ranking"}, "bradley_terry or regression"),
    ],
)
def test_what_is_no_such_model_is_one_line(tmp_path, given, options, message):
    folder = tmp_path / "rm"
    folder.mkdir()
    if given is not None:
        given(folder)
    with pytest.raises(UserError, match=message) as caught:
        make(folder, **options)
    assert "\n" not in str(caught.value)


def test_a_model_without_its_head_or_of_another_task_is_refused(checkpoint, tmp_path):
    small().save(tmp_path / "lm")
    written = json.loads((tmp_path / "lm" / "config.json").read_text())
    (tmp_path / "lm" / "config.json").write_text(json.dumps(written | ONE))
    with pytest.raises(UserError, match=r"lacks the weights score\.weight"):
        make(tmp_path / "lm")

    class Other:
        name = "countdown"

        def principles(self):
            return ()

    with pytest.raises(UserError, match="trained on data=chain"):
        make(checkpoint, task=Other())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("reward.checkpoint=nowhere",), "no reward model at nowhere"),
        (("reward.recipe.max_tokens=200",), "context"),
        (("reward.recipe.error_rates=[0.1]",), "error_rates"),
    ],
)
def test_a_run_is_refused_before_any_model(small_run, monkeypatch, options, message):
    monkeypatch.setattr(tiny, "tiny", functools.wraps(tiny.tiny)(lambda **_: pytest.fail("a model was made")))
    with pytest.raises(UserError, match=message):
        small_run("algo=grpo", *CHOSEN, *options)


def test_data_without_principles_need_a_checkpoint():
    class Plain:
        name = "countdown"

    options = {"kind": "bradley_terry", "form": "plain", "centre": None, "clip": None, "recipe": RECIPE, "parts": None}
    with pytest.raises(UserError, match=r"data=countdown has no principles\(\).*give reward.checkpoint"):
        refuse(task=Plain(), checkpoint=None, **options)


def test_a_policy_learns_from_a_model_that_is_trained_first_and_then_cached(small_run, capsys):
    feedback = [option.replace("algo.", "reward.", 1) for option in SMALL_FEEDBACK]
    options = ("algo=grpo", *CHOSEN, "model.context_length=96", *feedback)
    first = small_run("run_id=first", *options)
    assert "no reward model yet: training one first" in capsys.readouterr().out
    second = small_run("run_id=second", *options)
    assert "reward model taken from" in capsys.readouterr().out
    rows = [read_metrics(path) for path in (first, second)]
    kept = rows[0][[row["kind"] for row in rows[0]].index("reward_model")]
    assert {"pair_accuracy_true", "pair_accuracy_hard", "preference_accuracy"} <= kept.keys()
    means = [[row["reward/mean"] for row in found if "reward/mean" in row] for found in rows]
    assert means[0] == means[1]
    assert len(means[0]) == 2
    assert any("true/final_answer_right" in row for row in rows[0])
    assert any(name.endswith("true/final_answer_right") for row in rows[0] if row["kind"] == "eval" for name in row)


@pytest.mark.slow
@pytest.mark.parametrize("command", re.findall(r"^    python train\.py (.*?)(?:  #.*)?$", PAGE, flags=re.MULTILINE))
def test_a_command_of_the_page_composes(command):
    compose(shlex.split(command), ROOT)
