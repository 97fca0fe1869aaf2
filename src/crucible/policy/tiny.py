"""The model trained from scratch: Qwen3 architecture, 0.5 to 5 M parameters, a character vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch

from crucible.ahead import stood_in_by
from crucible.errors import UserError
from crucible.policy import warmup_cache
from crucible.policy.policy import Policy
from crucible.policy.tokenizer import character_tokenizer
from crucible.policy.warmup import WarmUp, warm_up


def untrained(
    *,
    hidden_size: Annotated[int, ">= 1"] = 128,
    layers: Annotated[int, ">= 1"] = 4,
    heads: Annotated[int, ">= 1"] = 4,
    kv_heads: Annotated[int, ">= 1"] = 2,
    intermediate_size: Annotated[int, ">= 1"] = 384,
    context_length: Annotated[int, ">= 1"] = 128,
    initializer_range: Annotated[float, "> 0"] = 0.06,
    seed: int = 0,
) -> Policy:
    """A `Qwen3ForCausalLM` with random weights that depend on `seed` alone (0.80 M parameters by default)."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    if hidden_size % heads or heads % kv_heads:
        raise UserError(
            f"model: hidden_size {hidden_size} must be a multiple of heads {heads}, and heads of kv_heads {kv_heads}"
        )
    if hidden_size // heads % 2:
        raise UserError(
            f"model: hidden_size {hidden_size} / heads {heads} is {hidden_size // heads} for each head, and rotary "
            "positions need an even number"
        )
    tokenizer = character_tokenizer(context_length=context_length)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=hidden_size // heads,
        intermediate_size=intermediate_size,
        max_position_embeddings=context_length,
        initializer_range=float(initializer_range),
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attention_dropout=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    return Policy(model, tokenizer)


@stood_in_by(untrained)
def tiny(
    *,
    task: Any,
    cache_dir: str | Path,
    report: Callable[[str], None],
    hidden_size: Annotated[int, ">= 1"] = 128,
    layers: Annotated[int, ">= 1"] = 4,
    heads: Annotated[int, ">= 1"] = 4,
    kv_heads: Annotated[int, ">= 1"] = 2,
    intermediate_size: Annotated[int, ">= 1"] = 384,
    context_length: Annotated[int, ">= 1"] = 128,
    initializer_range: Annotated[float, "> 0"] = 0.06,
    seed: int = 0,
    shared_prompts: bool = True,
    fused_layers: bool = True,
    onednn: bool = True,
    warmup: WarmUp | None = None,
) -> Policy:
    """The untrained model after a short supervised warm-up on the task's own demonstrations.

    The warmed-up model is kept under `cache_dir`/warmup under a key of model, warm-up, task and code, and
    taken from there the next time; `report` is told which. `Policy.seen_ids` names the prompts it was
    trained on. `warmup=None` leaves the weights random. shared_prompts, fused_layers, onednn: see `Policy`. Errors:
    see `warmup.warm_up`.
    """
    shape: dict[str, Any] = {
        "hidden_size": hidden_size,
        "layers": layers,
        "heads": heads,
        "kv_heads": kv_heads,
        "intermediate_size": intermediate_size,
        "context_length": context_length,
        "initializer_range": initializer_range,
        "seed": seed,
    }
    computation = {"shared_prompts": shared_prompts, "fused_layers": fused_layers, "onednn": onednn}
    if warmup is None:
        policy = untrained(**shape)
        policy.compute_with(**computation)
        return policy
    description = warmup_cache.describe(model=shape, warmup=warmup, task=task)
    path = warmup_cache.folder(Path(cache_dir), description)
    kept = warmup_cache.read(path)
    if kept is None:
        with warmup_cache.alone(path, report):
            kept = warmup_cache.read(path)
            if kept is None:
                policy = untrained(**shape)
                record = warm_up(policy, task, warmup, report)
                warmup_cache.write(path, policy, record, description)
                report(
                    f"warm-up cached at {path}: {record.steps} steps in {record.seconds:.0f} s, "
                    f"probe accuracy {record.accuracy:.3f}"
                )
    if kept is not None:
        policy, record = kept
        report(f"warm-up taken from {path}: {record.steps} steps, probe accuracy {record.accuracy:.3f}")
    policy.seen_ids = set(record.seen_ids)
    policy.compute_with(**computation)
    return policy
