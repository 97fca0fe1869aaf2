"""Small random models for the tests of policies and engines."""

from __future__ import annotations

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from crucible.policy.policy import Policy
from crucible.policy.tiny import untrained
from crucible.policy.tokenizer import character_tokenizer


def qwen3(*, kv_heads: int = 2, context_length: int = 64, seed: int = 0) -> Policy:
    policy = untrained(
        hidden_size=32,
        layers=2,
        heads=4,
        kv_heads=kv_heads,
        intermediate_size=48,
        context_length=context_length,
        initializer_range=0.3,  # far from uniform, so that mistakes show
        seed=seed,
    )
    policy.model.eval()
    return policy


def llama(*, context_length: int = 64, seed: int = 0) -> Policy:
    tokenizer = character_tokenizer(context_length=context_length)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=1,
        intermediate_size=48,
        max_position_embeddings=context_length,
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(LlamaForCausalLM(config).eval(), tokenizer)


def gpt2(*, context_length: int = 64, seed: int = 0) -> Policy:
    """Absolute positions: unlike with rotations, a wrong offset of all positions of a row shows."""
    tokenizer = character_tokenizer(context_length=context_length)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=context_length,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.3,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(GPT2LMHeadModel(config).eval(), tokenizer)
