from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare
from transformers import GenerationConfig, MistralConfig, MistralForCausalLM

from crucible.errors import UserError
from crucible.policy.policy import Policy
from crucible.rollout.embedded import EmbeddedEngine
from crucible.types import Prompt, Rollouts, Sampling
from tests.policy.models import gpt2, llama, qwen3

PROMPTS = [Prompt(str(i), text) for i, text in enumerate(["7+8=", "1+2+3-4-5+6=", "9=", "12-3=", "0+0+0="])]
MANY_ENDS = [2, *range(20, 50, 3)]  # so that random models stop at all sorts of lengths


def mistral(window: int) -> Policy:
    base = llama()
    config = MistralConfig(
        vocab_size=102,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.3,
        sliding_window=window,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Policy(MistralForCausalLM(config).eval(), base.tokenizer)


ENGINE = ("max_rows", "compact", "fused")


def sample(policy: Policy, *, samples: int = 4, prompts=PROMPTS, **options):
    engine = EmbeddedEngine(policy, **{k: v for k, v in options.items() if k in ENGINE})
    sampling = {"max_tokens": 24, "seed": 5} | {k: v for k, v in options.items() if k not in ENGINE}
    return engine.generate(prompts, samples, Sampling(**sampling))


def equal(a: Rollouts, b: Rollouts) -> bool:
    return torch.equal(a.completion_ids, b.completion_ids) and torch.equal(a.mask, b.mask)


MODELS = {
    "qwen3": qwen3,
    "llama": llama,
    "gpt2": gpt2,
    "sliding window 8": lambda: mistral(8),
    "sliding window 500": lambda: mistral(500),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("ends", [[2], MANY_ENDS], ids=["few stop", "many stop"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "modules"])
def test_greedy_tokens_are_those_of_transformers_generate(make, ends, fused):
    policy = make()
    policy.model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=policy.pad_id)
    ours = sample(policy, samples=1, temperature=0.0, fused=fused)
    prompt_ids, prompt_mask = policy.encode(PROMPTS)
    theirs = policy.model.generate(
        input_ids=prompt_ids, attention_mask=prompt_mask, do_sample=False, max_new_tokens=24
    )[:, prompt_ids.shape[1] :]
    assert torch.equal(ours.completion_ids, theirs)
    if len(ends) > 1:
        assert len(set(ours.lengths.tolist())) > 1


@pytest.mark.parametrize("make", list(MODELS.values())[:4], ids=list(MODELS)[:4])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "modules"])
def test_recorded_log_probabilities_are_the_recomputed_ones(make, temperature, fused):
    policy = make()
    policy.model.generation_config.eos_token_id = MANY_ENDS
    out = sample(policy, temperature=temperature, fused=fused)
    assert len(set(out.lengths.tolist())) > 3
    again = policy.token_stats(
        out.prompt_ids, out.prompt_mask, out.completion_ids, out.mask, temperature=out.temperature
    )
    torch.testing.assert_close(out.sampling_logps, again.logps.detach(), atol=2e-5, rtol=0)
    assert out.temperature == temperature


def test_tokens_depend_on_the_seed_and_not_on_the_global_generator():
    policy = qwen3()
    torch.manual_seed(1)
    first = sample(policy)
    torch.manual_seed(2)
    assert equal(first, sample(policy))
    assert not equal(first, sample(policy, seed=6))


@pytest.mark.parametrize(
    "switches",
    [{"max_rows": n} for n in (1, 3, 4, 7, 8)]
    + [{"compact": False}, {"fused": False}, {"compact": False, "fused": False, "max_rows": 3}],
    ids=str,
)
def test_batching_compaction_and_fusion_do_not_change_the_tokens(switches):
    policy = qwen3()
    policy.model.generation_config.eos_token_id = MANY_ENDS
    whole = sample(policy)
    parts = sample(policy, **switches)
    assert equal(whole, parts)
    assert whole.texts == parts.texts
    assert whole.finish_reason == parts.finish_reason
    torch.testing.assert_close(whole.sampling_logps, parts.sampling_logps, atol=2e-5, rtol=0)


def test_a_row_is_not_affected_by_the_other_prompts():
    policy = qwen3()
    base = sample(policy)
    others = sample(policy, prompts=[PROMPTS[0], *(Prompt(f"x{i}", "5" * (i + 1)) for i in range(4))])
    assert base.texts[:4] == others.texts[:4]


def test_rows_of_a_prompt_are_adjacent_and_everything_lines_up():
    policy = qwen3()
    policy.model.generation_config.eos_token_id = MANY_ENDS
    engine = EmbeddedEngine(policy, max_rows=6)
    engine.sync(17)
    out = engine.generate(PROMPTS, 3, Sampling(max_tokens=24, seed=1))
    assert out.group.tolist() == [g for g in range(5) for _ in range(3)]
    assert [p.id for p in out.prompts] == [p.id for p in PROMPTS for _ in range(3)]
    assert out.policy_version.tolist() == [17] * 15
    assert policy.decode(out.prompt_ids, out.prompt_mask) == [p.text for p in out.prompts]
    assert policy.decode(out.completion_ids, out.mask) == out.texts
    width = out.completion_ids.shape[1]
    assert width == int(out.lengths.max()) <= 24
    for row in range(15):
        n, ids = int(out.lengths[row]), out.completion_ids[row].tolist()
        assert out.mask[row].tolist() == [1.0] * n + [0.0] * (width - n)
        assert ids[n:] == [policy.pad_id] * (width - n)
        assert out.sampling_logps[row, n:].abs().sum() == 0
        assert not set(ids[: n - 1]) & set(MANY_ENDS)
        assert (ids[n - 1] in MANY_ENDS) == (out.finish_reason[row] == "stop")
        assert out.finish_reason[row] == "stop" or n == 24
    assert {"stop", "length"} == set(out.finish_reason)


def test_an_end_token_drawn_at_the_last_moment_is_a_stop():
    policy = qwen3()
    policy.model.generation_config.eos_token_id = list(range(102))
    out = sample(policy, max_tokens=1)
    assert set(out.finish_reason) == {"stop"}
    assert out.completion_ids.shape == (20, 1)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_first_tokens_follow_the_models_distribution(temperature):
    policy, n = llama(), 4000
    out = sample(policy, prompts=PROMPTS[:1], samples=n, max_tokens=1, temperature=temperature, max_rows=1500)
    prompt_ids, prompt_mask = policy.encode(PROMPTS[:1])
    logits = policy.model(input_ids=prompt_ids, attention_mask=prompt_mask).logits[0, -1].detach()
    expected = n * (logits.double() / temperature).softmax(-1)
    counts = torch.bincount(out.completion_ids[:, 0], minlength=102).double()
    common = expected >= 5
    observed = torch.cat([counts[common], counts[~common].sum()[None]])
    assert int(common.sum()) > 10
    assert chisquare(observed, torch.cat([expected[common], expected[~common].sum()[None]])).pvalue > 0.01


def test_the_training_mode_comes_back():
    policy = qwen3()
    policy.model.train()
    sample(policy)
    assert policy.model.training


def test_the_weights_can_be_trained_on_what_was_sampled():
    policy = qwen3()
    out = sample(policy)
    stats = policy.token_stats(out.prompt_ids, out.prompt_mask, out.completion_ids, out.mask)
    ((stats.logps - out.sampling_logps).exp() * out.mask).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in policy.model.parameters())


def test_a_prompt_is_computed_once_and_finished_rows_no_more():
    policy = qwen3()
    policy.model.generation_config.eos_token_id = MANY_ENDS
    shapes = []
    policy.model.get_decoder().register_forward_pre_hook(
        lambda _, __, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    out = sample(policy, samples=6, fused=False)
    assert shapes[0] == (5, policy.encode(PROMPTS)[0].shape[1])
    alive = [int((out.lengths > t).sum()) for t in range(1, out.completion_ids.shape[1])]
    assert shapes[1:] == [(n, 1) for n in alive]


def test_what_cannot_be_sampled_is_refused():
    policy = qwen3(context_length=16)
    with pytest.raises(UserError, match="prompt 1 has 13 tokens"):
        sample(policy, max_tokens=8)
    with pytest.raises(UserError, match="nothing to sample: 0 prompts"):
        sample(policy, prompts=[])
    with pytest.raises(UserError, match="max_rows is 0"):
        EmbeddedEngine(policy, max_rows=0)


def test_layers_that_are_not_attention_are_refused():
    policy = qwen3()
    policy.model.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(UserError, match="cannot run qwen3: its layers are full_attention, linear_attention"):
        EmbeddedEngine(policy)
