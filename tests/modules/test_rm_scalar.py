"""Scalar reward models: the score, the folder, adapters, what is measured, and whole runs on feedback and on files."""

from __future__ import annotations

import functools
import json
import math
from itertools import islice

import pytest
import torch
from tests.conftest import ROOT, same_weights
from tests.policy.models import gpt2, llama, qwen3
from tests.test_run import timeless

from crucible.algorithms.reward_models.bradley_terry import bradley_terry
from crucible.config.compose import compose
from crucible.config.dry_run import report
from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.modules import rm_ranking
from crucible.modules.rm_bradley_terry import PairScores, without_ties
from crucible.modules.rm_data import Example, repeated
from crucible.modules.rm_proofreader import Proofreader, copied
from crucible.modules.rm_recipe import CosineAdamW, RewardModelRecipe, learning_rate
from crucible.modules.rm_regression import ScoreErrors
from crucible.modules.rm_scalar import Answers, Scorer, read_card
from crucible.modules.sources import Source
from crucible.policy import tiny
from crucible.policy.hf import hf
from crucible.rundir import read_metrics, read_status
from crucible.types import Preference, Prompt, Scored

TASK = Chain(terms=2, eval_prompts=12)
PROMPTS = [Prompt("a", "7+8="), Prompt("b", "1+2+3="), Prompt("c", "2="), Prompt("d", "5+5-1=")]
TEXTS = ["7+8=15", "1+2=3;3+3=6", "", "9"]
PAIRS = [Preference(p, t, t + "1;") for p, t in zip(PROMPTS, TEXTS, strict=True)]
SMALL_FEEDBACK = [
    f"algo.recipe.{option}"
    for option in ("responses=96", "held_out_responses=48", "batch_responses=8", "epochs=3", "proofread_updates=2",
                   "sample_share=0.2", "responses_per_prompt=4", "max_tokens=12", "tau=0.6",
                   "embedder._target_=crucible.feedback.embed.NGramEmbedder")
]  # fmt: skip


def plain(model, policy, prompt, text):
    """The score by transformers' own class, a row alone."""
    ids = [*policy.tokenizer(prompt.text)["input_ids"], *policy.tokenizer(text, add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        return model(input_ids=torch.tensor([[*ids, policy.eos_id]])).logits[0, 0].item()


@pytest.mark.parametrize("make", [qwen3, llama, gpt2])
def test_the_score_is_that_of_the_last_token_whatever_the_company(make):
    policy = make()
    backbone = policy.model.base_model
    scorer = Scorer.on(policy, seed=1)
    found = scorer.score(PROMPTS, TEXTS)
    assert found.tolist() == pytest.approx(
        [plain(scorer.model, policy, p, t) for p, t in zip(PROMPTS, TEXTS, strict=True)], abs=1e-5
    )
    ids = torch.tensor([[*policy.tokenizer("7+8=7+8=15")["input_ids"], policy.eos_id]])
    with torch.no_grad():  # once more without that class
        state = backbone(input_ids=ids).last_hidden_state[0, -1]
    assert found[0].item() == pytest.approx((scorer.model.score.weight[0] @ state).item(), abs=1e-5)
    for other in (
        scorer.score(PROMPTS, TEXTS, batch_tokens=1),
        scorer.score(PROMPTS[::-1], TEXTS[::-1]).flip(0),
        scorer.score([*PROMPTS, *PROMPTS], [*TEXTS, *TEXTS])[4:],
    ):
        torch.testing.assert_close(other, found, atol=1e-5, rtol=1e-5)
    assert found.std() > 0.001
    assert scorer.score([], []).shape == (0,)


def test_the_folder_is_one_that_transformers_opens_and_the_head_depends_on_the_seed_alone(tmp_path):
    from transformers import AutoModelForSequenceClassification

    scorer = Scorer.on(qwen3(), seed=1, notes={"task": "chain"})
    torch.manual_seed(99)
    assert torch.equal(Scorer.on(qwen3(), seed=1).model.score.weight, scorer.model.score.weight)
    assert not torch.equal(Scorer.on(qwen3(), seed=2).model.score.weight, scorer.model.score.weight)
    scorer.save(tmp_path / "rm")
    again = Scorer.load(tmp_path / "rm")
    assert again.notes == {"task": "chain"}
    assert torch.equal(again.score(PROMPTS, TEXTS), scorer.score(PROMPTS, TEXTS))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm")
    assert model.config.num_labels == 1
    found = plain(model, again.policy, PROMPTS[1], TEXTS[1])
    assert found == pytest.approx(again.score(PROMPTS, TEXTS)[1].item(), abs=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["rm"]


def test_marks_are_part_of_what_is_scored_and_are_saved(tmp_path):
    scorer = Scorer.on(qwen3(), seed=1, proofreader=Proofreader(qwen3(seed=4), threshold=0.5))
    scorer.save(tmp_path / "rm")
    again = Scorer.load(tmp_path / "rm")
    bare = Scorer(scorer.policy)
    assert torch.equal(again.score(PROMPTS, TEXTS), scorer.score(PROMPTS, TEXTS))
    assert torch.equal(bare.score(PROMPTS, scorer.proofreader.mark(PROMPTS, TEXTS)), scorer.score(PROMPTS, TEXTS))
    assert not torch.equal(bare.score(PROMPTS, TEXTS), scorer.score(PROMPTS, TEXTS))


def test_with_lora_adapters_and_head_alone_learn_and_the_folder_is_merged(tmp_path):
    pytest.importorskip("peft")
    policy = qwen3()
    policy.save(tmp_path / "start")
    lora = {"r": 2, "alpha": 4}
    adapted = hf(task=None, cache_dir=tmp_path, report=print, name_or_path=str(tmp_path / "start"), lora=lora)
    scorer = Scorer.on(adapted, seed=1)
    before = Scorer.on(policy, seed=1).score(PROMPTS, TEXTS)
    torch.testing.assert_close(scorer.score(PROMPTS, TEXTS), before, atol=1e-5, rtol=1e-5)
    learned = [name for name, p in scorer.model.named_parameters() if p.requires_grad]
    assert all("lora_" in name or ".score." in name for name in learned)
    assert any(".score." in name for name in learned)
    objective = PairScores(scorer, Answers(scorer.policy), functools.partial(bradley_terry), 1000)
    optimizer = torch.optim.AdamW([p for p in scorer.model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(2):
        objective.learn(PAIRS, {}, torch.Tensor.backward)
        optimizer.step()
    moved = scorer.score(PROMPTS, TEXTS)
    assert (moved - before).abs().max() > 1e-3
    scorer.save(tmp_path / "rm")
    torch.testing.assert_close(Scorer.load(tmp_path / "rm").score(PROMPTS, TEXTS), moved, atol=1e-4, rtol=1e-4)


def test_a_chat_is_what_the_template_makes_of_the_whole_conversation():
    policy = qwen3()
    policy.tokenizer.chat_template = (
        "{% for m in messages %}<bos>{{ m['role'][0] }}:{{ m['content'] }}<eos>\n{% endfor %}"
        "{% if add_generation_prompt %}<bos>a:{% endif %}"
    )
    scorer = Scorer.on(policy, seed=1)
    seen = []
    scorer.read = lambda rows: seen.extend(rows) or torch.zeros(len(rows))
    scorer.score([Prompt("a", "1+1=")], ["2"])
    whole = policy.tokenizer("<bos>u:1+1=<eos>\n<bos>a:2<eos>\n", add_special_tokens=False)["input_ids"]
    assert seen == [whole]
    row, tokens, cut = Answers(scorer.policy).row(Prompt("a", "1+1="), "2")
    assert (row, tokens, cut) == (whole, 3, False)


def test_passes_change_neither_gradient_nor_metrics():
    policy = qwen3()
    scorer = Scorer.on(policy, seed=1)
    scores = [Scored(p, t, float(i)) for i, (p, t) in enumerate(zip(PROMPTS, TEXTS, strict=True))]
    for items, made in (
        (PAIRS, lambda tokens: PairScores(scorer, Answers(scorer.policy), functools.partial(bradley_terry), tokens)),
        (scores, lambda tokens: ScoreErrors(scorer, Answers(scorer.policy), tokens)),
    ):
        found = []
        for tokens in (10_000, 1, 30):
            scorer.model.zero_grad()
            metrics = made(tokens).learn(items, {}, torch.Tensor.backward)
            found.append((metrics, torch.cat([p.grad.flatten() for p in scorer.model.parameters()])))
        for metrics, gradient in found[1:]:
            assert metrics == pytest.approx(found[0][0], rel=1e-4)
            torch.testing.assert_close(gradient, found[0][1], rtol=1e-3, atol=1e-5 * float(gradient.abs().max()))
        assert gradient.abs().max() > 0


def test_a_row_that_is_too_long_for_the_model_is_one_line():
    with pytest.raises(UserError, match="more than the context of 64"):
        Scorer.on(qwen3(), seed=1).score(PROMPTS, ["1" * 80] * 4)


def test_the_optimiser_of_a_recipe_begins_low_rises_and_ends_at_a_twentieth():
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer, schedule = CosineAdamW(lr=0.1, warmup_updates=4, total=10).build([weight])
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [0.1 * min(1, (n + 1) / 4) * (0.05 + 0.475 * (1 + math.cos(math.pi * n / 10))) for n in range(10)]
    assert rates == pytest.approx(expected)
    assert learning_rate(4, 10)(10) == pytest.approx(0.05)


def test_prompts_come_round_as_often_as_the_recipe_says():
    options = {"embedder": None, "responses": 40, "batch_responses": 8, "sample_share": 0.2}
    prompts = [Prompt(str(i), "1+1=") for i in range(100)]
    for each, apart in ((1, 32), (2, 16), (3, 11)):
        recipe = RewardModelRecipe(responses_per_prompt=each, **options)
        found = [p.id for p in islice(repeated(iter(prompts), recipe, sampled=True), 32)]
        assert found == [str(i % apart) for i in range(32)]
    assert len(set(found)) == 11


# -- measures ----------------------------------------------------------------------------------------


def test_order_by_hand():
    scores = torch.tensor([3.0, 1.0, 1.0, 2.0])
    better = torch.zeros(4, 4, dtype=torch.bool)
    better[0, 1] = better[1, 2] = better[1, 3] = True
    assert rm_ranking.ordered(scores, better) == pytest.approx((1 + 0.5 + 0) / 3)
    assert math.isnan(rm_ranking.ordered(scores, torch.zeros(4, 4, dtype=torch.bool)))
    a, b = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 1.0, 5.0])
    assert rm_ranking.correlation(a, b) == pytest.approx(torch.corrcoef(torch.stack([a, b]))[0, 1].item(), abs=1e-6)


def test_only_answers_to_one_prompt_are_compared():
    one, other = TASK.prompt("1+1"), TASK.prompt("2+2")
    examples = [Example(one, "x", "sample"), Example(one, "y", "demonstration"), Example(other, "z", "sample")]
    truth = torch.tensor([[True, False], [True, True], [False, False]])
    found = rm_ranking.of_responses(torch.tensor([0.0, 1.0, 9.0]), truth, examples, ["p", "q"])
    assert found["rm/pair_accuracy_true"] == found["rm/auc_within/q"] == 1.0
    assert math.isnan(found["rm/auc_within/p"])
    assert math.isnan(found["rm/sampled/auc_within/q"])


def test_hard_pairs_set_a_short_right_answer_against_a_longer_wrong_one():
    hard, easy = rm_ranking.contrasts(TASK)
    assert len(hard) > 6
    for pairs, longer in ((hard, lambda p: len(p.wrong) > len(p.right)), (easy, lambda p: len(p.right) > len(p.wrong))):
        assert all(TASK.correct(p.prompt, p.right) and not TASK.correct(p.prompt, p.wrong) and longer(p) for p in pairs)

    def length(prompts, texts):
        return torch.tensor([float(len(t)) for t in texts])

    def right(prompts, texts):
        return torch.tensor([float(TASK.correct(p, t)) for p, t in zip(prompts, texts, strict=True)])

    assert rm_ranking.of_contrasts(length, hard).item() == 0.0  # what likes length fails on all
    assert rm_ranking.of_contrasts(length, easy).item() == 1.0
    assert rm_ranking.of_contrasts(right, hard).item() == rm_ranking.of_contrasts(right, easy).item() == 1.0
    assert (hard, easy) == rm_ranking.contrasts(TASK)


# -- whole runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("algo", ["rm_bradley_terry", "rm_regression"])
def test_a_run_on_feedback_measures_writes_a_folder_and_caches_it(small_run, tmp_path, algo):
    path = small_run(f"algo={algo}", "model.context_length=96", "evaluation.every=100", *SMALL_FEEDBACK)
    rows = read_metrics(path)
    updates = [row for row in rows if row["kind"] == "update"]
    assert len(updates) >= 2
    assert all(row["policy/grad_norm"] > 0 for row in updates)
    last = [row for row in rows if row["kind"] == "eval"][-1]
    assert {"rm/pair_accuracy_true", "rm/pair_accuracy_hard", "rm/pair_accuracy_easy"} <= last.keys()
    own = "preference_accuracy" if algo == "rm_bradley_terry" else "score_mse"
    assert f"eval/chain/{own}" in last
    kept = next(row for row in rows if row["kind"] == "reward_model")
    assert kept["pair_accuracy_hard"] == last["rm/pair_accuracy_hard"]
    notes = read_card(path / "policy")
    assert notes["kind"] == algo.removeprefix("rm_")
    assert notes["steps"] == len(updates) == read_status(path)["step"]
    assert notes["counts"]["responses"] == 96
    cached = next((tmp_path / "cache").glob("reward_model/*/reward_model.json"))
    a, b = Scorer.load(path / "policy"), Scorer.load(cached.parent)
    assert torch.equal(a.score(PROMPTS, TEXTS), b.score(PROMPTS, TEXTS))
    assert not (path / "samples").exists() or not list((path / "samples").iterdir())


def test_it_learns_pairs_and_is_killed_and_started_again_with_the_same_numbers(small_run, killed):
    options = (
        "algo=rm_bradley_terry", "algo.recipe=null", "steps=6", "checkpoint_every=2", "evaluation.every=3",
        "batch.prompts_per_step=8",
    )  # fmt: skip
    whole = small_run("run_id=whole", *options)
    again = killed(lambda: small_run("run_id=killed", *options))
    assert read_status(again)["attempt"] == 2
    assert timeless(read_metrics(again)) == timeless(read_metrics(whole))
    assert same_weights(whole, again, step=6)
    assert read_card(again / "policy")["held_out"] == read_card(whole / "policy")["held_out"]
    updates = [row for row in read_metrics(whole) if row["kind"] == "update"]
    assert updates[-1]["policy/loss"] < updates[0]["policy/loss"]


@pytest.mark.slow
def test_a_run_on_feedback_is_killed_and_started_again(small_run, killed):
    options = ("algo=rm_bradley_terry", "model.context_length=96", "checkpoint_every=2", *SMALL_FEEDBACK)
    whole = small_run("run_id=whole", *options)
    again = killed(lambda: small_run("run_id=killed", *options))
    assert timeless(read_metrics(again)) == timeless(read_metrics(whole))
    assert read_card(again / "policy") == read_card(whole / "policy")


PAIR_ROWS = [
    {"prompt": f"say {i}", "chosen": f"{i}", "rejected": "no", "margin": [0, 1, 2.5][i % 3]} for i in range(60)
]
COLUMNS = ("data.chosen_column=chosen", "data.rejected_column=rejected", "data.answer_column=null", "algo.recipe=null")


def test_pairs_of_a_file_with_margins_and_ties(file_run, capsys):
    options = ("algo.form=scaled", "algo.centre=0.01", "data.margin_column=margin")
    path = file_run(PAIR_ROWS, "algo=rm_bradley_terry", *options, *COLUMNS)
    assert "training pairs are ties (margin 0) and are left out" in capsys.readouterr().out
    rows = read_metrics(path)
    assert len([row for row in rows if row["kind"] == "update"]) == 2
    evaluations = [row for row in rows if row["kind"] == "eval"]
    measured = {name for row in evaluations for name in row if name.startswith(("eval/", "rm/"))}
    assert measured == {"eval/jsonl/preference_accuracy", "eval/jsonl/preference_margin"}


def test_scores_of_a_file(file_run):
    rows = [{"prompt": f"say {i}", "completion": f"{i % 7}", "score": (i % 7) / 7} for i in range(60)]
    columns = ("data.completion_column=completion", "data.score_column=score", "data.answer_column=null")
    path = file_run(rows, "algo=rm_regression", "algo.recipe=null", *columns)
    last = [row for row in read_metrics(path) if row["kind"] == "eval"][-1]
    assert {"eval/jsonl/score_mse", "eval/jsonl/score_correlation"} <= last.keys()
    assert json.loads((path / "policy" / "reward_model.json").read_text())["kind"] == "regression"


def test_ties_are_left_out_on_both_sides():
    ties = [Preference(PROMPTS[0], "1", "2", m) for m in (0.0, 1.0, None)]
    lines: list[str] = []
    found = without_ties(Source(ties, None, ties[:1]), lines.append)
    assert ([p.margin for p in found.pool], found.held_out) == ([1.0, None], [])
    assert len(lines) == 2
    with pytest.raises(UserError, match="nothing to learn"):
        without_ties(Source(ties[:1], None, []), lines.append)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["algo=rm_bradley_terry", "algo.form=scaled", *COLUMNS], "algo.form=scaled needs the margin of every pair"),
        (["algo=rm_bradley_terry", *COLUMNS[:3]], "set algo.recipe=null to learn from pairs of answers"),
        (["algo=rm_bradley_terry", "algo.recipe=null"], "data=jsonl has no pairs of answers to learn from"),
        (["algo=rm_regression", "algo.recipe=null", *COLUMNS[:2]], "data=jsonl has no scored answers to learn from"),
        (["algo=rm_bradley_terry", *COLUMNS, "model.context_length=8"], "are too long"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_before_any_model(file_run, options, message, monkeypatch):
    monkeypatch.setattr(tiny, "tiny", functools.wraps(tiny.tiny)(lambda **_: pytest.fail("a model was made")))
    rows = [{**row, "answer": row["chosen"]} for row in PAIR_ROWS]
    with pytest.raises(UserError, match=message) as caught:
        file_run(rows, *options)
    assert "\n" not in str(caught.value)


def test_a_dry_run_says_what_a_step_is_only_where_the_run_decides_it():
    given = ["algo=rm_bradley_terry", "algo.recipe=null", "batch.prompts_per_step=10", "steps=3"]
    text = report(compose(given, ROOT).config)
    assert "10 pairs of answers a step, one optimiser step\n" in text
    assert "a step" not in report(compose(["algo=rm_bradley_terry"], ROOT).config)
    assert "4 scored answers a step" in report(
        compose(["algo=rm_regression", "algo.recipe=null", "batch.prompts_per_step=4"], ROOT).config
    )
    with pytest.raises(UserError, match="trains on one process"):
        compose(["algo=rm_bradley_terry", "trainer.devices=2"], ROOT)
    with pytest.raises(UserError, match="must be one of"):
        compose(["algo=rm_bradley_terry", "algo.form=scald"], ROOT)


def test_a_copied_policy_keeps_its_own_backbone():
    policy = qwen3()
    before = {k: v.clone() for k, v in policy.model.state_dict().items()}
    scorer = Scorer.on(copied(policy), seed=1)
    PairScores(scorer, Answers(scorer.policy), functools.partial(bradley_terry), 1000).learn(
        PAIRS, {}, torch.Tensor.backward
    )
    torch.optim.SGD(scorer.model.parameters(), lr=1.0).step()
    assert all(torch.equal(v, before[k]) for k, v in policy.model.state_dict().items())
