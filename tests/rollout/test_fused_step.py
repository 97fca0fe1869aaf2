from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from crucible.rollout.cache import RowCache
from crucible.rollout.embedded import EmbeddedEngine
from crucible.rollout.fused import FusedStep
from crucible.types import Prompt, Sampling
from tests.policy.models import llama, qwen3

SMALL = dict(
    vocab_size=50,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
    max_position_embeddings=64,
    initializer_range=0.3,
)


def qwen2():
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**SMALL)).eval()
    for layer in model.model.layers:  # biases start at zero, which would hide a mistake
        for p in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
            torch.nn.init.normal_(p.bias)
    return model


def biased_llama():
    torch.manual_seed(1)
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}
    config = LlamaConfig(**SMALL, attention_bias=True, rope_parameters=rope)
    model = LlamaForCausalLM(config).eval()
    for layer in model.model.layers:
        for p in (layer.self_attn.q_proj, layer.self_attn.o_proj):
            torch.nn.init.normal_(p.bias)
    return model


def scaled_norms():
    model = qwen3().model
    for name, p in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(p, 0.5, 2.0)
    return model


@pytest.mark.parametrize(
    "make", [scaled_norms, lambda: llama().model, qwen2, biased_llama], ids=["norms", "llama", "qwen2", "biased"]
)
@pytest.mark.parametrize("padded", [True, False])
def test_a_step_equals_the_models_own(make, padded):
    model, start, capacity = make(), 5, 9
    torch.manual_seed(2)
    prompt = torch.randint(0, 50, (3, start))
    seen = torch.ones_like(prompt)
    if padded:
        seen[0, :3] = seen[1, :1] = 0
    visible = torch.cat([seen, torch.ones(3, capacity - start)], 1).bool()[:, None, None, :]
    assert FusedStep.fits(model, capacity)
    caches = []
    with torch.no_grad():
        step = FusedStep(model, capacity)
        for _ in range(2):
            caches.append(RowCache(2, capacity))
            model.model(
                input_ids=prompt,
                attention_mask=seen,
                position_ids=(seen.cumsum(1) - 1).clamp(min=0),
                past_key_values=caches[-1],
                use_cache=True,
            )
        for t in range(capacity - start):
            token = torch.randint(0, 50, (3,))
            mask = visible[..., : start + t + 1] if padded else None
            positions = seen.sum(1) + t
            fused = step(token, positions, caches[0], mask)
            own = model.model(
                input_ids=token[:, None],
                attention_mask=mask,
                position_ids=positions[:, None],
                past_key_values=caches[1],
                use_cache=True,
            ).last_hidden_state[:, 0]
            torch.testing.assert_close(fused, own, atol=2e-5, rtol=1e-5)
    for a, b in zip(caches[0].layers, caches[1].layers, strict=True):
        torch.testing.assert_close(a.keys, b.keys, atol=2e-5, rtol=1e-5)


def gelu():
    return LlamaForCausalLM(LlamaConfig(**SMALL, hidden_act="gelu"))


def dynamic():
    return LlamaForCausalLM(
        LlamaConfig(**SMALL, rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4})
    )


def adapted():
    from peft import LoraConfig, inject_adapter_in_model

    return inject_adapter_in_model(LoraConfig(r=2, target_modules=["q_proj"]), llama().model)


@pytest.mark.parametrize(
    "make",
    [
        gelu,
        dynamic,
        adapted,
        lambda: LlamaForCausalLM(LlamaConfig(**SMALL, mlp_bias=True)),
        lambda: llama().model.to(torch.bfloat16),
        lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4)),
    ],
    ids=["gelu", "dynamic rope", "lora", "mlp bias", "bfloat16", "gpt2"],
)
def test_what_it_does_not_compute_is_left_to_the_model(make):
    assert not FusedStep.fits(make(), 16)


def test_weights_are_read_at_each_generation():
    policy = qwen3()
    engine = EmbeddedEngine(policy)
    before = engine.generate([Prompt("a", "1+1=")], 4, Sampling(max_tokens=8))
    with torch.no_grad():
        for p in policy.model.parameters():
            p.mul_(0.7)
    after = engine.generate([Prompt("a", "1+1=")], 4, Sampling(max_tokens=8))
    assert not torch.equal(before.completion_ids, after.completion_ids)
    again = policy.token_stats(after.prompt_ids, after.prompt_mask, after.completion_ids, after.mask)
    torch.testing.assert_close(after.sampling_logps, again.logps.detach(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("shared", [True, False])
def test_a_loss_on_the_rollouts_has_a_gradient(shared):
    """Decoding runs without autograd's bookkeeping: nothing of it may be left in the tensors or the weights."""
    policy = qwen3()
    engine = EmbeddedEngine(policy, shared_prompts=shared)
    rollouts = engine.generate([Prompt("a", "1+2="), Prompt("b", "3=")], 3, Sampling(max_tokens=6, seed=1))
    tensors = {f.name: getattr(rollouts, f.name) for f in fields(rollouts)}
    assert not any(t.is_inference() for t in tensors.values() if isinstance(t, torch.Tensor))
    x = rollouts
    stats = policy.token_stats(x.prompt_ids, x.prompt_mask, x.completion_ids, x.mask)
    (stats.logps * x.sampling_logps).sum().backward()
    assert all(p.grad is not None for p in policy.model.parameters())
