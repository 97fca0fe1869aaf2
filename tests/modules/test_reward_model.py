"""The principle-conditioned reward model: its loss, its score, its packing, and that it learns."""

from __future__ import annotations

import json
import math
import random

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.feedback.embed import NGramEmbedder
from crucible.modules import rm_metrics
from crucible.modules.reward_model import RewardModel, trained_judge, yes_no_loss
from crucible.modules.rm_data import batches
from crucible.modules.rm_proofreader import Proofreader, marked, trained_proofreader
from crucible.modules.rm_questions import Row, answer_tokens, pack
from crucible.modules.rm_recipe import RewardModelRecipe, cache_folder
from crucible.modules.rm_scorer import Judge, batches_by_length, teach_words
from crucible.policy.tiny import untrained


class Direct(Chain):
    """Flawed answers give no steps at all, so one principle is learnt in seconds."""

    def corrupt(self, prompt, rng, kind=None):
        return super().corrupt(prompt, rng, kind or rng.choice(("direct_right", "direct_wrong")))


TASK, DIRECT = Chain(), Direct()
PRINCIPLES = list(TASK.principles())
EXPRESSIONS = ("7+8-6+2", "1+1", "9-3+4")
PROMPTS = [TASK.prompt(e) for e in EXPRESSIONS]
TEXTS = ["7+8=15;15-6=9;9+2=11", "=2", "9-3=6;6+4=11"]


def small(seed: int = 0, context_length: int = 128):
    return untrained(
        hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64, context_length=context_length, seed=seed
    )


def recipe(**options) -> RewardModelRecipe:
    return RewardModelRecipe(
        **({"embedder": NGramEmbedder(), "tau": 0.6, "responses": 640, "held_out_responses": 200, "epochs": 5,
            "sample_share": 0.0, "batch_responses": 32, "learning_rate": 5e-3, "proofread_updates": 0} | options)
    )  # fmt: skip


# -- loss and score --------------------------------------------------------------------------------


def test_the_loss_and_its_gradient_are_those_of_the_formula():
    r = torch.tensor([0.3, -2.0, 4.0, 0.0], dtype=torch.float64, requires_grad=True)
    z = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    loss = yes_no_loss(r, z)
    loss.backward()
    pairs = list(zip(r.tolist(), z.tolist(), strict=True))
    by_hand = [math.log1p(math.exp(-x if y else x)) for x, y in pairs]
    assert loss.item() == pytest.approx(sum(by_hand) / 4, abs=1e-12)
    gradient = [(1 / (1 + math.exp(-x)) - y) / 4 for x, y in pairs]
    assert r.grad.tolist() == pytest.approx(gradient, abs=1e-12)


def test_the_loss_is_cross_entropy_over_the_two_words_alone():
    logits = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = torch.tensor([1, 0, 1, 1, 0])
    two_words = F.cross_entropy(logits, 1 - z)  # class 0 is Yes
    assert yes_no_loss(logits[:, 0] - logits[:, 1], z).item() == pytest.approx(two_words.item(), abs=1e-12)


def test_the_score_is_the_logit_difference_of_a_plain_forward_pass():
    policy = small()
    got = Judge(policy).score(PROMPTS, TEXTS, PRINCIPLES)
    yes, no = policy.tokenizer.convert_tokens_to_ids(["Yes", "No"])
    for i, (prompt, text) in enumerate(zip(PROMPTS, TEXTS, strict=True)):
        for j, principle in enumerate(PRINCIPLES):
            ids = policy.tokenizer(f"{prompt.text}{text}\n {principle}?", return_tensors="pt")["input_ids"]
            with torch.no_grad():
                logits = policy.model(input_ids=ids).logits[0, -1]
            assert got[i, j].item() == pytest.approx((logits[yes] - logits[no]).item(), abs=1e-4)
            logp = logits.log_softmax(-1)
            assert got[i, j].item() == pytest.approx((logp[yes] - logp[no]).item(), abs=1e-4)


def test_padding_company_batching_and_order_do_not_change_a_score():
    judge = Judge(small())
    together = judge.score(PROMPTS, TEXTS, PRINCIPLES)
    alone = torch.cat([judge.score([p], [t], PRINCIPLES) for p, t in zip(PROMPTS, TEXTS, strict=True)])
    tiny_batches = judge.score(PROMPTS, TEXTS, PRINCIPLES, batch_tokens=1)
    backwards = judge.score(PROMPTS[::-1], TEXTS[::-1], PRINCIPLES[::-1]).flip(0, 1)
    for other in (alone, tiny_batches, backwards):
        torch.testing.assert_close(together, other, atol=1e-5, rtol=1e-5)
    one_question = torch.cat([judge.score(PROMPTS, TEXTS, [p]) for p in PRINCIPLES], 1)
    torch.testing.assert_close(together, one_question, atol=1e-5, rtol=1e-5)
    assert together.std(1).min() > 0  # the principle matters
    twice = judge.score([*PROMPTS, *PROMPTS], [*TEXTS, *TEXTS[::-1]], PRINCIPLES)
    torch.testing.assert_close(twice[:3], together, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(twice[4], together[1], atol=1e-5, rtol=1e-5)  # the same text, asked only once
    assert not torch.allclose(twice[3], together[0])  # another text for the same prompt
    assert judge.score([], [], PRINCIPLES).shape == (0, len(PRINCIPLES))


def test_packed_attention_by_hand():
    """Prefix 0 1, questions (2 3) and (4), one token of padding."""
    batch = pack([Row([5, 6], [[7, 8], [9]]), Row([5], [[7, 8, 9, 9, 9]])], pad_id=0)
    seen = (batch.attention[0, 0] == 0).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert batch.positions[0].tolist() == [0, 1, 2, 3, 2, 0]
    assert list(zip(batch.answer_row.tolist(), batch.answer_at.tolist(), strict=True)) == [(0, 3), (0, 4), (1, 5)]


def test_batches_hold_the_token_bound_and_every_row_once():
    rows = [Row([1] * n, [[2]]) for n in (3, 9, 1, 5, 5, 30)]
    made = batches_by_length(rows, 20)
    assert sorted(i for b in made for i in b) == list(range(6))
    assert all(len(b) == 1 or max(rows[i].tokens for i in b) * len(b) <= 20 for b in made)


# -- tokens ----------------------------------------------------------------------------------------


def test_new_words_are_one_token_and_old_text_reads_as_before():
    policy = small()
    before = policy.tokenizer("7+8=15;Yes")["input_ids"]
    added = teach_words(policy, PRINCIPLES)
    assert added > 15
    assert policy.tokenizer("7+8=15;Yes")["input_ids"] == before
    assert len(Judge(policy).asker.question("the final answer is right")) == 6  # five words and "?"
    assert policy.model.get_input_embeddings().weight.shape[0] == len(policy.tokenizer)
    assert policy.model.get_output_embeddings().weight.shape[0] == len(policy.tokenizer)
    assert teach_words(policy, PRINCIPLES) == 0


class Letters:
    """Writes letter by letter; what is not in `known` is its unknown token."""

    unk_token_id = 0

    def __init__(self, known="YesNo "):
        self.known = known

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [ord(c) if c in self.known else 0 for c in text]}


def test_words_of_several_tokens_are_taken_whole_and_unwritable_ones_refused():
    assert answer_tokens(Letters()) == ([89, 101, 115], [78, 111])
    for known in ("YesN", "", "No"):
        with pytest.raises(UserError, match="cannot write Yes and No"):
            answer_tokens(Letters(known))


def spelled(seed: int = 0):
    """A small model whose tokenizer writes Yes and No as characters."""
    policy = small(seed)
    written = json.loads(policy.tokenizer.backend_tokenizer.to_str())
    written["pre_tokenizer"]["pattern"] = {"Regex": r"[\s\S]"}
    policy.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(written)), pad_token="<pad>", bos_token="<bos>",
        eos_token="<eos>", unk_token="<unk>", padding_side="left", model_max_length=128,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    return policy


def test_with_words_of_several_tokens_the_score_is_of_the_whole_words():
    """log P of each token of Yes and of No, one plain forward pass a word."""
    policy = spelled()
    judge = Judge(policy)
    assert judge.answers == (policy.tokenizer.convert_tokens_to_ids(list("Yes")),
                             policy.tokenizer.convert_tokens_to_ids(list("No")))  # fmt: skip
    assert "Yes as 3 tokens and No as 2" in judge.explained()[0]
    found = judge.score(PROMPTS, TEXTS, PRINCIPLES[:2])
    for i, (prompt, text) in enumerate(zip(PROMPTS, TEXTS, strict=True)):
        for j, principle in enumerate(PRINCIPLES[:2]):
            total = {}
            for word, answer in zip(("Yes", "No"), judge.answers, strict=True):
                ids = policy.tokenizer(f"{prompt.text}{text}\n {principle}?")["input_ids"] + answer
                with torch.no_grad():
                    logp = policy.model(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
                places = range(len(ids) - len(answer) - 1, len(ids) - 1)
                total[word] = sum(logp[at, token].item() for at, token in zip(places, answer, strict=True))
            assert found[i, j].item() == pytest.approx(total["Yes"] - total["No"], abs=1e-4)
    alone = torch.cat([judge.score(PROMPTS, TEXTS, [p], batch_tokens=1) for p in PRINCIPLES[:2]], 1)
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)


def test_words_of_several_tokens_are_learned_from(tmp_path):
    made = RewardModel(task=DIRECT, policy=spelled(), report=lambda line: None, recipe=recipe(responses=64, epochs=1))
    made.judge.answers, made.judge.several = answer_tokens(made.judge.policy.tokenizer), True
    before = made.loss(list(range(32)))
    before.backward()
    assert before.item() > 0
    assert sum(p.grad.abs().sum() for p in made.model.parameters() if p.grad is not None) > 0


def test_single_tokens_are_scored_as_ever_to_the_bit():
    """The path of single tokens, written out: two rows of the output layer, nothing else."""
    policy = small()
    judge = Judge(policy)
    assert not judge.several
    assert judge.explained() == []
    rows = judge.rows(PROMPTS, TEXTS, [PRINCIPLES] * 3)
    batch = pack(rows, policy.pad_id)
    with torch.no_grad():
        hidden = judge.hidden(batch)
        states = hidden[batch.answer_row, batch.answer_at]
        yes, no = policy.tokenizer.convert_tokens_to_ids(["Yes", "No"])
        logits = F.linear(states, policy.model.get_output_embeddings().weight[torch.tensor([yes, no])])
        assert torch.equal(judge.read(hidden, batch), logits[:, 0] - logits[:, 1])
    assert [len(row.questions) for row in rows] == [len(PRINCIPLES)] * 3


def test_a_leading_space_is_tried_where_the_bare_words_are_several_tokens():
    class Spaced:
        unk_token_id = None

        def __call__(self, text, add_special_tokens):
            known = {" Yes": [7], " No": [8]}
            return {"input_ids": known.get(text, [1, 2])}

    assert answer_tokens(Spaced()) == ([7], [8])


def test_too_long_and_empty_principles_are_one_line():
    judge = Judge(small(context_length=64))
    with pytest.raises(UserError, match="context of 64"):
        judge.score(PROMPTS, TEXTS, ["very " * 40 + "good"])
    with pytest.raises(UserError, match="context of 64"):
        judge.score(PROMPTS, ["1+1=2;" * 10] * 3, [PRINCIPLES[0]])
    with pytest.raises(UserError, match="is empty"):
        judge.score(PROMPTS, TEXTS, [" "])


# -- measures --------------------------------------------------------------------------------------


def test_auc_by_hand():
    scores, positive = torch.tensor([3.0, 1.0, 2.0, 1.0]), torch.tensor([True, True, False, False])
    assert rm_metrics.auc(scores, positive) == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    # within prompts a = rows 0 and 2, b = rows 1 and 3: one pair right, one tied
    assert rm_metrics.auc_within(scores, positive, ["a", "b", "a", "b"]) == pytest.approx(0.75)
    assert math.isnan(rm_metrics.auc(scores, torch.ones(4, dtype=torch.bool)))
    assert rm_metrics.balanced(torch.tensor([True, True, False, True]), positive) == pytest.approx(0.75)


def test_every_epoch_meets_all_rows_once_with_like_lengths_together():
    lengths = [random.Random(i).randint(10, 90) for i in range(203)]
    first, second = batches(lengths, 8, 0, 0), batches(lengths, 8, 1, 0)
    assert [len(b) for b in first] == [8] * 25
    assert len({i for b in first for i in b}) == 200
    assert first != second
    assert second == batches(lengths, 8, 1, 0)
    padded = sum(8 * max(lengths[i] for i in b) for b in first)
    assert padded < 1.15 * sum(lengths)


# -- training --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    cache, lines = tmp_path_factory.mktemp("cache"), []
    torch.manual_seed(123)
    state = torch.get_rng_state()
    judge = trained_judge(task=DIRECT, policy=small(), cache_dir=cache, recipe=recipe(), report=lines.append)
    assert torch.equal(torch.get_rng_state(), state)  # the run's own draws do not depend on the cache
    return judge, cache, lines


def test_it_learns_a_simple_principle_on_prompts_it_never_saw(trained):
    judge, _, _ = trained
    held_out = judge.notes["held_out"]
    assert held_out["rm/accuracy_balanced/the steps are shown"] > 0.9
    assert held_out["rm/auc/the steps are shown"] > 0.95
    rng = random.Random(5)
    prompts = list(TASK.eval_prompts())[:60]
    shown = judge.score(prompts, [TASK.working(p) for p in prompts], ["the steps are shown"])
    direct = judge.score(prompts, [TASK.corrupt(p, rng, "direct_right") for p in prompts], ["the steps are shown"])
    assert ((shown > 0).sum() + (direct < 0).sum()).item() > 108


def test_it_is_taken_from_the_cache_with_the_same_scores_and_its_notes(trained):
    judge, cache, lines = trained
    again = trained_judge(task=DIRECT, policy=small(), cache_dir=cache, recipe=recipe(), report=lines.append)
    assert "taken from" in lines[-1]
    assert torch.equal(judge.score(PROMPTS, TEXTS, PRINCIPLES), again.score(PROMPTS, TEXTS, PRINCIPLES))
    notes = json.loads(next(cache.glob("reward_model/*/reward_model.json")).read_text())
    assert notes["counts"]["responses"] == 640
    assert notes["recipe"]["tau"] == 0.6
    assert not list(cache.glob("reward_model/*.new"))
    stored = next(cache.glob("reward_model/*/feedback"))
    assert {f.name for f in stored.iterdir()} == {"counts.json", "triples.jsonl", "rejected.jsonl"}


def test_the_cache_key_knows_recipe_task_and_policy(tmp_path):
    def key(task=TASK, seed=0, **options):
        return cache_folder(tmp_path, recipe=recipe(**options), task=task, policy=small(seed))

    keys = [key(), key(tau=0.7), key(task=Chain(terms=5)), key(seed=1), key(embedder=NGramEmbedder(sizes=(3,)))]
    assert len(set(keys)) == 5
    assert key() == keys[0]


def module(**options) -> RewardModel:
    return RewardModel(task=TASK, policy=small(), report=lambda line: None, recipe=recipe(responses=200, **options))


def test_a_module_is_reproducible_leaves_the_policy_alone_and_keeps_prompts_apart():
    policy = small()
    before = {k: v.clone() for k, v in policy.model.state_dict().items()}
    made = RewardModel(task=TASK, policy=policy, report=lambda line: None, recipe=recipe(responses=200))
    assert isinstance(made, pl.LightningModule)
    trainer(made, 1).fit(made)
    twin = module(epochs=1)
    assert [e.prompt.id for e in twin.examples.train] == [e.prompt.id for e in made.examples.train]
    assert all(torch.equal(v, policy.model.state_dict()[k]) for k, v in before.items())
    ids = {e.prompt.id for e in made.examples.train}
    assert not ids & {e.prompt.id for e in made.examples.held_out}
    assert not ids & {p.id for p in TASK.eval_prompts()}


def trainer(made, epochs):
    return pl.Trainer(max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
                      enable_progress_bar=False, enable_model_summary=False)  # fmt: skip


def test_marks_stand_behind_the_tokens_a_language_model_finds_improbable():
    """Against a plain forward pass, token by token, the end included."""
    policy = small()
    prompts, texts = PROMPTS, [*TEXTS[:2], ""]
    reader = Proofreader(policy, threshold=0.008)
    for prompt, text, marked_text in zip(prompts, texts, reader.mark(prompts, texts), strict=True):
        prompt_ids = policy.tokenizer(prompt.text)["input_ids"]
        answer = [*policy.tokenizer(text, add_special_tokens=False)["input_ids"]] if text else []
        answer.append(policy.eos_id)
        with torch.no_grad():
            p = policy.model(input_ids=torch.tensor([prompt_ids + answer])).logits[0].softmax(-1)
        unlikely = [p[len(prompt_ids) - 1 + i, token].item() < 0.008 for i, token in enumerate(answer)]
        expected = "".join(c + "!" * u for c, u in zip(text, unlikely[:-1], strict=True)) + "!" * unlikely[-1]
        assert marked_text == expected
    assert sum(t.count("!") for t in reader.mark(prompts, texts)) > 0
    assert marked("ab", [1, 2, 2], [False, True, False, True]) == "a!b!"


def test_a_proofreader_that_learned_the_task_marks_the_wrong_result(tmp_path):
    """One-digit sums are learned in seconds; then the mark is on the slip and nowhere else."""
    task = Chain(terms=2, operand_max=3, operations="+", eval_prompts=1)
    reader = trained_proofreader(task, small(), updates=120, batch=32, learning_rate=1e-2, report=lambda line: None)
    prompts = [task.prompt("1+2"), task.prompt("1+2"), task.prompt("2+0")]
    assert reader.mark(prompts, ["1+2=3", "1+2=2", "2+0=2"]) == ["1+2=3", "1+2=2!", "2+0=2"]


def test_a_judge_with_a_proofreader_is_saved_whole(tmp_path):
    judge = Judge(small(), proofreader=Proofreader(small(1), threshold=0.008))
    judge.save(tmp_path / "judge")
    again = Judge.load(tmp_path / "judge")
    assert again.proofreader is not None
    plain = Judge(judge.policy)
    assert torch.equal(judge.score(PROMPTS, TEXTS, PRINCIPLES), again.score(PROMPTS, TEXTS, PRINCIPLES))
    assert not torch.equal(judge.score(PROMPTS, TEXTS, PRINCIPLES), plain.score(PROMPTS, TEXTS, PRINCIPLES))


@pytest.mark.slow
def test_a_checkpoint_goes_on_where_it_stopped(tmp_path):
    whole = module(epochs=2)
    trainer(whole, 2).fit(whole)
    half = module(epochs=2)
    first = trainer(half, 1)
    first.fit(half)
    first.save_checkpoint(tmp_path / "half.ckpt")
    rest = module(epochs=2)
    trainer(rest, 2).fit(rest, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert rest.steps_done == 2
    a, b = (m.judge.score(PROMPTS, TEXTS, PRINCIPLES) for m in (whole, rest))
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_bad_recipes_and_tasks_are_one_line(tmp_path):
    with pytest.raises(UserError, match="responses=10 do not fill"):
        recipe(responses=10)
    with pytest.raises(UserError, match="tau=1"):
        recipe(tau=1.0)

    class Plain:
        name = "jsonl"

    with pytest.raises(UserError, match=r"data=jsonl cannot .* no principles\(\)"):
        RewardModel(task=Plain(), policy=small(), report=print, recipe=recipe())
    with pytest.raises(UserError, match="no reward model at"):
        Judge.load(tmp_path / "nothing")
