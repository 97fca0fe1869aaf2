"""VeriFree's whole estimator: exactly unbiased on a policy small enough to enumerate, and the program's against
passes written out by hand."""

from __future__ import annotations

import copy
import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from tests.conftest import ROOT, SMALL
from torch import nn

from crucible.algorithms.advantages.rloo import rloo
from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum
from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm
from crucible.algorithms.auxiliary.verifree import VeriFreeAnswer
from crucible.algorithms.filters.keep_all import keep_all
from crucible.algorithms.losses.reinforce import reinforce
from crucible.config.batch import Batch
from crucible.config.compose import compose
from crucible.data.chain import Chain
from crucible.entropy.none import NoControl
from crucible.errors import UserError
from crucible.modules.experience import Learner
from crucible.modules.methods import Methods
from crucible.modules.objective import Objective
from crucible.policy.tiny import untrained
from crucible.policy.token_stats import TokenStats
from crucible.ranks import Ranks
from crucible.rewards.answer_likelihood import reasoning_mask
from crucible.rewards.verifree import VeriFree
from crucible.types import Advantages, Answers, Completion, Context, Prompt, Rollouts, Scores

CLOCK = {"updates_done": 0, "progress": 0.0}


def methods(*, aggregation=seq_mean_token_sum, **auxiliary):
    return Methods(
        reinforce, rloo, aggregation, keep_all, {"verifree": VeriFreeAnswer(**auxiliary)}, NoControl()
    )  # fmt: skip


def gradient(policy, rollouts, scores, parts, *, tokens=4096, ranks=None):
    """(gradient of the loss on the policy's parameters, metrics), by the program's own two stages."""
    learner = Learner(policy, parts, None, False, tokens, 1)
    x = learner.learn_from(
        rollouts, scores, torch.zeros(len(rollouts)), order=torch.Generator(), clock=CLOCK, more={}
    )  # fmt: skip
    policy.model.zero_grad()
    objective = Objective(policy, parts, tokens, 5, *([] if ranks is None else [ranks]))
    metrics = objective.backward(x, x.updates[0], CLOCK, lambda loss: loss.backward())
    return {n: p.grad.clone() for n, p in policy.model.named_parameters() if p.grad is not None}, metrics


# -- a table of probabilities: all completions are enumerated, in float64 -----------------------------


class Table(nn.Module):
    """Two tokens; the next one depends on the two before it."""

    device = torch.device("cpu")

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.logits = nn.Parameter(torch.randn(2, 2, 2, generator=draw, dtype=torch.float64))


class TablePolicy:
    device = torch.device("cpu")

    def __init__(self):
        self.model = Table()

    def shares(self, length):
        return False

    def token_stats(self, prompt_ids, prompt_mask, completion_ids, mask, *, temperature=1.0, **options):
        assert bool(prompt_mask[:, -2:].all()), "the table looks two tokens back"
        ids = torch.cat([prompt_ids[:, -2:], completion_ids], 1)
        logps = self.model.logits.log_softmax(-1)[ids[:, :-2], ids[:, 1:-1]]
        chosen = logps.gather(-1, completion_ids.unsqueeze(-1)).squeeze(-1) * mask
        entropy = -(logps.exp() * logps).sum(-1) * mask
        return TokenStats(chosen, entropy)


START, GOLD = (0, 1), (1, 0, 0)  # the prompt and the reference answer
COMPLETIONS = list(itertools.product(range(2), repeat=3))  # two tokens of reasoning and one of an answer


def logp(logits, before, tokens):
    """log-probability of `tokens` after `before`, a token at a time."""
    total = torch.zeros((), dtype=torch.float64)
    seen = list(before)
    for token in tokens:
        total = total + logits[seen[-2], seen[-1]].log_softmax(-1)[token]
        seen.append(token)
    return total


def oracle(logits):
    """E_z[pi(y* | x, z)] over every reasoning z."""
    reasonings = itertools.product(range(2), repeat=2)
    return sum(logp(logits, START, z).exp() * logp(logits, (*START, *z), GOLD).exp() for z in reasonings)


def sampled(policy, texts):
    """These completions as a group of rows, and their scores with the reference answer behind the reasoning."""
    n, table = len(texts), policy.model.logits.detach()
    ids, long = torch.tensor(texts), torch.int64
    whole = [(*START, *c) for c in texts]
    rows = {
        "group": torch.zeros(n, dtype=long), "policy_version": torch.zeros(n, dtype=long),
        "prompts": [Prompt("p")] * n, "texts": [""] * n, "finish_reason": ["stop"] * n,
    }  # fmt: skip

    def each(before, tokens):
        steps = [[(b + t[:k], t[k : k + 1]) for k in range(len(t))] for b, t in zip(before, tokens, strict=True)]
        return torch.tensor([[float(logp(table, *pair)) for pair in row] for row in steps], dtype=torch.float64)

    rollouts = Rollouts(
        prompt_ids=torch.tensor([START] * n), prompt_mask=torch.ones(n, 2, dtype=long), completion_ids=ids,
        mask=torch.ones(n, 3, dtype=torch.float64), sampling_logps=each([START] * n, texts), **rows,
    )  # fmt: skip
    spliced = Rollouts(
        prompt_ids=torch.tensor([w[:4] for w in whole]), prompt_mask=torch.ones(n, 4, dtype=long),
        completion_ids=torch.tensor([GOLD] * n), mask=torch.ones(n, 3, dtype=torch.float64),
        sampling_logps=each([w[:4] for w in whole], [GOLD] * n), **rows,
    )  # fmt: skip
    reasoning = torch.tensor([[1.0, 1.0, 0.0]] * n, dtype=torch.float64)
    likely = spliced.sampling_logps.sum(-1).exp()
    return rollouts, Scores(likely, answers=Answers(spliced, reasoning))


@pytest.mark.parametrize("reasoning_only", [True, False])
def test_its_mean_over_all_pairs_of_completions_is_the_gradient_of_the_expected_likelihood(reasoning_only):
    """RLOO on groups of two, each pair weighted by its probability; exact but for rounding."""
    policy = TablePolicy()
    logits = policy.model.logits.detach().clone().requires_grad_()
    oracle(logits).backward()
    mean = torch.zeros_like(logits)
    for pair in itertools.product(COMPLETIONS, repeat=2):
        weight = sum(logp(policy.model.logits.detach(), START, c) for c in pair).exp()
        found, _ = gradient(policy, *sampled(policy, pair), methods(reasoning_only=reasoning_only))
        mean += weight * found["logits"]
    torch.testing.assert_close(-mean, logits.grad, rtol=1e-12, atol=1e-14)


def test_without_the_answers_term_it_is_another_gradient():
    policy = TablePolicy()
    logits = policy.model.logits.detach().clone().requires_grad_()
    oracle(logits).backward()
    mean = torch.zeros_like(logits)
    for pair in itertools.product(COMPLETIONS, repeat=2):
        weight = sum(logp(policy.model.logits.detach(), START, c) for c in pair).exp()
        mean += weight * gradient(policy, *sampled(policy, pair), methods(coefficient=0.0))[0]["logits"]
    assert not torch.allclose(-mean, logits.grad, rtol=0.05)


def by_hand(policy, texts, *, scale=1.0):
    """The loss of a group of rows, term by term, in float64: (policy term, answer term)."""
    logits = policy.model.logits
    reward = [logp(logits, (*START, *c[:2]), GOLD).exp().detach() for c in texts]
    others = [(sum(reward) - r) / (len(texts) - 1) for r in reward]
    weights = [-(r - o) for r, o in zip(reward, others, strict=True)]
    score = sum(w * logp(logits, START, c[:2]) for w, c in zip(weights, texts, strict=True))
    answer = sum(-r * logp(logits, (*START, *c[:2]), GOLD) for r, c in zip(reward, texts, strict=True))
    return score * scale / len(texts), answer * scale / len(texts)


@pytest.mark.parametrize(("aggregation", "scale"), [(seq_mean_token_sum, 1.0), (seq_mean_token_sum_norm, 1 / 5)])
def test_value_and_gradient_by_hand(aggregation, scale):
    policy, texts = TablePolicy(), [COMPLETIONS[i] for i in (0, 3, 5, 6)]
    found, metrics = gradient(policy, *sampled(policy, texts), methods(aggregation=aggregation))
    score, answer = by_hand(policy, texts, scale=scale)
    (expected,) = torch.autograd.grad(score + answer, [policy.model.logits])
    assert metrics["policy/loss"] == pytest.approx(score.item(), rel=1e-12)
    assert metrics["auxiliary/verifree"] == pytest.approx(answer.item(), rel=1e-12)
    torch.testing.assert_close(found["logits"], expected, rtol=1e-12, atol=1e-15)


def test_a_row_without_an_answer_adds_nothing_and_counts():
    """Its reward is 0, its own tokens are all reasoning, and the mean is still over all rows."""
    policy, texts = TablePolicy(), [COMPLETIONS[i] for i in (0, 3, 5)]
    rollouts, scores = sampled(policy, texts)
    assert scores.answers is not None
    scores.total[1] = 0.0
    scores.answers.rows.mask[1] = 0.0
    scores.answers.reasoning[1] = 1.0
    found, metrics = gradient(policy, rollouts, scores, methods())
    logits, total = policy.model.logits, scores.total.tolist()
    advantages = [r - (sum(total) - r) / 2 for r in total]
    tokens = [texts[0][:2], texts[1], texts[2][:2]]
    loss = sum(-a * logp(logits, START, t) for a, t in zip(advantages, tokens, strict=True)) / 3
    answer = sum(-total[i] * logp(logits, (*START, *texts[i][:2]), GOLD) for i in (0, 2)) / 3
    (expected,) = torch.autograd.grad(loss + answer, [logits])
    torch.testing.assert_close(found["logits"], expected, rtol=1e-12, atol=1e-15)
    assert metrics["auxiliary/verifree"] == pytest.approx(answer.item(), rel=1e-12)


def test_no_answer_in_the_whole_update():
    policy = TablePolicy()
    rollouts, scores = sampled(policy, COMPLETIONS[:2])
    assert scores.answers is not None
    scores.answers.rows.mask.zero_()
    _, metrics = gradient(policy, rollouts, scores, methods())
    assert metrics.get("auxiliary/verifree", 0.0) == 0.0


# -- the program's own reward on a transformer --------------------------------------------------------

POLICY = untrained(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64, context_length=48)
TASK = Chain()
PROMPTS = [TASK.prompt(e) for e in ("7+8-6+2", "7+8-6+2", "7+8-6+2", "9-3", "9-3", "9-3")]
TEXTS = ["7+8=15;15-6=9;9+2=11", "=12", "7+8-6", "9-3=6", "9-3=5", "3="]
REASONS = ["stop", "stop", "stop", "stop", "length", "stop"]


def of_texts(policy, prompts, texts, reasons):
    """Rollouts with these texts, sampled by the policy as far as the log-probs go."""
    ids = [policy.tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    width = max(map(len, ids))
    completion = torch.tensor([row + [policy.pad_id] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in ids])
    prompt_ids, prompt_mask = policy.encode(prompts)
    with torch.no_grad():
        logps = policy.token_stats(prompt_ids, prompt_mask, completion, mask).logps
    names = list(dict.fromkeys(p.id for p in prompts))
    group = torch.tensor([names.index(p.id) for p in prompts])
    return Rollouts(
        prompt_ids=prompt_ids, prompt_mask=prompt_mask, completion_ids=completion, mask=mask, sampling_logps=logps,
        group=group, policy_version=torch.zeros(len(prompts), dtype=torch.int64), prompts=list(prompts),
        texts=list(texts), finish_reason=list(reasons),
    )  # fmt: skip


def reward(policy):
    batch = Batch(prompts_per_step=2, samples_per_prompt=3, updates_per_rollout=1, micro_batch_tokens=4096)
    return VeriFree(policy=policy, batch=batch)


def rewarded(policy, rollouts):
    return reward(policy)(rollouts.prompts, rollouts.completions(), Context.of(rollouts, step=1))


def passes(model, policy, prompt, before, text):
    """Sum of log-probs of `text` after the prompt and `before`: a float64 pass of its own, without padding."""
    start = policy.token_ids([prompt])[0] + policy.tokenizer(before, add_special_tokens=False)["input_ids"]
    ids = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
    logps = model(torch.tensor([start + ids])).logits[0].log_softmax(-1)
    return sum(logps[len(start) + k - 1, token] for k, token in enumerate(ids))


def expected_of_the_transformer():
    """(policy term, answer term, gradients), in float64."""
    model = copy.deepcopy(POLICY.model).double()
    thoughts = [text[: text.rfind("=") + 1] if "=" in text else text for text in TEXTS]
    likely = [
        passes(model, POLICY, p, z, p.reference["answer"]).exp() if "=" in t and r == "stop" else None
        for p, z, t, r in zip(PROMPTS, thoughts, TEXTS, REASONS, strict=True)
    ]
    paid = [0.0 if x is None else x.item() for x in likely]
    score = answer = torch.zeros((), dtype=torch.float64)
    for i, (prompt, thought) in enumerate(zip(PROMPTS, thoughts, strict=True)):
        group = [paid[k] for k in range(6) if PROMPTS[k].id == prompt.id and k != i]
        score = score - (paid[i] - sum(group) / 2) * passes(model, POLICY, prompt, "", thought) / 6
        if likely[i] is not None:
            answer = answer - paid[i] * passes(model, POLICY, prompt, thought, prompt.reference["answer"]) / 6
    (score + answer).backward()
    return score.item(), answer.item(), {n: p.grad for n, p in model.named_parameters()}


@pytest.fixture(scope="module")
def transformer():
    return expected_of_the_transformer()


class Half(Ranks):
    """One of two processes that nobody started: what it would send it keeps."""

    def gather(self, item):
        return [item]


def close(found, expected):
    assert found.keys() == expected.keys()
    largest = max(float(g.abs().max()) for g in expected.values())
    for name, value in expected.items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-3, atol=1e-5 * largest, msg=name)


@pytest.mark.parametrize("tokens", [1, 60, 4096], ids=["a row a pass", "some passes", "one pass"])
def test_the_programs_estimator_is_the_one_by_hand_however_it_is_cut(transformer, tokens):
    score, answer, expected = transformer
    rollouts = of_texts(POLICY, PROMPTS, TEXTS, REASONS)
    found, metrics = gradient(POLICY, rollouts, rewarded(POLICY, rollouts), methods(), tokens=tokens)
    assert metrics["policy/loss"] == pytest.approx(score, rel=1e-4)
    assert metrics["auxiliary/verifree"] == pytest.approx(answer, rel=1e-4)
    close(found, expected)


def test_the_gradients_of_two_processes_add_up_to_it(transformer):
    rollouts = of_texts(POLICY, PROMPTS, TEXTS, REASONS)
    halves = [gradient(POLICY, rollouts, rewarded(POLICY, rollouts), methods(), ranks=Half(r, 2)) for r in range(2)]
    close({n: halves[0][0][n] + halves[1][0][n] for n in halves[0][0]}, transformer[2])
    assert sum(m["auxiliary/verifree"] for _, m in halves) == pytest.approx(transformer[1], rel=1e-4)


def test_what_counts_as_reasoning():
    rollouts = of_texts(POLICY, PROMPTS, TEXTS, REASONS)
    scores = rewarded(POLICY, rollouts)
    assert scores.answers is not None
    kept = POLICY.decode(rollouts.completion_ids, scores.answers.reasoning)
    assert kept == [text[: text.rfind("=") + 1] if "=" in text else text for text in TEXTS]
    has = scores.answers.rows.mask.any(-1).tolist()
    assert has == [True, True, False, True, False, True], "no marker and cut off: no answer"
    assert [float(r) > 0 for r in scores.total] == has


def test_a_token_that_straddles_the_marker_belongs_to_the_reasoning():
    words = ["so ", "<ans", "wer>", " 4"]
    tokenizer = SimpleNamespace(decode=lambda ids, **options: "".join(words[i] for i in ids))
    rollouts = SimpleNamespace(
        lengths=torch.tensor([4.0, 4.0]), completion_ids=torch.arange(4).expand(2, 4), mask=torch.ones(2, 4)
    )  # fmt: skip
    found = reasoning_mask(SimpleNamespace(tokenizer=tokenizer), rollouts, ["so <answer", None])
    assert found.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_evaluations_have_no_use_for_answers():
    rollouts = of_texts(POLICY, PROMPTS, TEXTS, REASONS)
    scored = reward(POLICY)(rollouts.prompts, rollouts.completions(), Context.of(rollouts, training=False))
    assert scored.answers is None
    told = reward(POLICY)(PROMPTS[:1], [Completion(TEXTS[0], 20)], Context(group=torch.zeros(1, dtype=torch.int64)))
    assert told.answers is None, "texts that no policy of this run sampled"


def test_the_term_alone():
    part = VeriFreeAnswer()
    old = torch.tensor([[math.log(0.9), math.log(0.5), 7.0]], dtype=torch.float64)
    mask = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    now = torch.tensor([[-0.2, -0.4, 0.0]], dtype=torch.float64, requires_grad=True)
    value = (part.per_answer(now, old, mask) * mask).sum()
    value.backward()
    assert value.item() == pytest.approx(0.45 * 0.6)
    assert now.grad is not None
    assert now.grad.tolist() == [[pytest.approx(-0.45), pytest.approx(-0.45), 0.0]]
    advantages = Advantages(torch.ones(1, 3))
    assert part.shape(advantages, mask).values.tolist() == mask.tolist()
    assert VeriFreeAnswer(reasoning_only=False).shape(advantages, mask) is advantages


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["reward=exact"], "algo.auxiliary.verifree=.*which only reward=verifree gives, by itself or as a part"),
        (["reward=verifree", "algo/aggregation=seq_mean_token_mean"], "needs algo/aggregation=seq_mean_token_sum"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_loads(options, message):
    small = [o for o in SMALL if not o.startswith("reward")]
    with pytest.raises(UserError, match=message):
        compose([*small, "algo=rloo", "algo/auxiliary=verifree", *options], ROOT)


@pytest.mark.parametrize(
    "chosen", [["reward=verifree"], ["reward=weighted", "+reward@reward.parts.v=verifree", "+reward.weights.v=1.0"]]
)
def test_it_goes_with_verifree_alone_and_as_a_part(chosen):
    small = [o for o in SMALL if not o.startswith("reward")]
    compose([*small, "algo=rloo", "algo/auxiliary=verifree", *chosen], ROOT)


def test_a_reward_that_hides_the_tokens_from_its_part_is_refused_when_it_scores():
    rollouts = of_texts(POLICY, PROMPTS, TEXTS, REASONS)
    with pytest.raises(UserError, match="gave no reference answers to learn from"):
        gradient(POLICY, rollouts, Scores(torch.ones(6)), methods())
