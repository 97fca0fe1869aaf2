"""The policy-based rewards against one forward pass a row, written with transformers alone."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from crucible.config.batch import Batch
from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.policy.tiny import untrained
from crucible.rewards.answer_likelihood import answer_logps, before_answer
from crucible.rewards.gated import Gated
from crucible.rewards.information_gain import InformationGain
from crucible.rewards.rlpr import RLPR
from crucible.rewards.verifree import VeriFree
from crucible.types import Prompt
from tests.rewards.cases import completions, scored
from tests.rewards.parts import Fixed

POLICY = untrained(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64, context_length=48)
OTHER = untrained(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64, context_length=48, seed=5)
TASK = Chain()
PROMPTS = [TASK.prompt(e) for e in ("7+8-6+2", "7+8-6+2", "1+1", "9-3+4+5", "7+8-6+2")]
ROWS = completions("7+8=15;15-6=9;9+2=11", "=12", "1+1=", "no marker", "7+8=15;15-6=")


def batch(tokens: int = 4096) -> Batch:
    return Batch(prompts_per_step=1, samples_per_prompt=8, updates_per_rollout=1, micro_batch_tokens=tokens)


@torch.no_grad()
def oracle_probabilities(policy, prompt: Prompt, before: str, answer: str) -> list[float]:
    """p of each token of the answer: a pass of its own, without padding, softmax in float64."""
    start = policy.token_ids([prompt])[0] + policy.tokenizer(before, add_special_tokens=False)["input_ids"]
    ids = policy.tokenizer(answer, add_special_tokens=False)["input_ids"]
    logits = policy.model(torch.tensor([start + ids])).logits[0].double().softmax(-1)
    return [logits[len(start) + k - 1, token].item() for k, token in enumerate(ids)]


def spliced() -> list[tuple[Prompt, str, str]]:
    texts = [before_answer(row.text, "=") for row in ROWS]
    return [(p, text, p.reference["answer"]) for p, text in zip(PROMPTS, texts, strict=True) if text is not None]


@pytest.mark.parametrize("tokens", [1, 40, 4096], ids=["a row a pass", "some passes", "one pass"])
def test_log_probs_of_the_answer_are_those_of_a_pass_of_each_row(tokens):
    rows = spliced()
    found = answer_logps(POLICY, *map(list, zip(*rows, strict=True)), tokens)
    for row, logps in zip(rows, found, strict=True):
        assert logps is not None
        assert logps.exp().tolist() == pytest.approx(oracle_probabilities(POLICY, *row), rel=1e-5)


def test_the_answer_begins_after_the_last_marker():
    assert before_answer("7+8=15;15-6=9", "=") == "7+8=15;15-6="
    assert before_answer("a <answer>b</answer>", "<answer>") == "a <answer>"
    assert before_answer("nothing", "=") is None


def mean_probability(policy, prompt: Prompt, before: str) -> float:
    found = oracle_probabilities(policy, prompt, before, prompt.reference["answer"])
    return sum(found) / len(found)


def test_rlpr_is_the_mean_probability_less_that_without_reasoning():
    reward = RLPR(policy=POLICY, batch=batch())
    reward.policy = OTHER  # the policy has learned; the baseline is still the start policy's
    scores = scored(reward, PROMPTS, ROWS)
    texts = [before_answer(row.text, "=") for row in ROWS]
    probabilities = [0.0 if t is None else mean_probability(OTHER, p, t) for p, t in zip(PROMPTS, texts, strict=True)]
    baselines = [mean_probability(POLICY, p, "=") for p in PROMPTS]
    expected = [min(max(a - b, 0.0), 1.0) for a, b in zip(probabilities, baselines, strict=True)]
    assert scores.components["probability"].tolist() == pytest.approx(probabilities, abs=1e-6)
    assert scores.components["baseline"].tolist() == pytest.approx(baselines, abs=1e-6)
    assert scores.total.tolist() == pytest.approx(expected, abs=1e-6)
    assert any(expected), "a case in which nothing is paid shows nothing"
    plain = scored(RLPR(policy=OTHER, batch=batch(), baseline="none"), PROMPTS, ROWS)
    assert plain.total.tolist() == pytest.approx(probabilities, abs=1e-6)


def test_verifree_is_the_product():
    scores = scored(VeriFree(policy=POLICY, batch=batch()), PROMPTS, ROWS)
    expected = [math.prod(oracle_probabilities(POLICY, *row)) for row in spliced()]
    assert scores.total[:3].tolist() == pytest.approx(expected[:3], rel=1e-4)
    assert scores.total[3] == 0.0, "without an answer the likelihood is 0"
    assert scores.valid is None


@pytest.mark.parametrize("baseline", ["start", "policy"])
def test_information_gain_is_the_mean_log_ratio(baseline):
    reward = InformationGain(policy=POLICY, batch=batch(), baseline=baseline)
    reward.policy = OTHER
    scores = scored(reward, PROMPTS, ROWS)
    without = POLICY if baseline == "start" else OTHER
    expected = []
    for prompt, row in zip(PROMPTS, ROWS, strict=True):
        answer, thought = prompt.reference["answer"], before_answer(row.text, "=") or row.text + "="
        aided = oracle_probabilities(OTHER, prompt, thought, answer)
        unaided = oracle_probabilities(without, prompt, "=", answer)
        expected.append(sum(math.log(a / b) for a, b in zip(aided, unaided, strict=True)) / len(aided))
    assert scores.total.tolist() == pytest.approx(expected, abs=1e-5)


def blended(*weights: float):
    """A policy whose weights are the sum of POLICY's and OTHER's, times these."""
    mixed = copy.copy(POLICY)
    mixed.model = copy.deepcopy(POLICY.model)
    with torch.no_grad():
        for own, *sources in zip(*(x.model.parameters() for x in (mixed, POLICY, OTHER)), strict=True):
            own.copy_(sum(w * s for w, s in zip(weights, sources, strict=True)))
    return mixed


def without_thought(policy) -> list[float]:
    found = [oracle_probabilities(policy, p, "=", p.reference["answer"]) for p in PROMPTS]
    return [sum(map(math.log, row)) / len(row) for row in found]


def average(**options):
    """A reward whose policy learned in its first step: POLICY before, OTHER from then on."""
    reward = InformationGain(policy=POLICY, batch=batch(), decay=0.8, **options)
    assert scored(reward, PROMPTS, ROWS, step=1).components["without_thought"].tolist() == pytest.approx(
        without_thought(POLICY), abs=1e-5
    )
    reward.policy = OTHER
    return reward


def test_the_moving_average_starts_as_the_policy_and_follows_it_once_a_step():
    """decay 0.8 and a policy that jumps from POLICY to OTHER in step 1: 0.8^k of POLICY is left after k steps."""
    reward = average()
    for step in (2, 3):
        kept = 0.8 ** (step - 1)
        expected = without_thought(blended(kept, 1 - kept))
        for _ in range(2):  # the greedy rows of a step are scored too
            found = scored(reward, PROMPTS, ROWS, step=step)
            assert found.components["without_thought"].tolist() == pytest.approx(expected, abs=1e-5)
    evaluated = scored(reward, PROMPTS, ROWS, step=3, training=False)  # after step 3
    expected = without_thought(blended(0.8**3, 1 - 0.8**3))
    assert evaluated.components["without_thought"].tolist() == pytest.approx(expected, abs=1e-5)
    after = scored(reward, PROMPTS, ROWS, step=4)
    assert torch.equal(after.components["without_thought"], evaluated.components["without_thought"])


def test_steps_in_which_it_was_not_asked_are_made_up_for():
    found = scored(average(), PROMPTS, ROWS, step=4).components["without_thought"]
    assert found.tolist() == pytest.approx(without_thought(blended(0.8**3, 1 - 0.8**3)), abs=1e-5)


def test_the_moving_average_survives_a_kill_behind_a_gate():
    def gate(part):
        return Gated(parts={"form": Passes(), "gain": part}, gate="form")

    class Passes(Fixed):
        def __call__(self, prompts, rows, context):
            self.values = (1.0,) * len(rows)
            return super().__call__(prompts, completions(*map(str, range(len(rows)))), context)

    whole = gate(average())
    scored(whole, PROMPTS, ROWS, step=2)
    state = copy.deepcopy(whole.state_dict())
    fresh = gate(InformationGain(policy=POLICY, batch=batch(), decay=0.8))
    fresh.load_state_dict(state)
    fresh.parts["gain"].policy = OTHER
    one, other = (scored(r, PROMPTS, ROWS, step=3) for r in (whole, fresh))
    assert torch.equal(one.total, other.total)
    assert one.total.any()


@pytest.mark.parametrize("baseline", ["start", "policy"])
def test_the_other_baselines_have_nothing_to_remember(baseline):
    assert not hasattr(InformationGain(policy=POLICY, batch=batch(), baseline=baseline), "state_dict")


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_means_nothing_is_refused(decay):
    with pytest.raises(UserError, match="from 0 to below 1"):
        InformationGain(policy=POLICY, batch=batch(), decay=decay)


def test_the_papers_numbers_of_information_gain():
    """2510.01265: p 0.5 and 0.1 with a thought, 0.2 without."""

    class Told(InformationGain):
        def mean_logps(self, policy, prompts, before):
            return [math.log({"a=": 0.5, "b=": 0.1, "=": 0.2}[text]) for text in before]

    scores = scored(Told(policy=POLICY, batch=batch(), baseline="policy"), PROMPTS[:2], completions("a", "b"))
    assert scores.total.tolist() == pytest.approx([0.916291, -0.693147], abs=1e-6)


@pytest.mark.parametrize("make", [RLPR, VeriFree, InformationGain])
def test_a_row_too_long_for_the_model_is_an_error_and_not_a_0(make):
    rows = completions("1=" * 22, "=2")
    scores = scored(make(policy=POLICY, batch=batch()), PROMPTS[:2], rows)
    assert scores.valid is not None
    assert scores.valid.tolist() == [False, True]
    (outcomes,) = scores.outcomes.values()
    assert outcomes.share("error") == 0.5
    assert "context" in outcomes.problem


@pytest.mark.parametrize("make", [RLPR, VeriFree, InformationGain])
def test_what_it_cannot_use_is_refused(make):
    with pytest.raises(UserError, match="marker is empty"):
        make(policy=POLICY, batch=batch(), marker="")
    reward = make(policy=POLICY, batch=batch())
    with pytest.raises(UserError, match="cannot write the reference answer 'Ω'"):
        scored(reward, [Prompt(id="x", text="1+1=", reference={"answer": "Ω"})], completions("=1"))


def test_it_leaves_no_gradient_and_no_trace_in_the_policy():
    before = {name: value.clone() for name, value in POLICY.model.state_dict().items()}
    scored(RLPR(policy=POLICY, batch=batch()), PROMPTS, ROWS)
    assert all(p.grad is None for p in POLICY.model.parameters())
    assert all(torch.equal(before[name], value) for name, value in POLICY.model.state_dict().items())
