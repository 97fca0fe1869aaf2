"""Any transformers causal language model, by hub name or local folder, with LoRA as an option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from crucible.errors import UserError
from crucible.policy.policy import Policy
from crucible.policy.pretrained import load_pretrained

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def hf(
    *,
    task: Any,
    cache_dir: str | Path,
    report: Callable[[str], None],
    name_or_path: str,
    revision: str | None = None,
    dtype: Literal["float32", "bfloat16"] = "float32",
    lora: dict[str, Any] | None = None,
    gradient_checkpointing: bool = False,
    chat: bool = True,
    template_options: dict[str, Any] | None = None,
    attention: str | None = None,
    context_length: Annotated[int | None, ">= 1"] = None,
    shared_prompts: bool = True,
    fused_layers: bool = True,
    onednn: bool = True,
) -> Policy:
    """`AutoModelForCausalLM` and `AutoTokenizer` from `name_or_path` (`task` and `cache_dir` are not used).

    lora: None, or {"r", "alpha", "targets"} and optionally "dropout", for peft; only the adapters are trained, and
    `Policy.save` merges them. chat, template_options, shared_prompts, fused_layers, onednn: see `Policy`.
    attention: transformers' `attn_implementation` (its own choice when None). context_length: tokens of the longest
    prompt plus completion, where the tokenizer's own limit is lower than what the model was made for (None: the lower
    of the two). Errors: UserError when nothing can be loaded from the name, when a package is missing, when the model
    has fewer positions than context_length, or changes its logits after the output layer.
    """
    if dtype not in DTYPES:
        raise UserError(f"model.dtype is {dtype!r}; it must be one of {', '.join(DTYPES)}")
    model, tokenizer = load_pretrained(name_or_path, revision=revision, dtype=DTYPES[dtype], attention=attention)
    if context_length is not None:
        allow_context(model, tokenizer, context_length)
    return wrap(
        model,
        tokenizer,
        report=report,
        lora=lora,
        gradient_checkpointing=gradient_checkpointing,
        chat=chat,
        template_options=template_options,
        shared_prompts=shared_prompts,
        fused_layers=fused_layers,
        onednn=onednn,
    )


def allow_context(model: Any, tokenizer: Any, context_length: int) -> None:
    """Replace the tokenizer's limit on the length of its input, which is often that of some earlier use."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if context_length < 1 or (positions and context_length > positions):
        raise UserError(f"model.context_length={context_length}: the model has positions for 1 to {positions} tokens")
    tokenizer.model_max_length = context_length


def wrap(
    model: Any,
    tokenizer: Any,
    *,
    report: Callable[[str], None],
    lora: dict[str, Any] | None,
    gradient_checkpointing: bool,
    chat: bool,
    template_options: dict[str, Any] | None,
    shared_prompts: bool,
    fused_layers: bool,
    onednn: bool,
) -> Policy:
    """A loaded model as a policy: padding token, plain output layer checked, adapters, checkpointing."""
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token
        report(f"the tokenizer has no padding token: {tokenizer.eos_token!r} is used")
    policy = Policy(
        model, tokenizer, chat=chat, template_options=template_options, shared_prompts=shared_prompts,
        fused_layers=fused_layers, onednn=onednn,
    )  # fmt: skip
    require_plain_head(policy)
    if gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if lora is not None:
        policy.model = _with_lora(model, lora, gradient_checkpointing)
        trained = sum(p.numel() for p in policy.model.parameters() if p.requires_grad)
        report(f"LoRA: {trained:,} trained parameters")
    return policy


def require_plain_head(policy: Policy) -> None:
    """Refuses models whose logits are not output layer(last hidden state): scaled or soft-capped ones.

    `Policy.token_stats` applies the output layer itself, on completion tokens only.
    """
    model = policy.model
    ids = torch.full((1, 2), policy.eos_id, device=policy.device)
    training = model.training
    model.eval()
    with torch.no_grad():
        whole = model(input_ids=ids, use_cache=False).logits.float()
        parts = model.get_output_embeddings()(model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state)
    model.train(training)
    if not torch.allclose(whole, parts.float(), atol=1e-2, rtol=1e-2):
        raise UserError(
            f"model: {type(model).__name__} changes its logits after the output layer (scaling or soft-capping), "
            "which is not supported"
        )


def _with_lora(model: Any, lora: dict[str, Any], gradient_checkpointing: bool) -> Any:
    known = {"r", "alpha", "targets", "dropout"}
    if set(lora) - known or not {"r", "alpha"} <= set(lora):
        raise UserError(f"model.lora has the keys {sorted(lora)}; it takes r, alpha and optionally targets, dropout")
    numbers: dict[str, tuple[type, ...]] = {"r": (int,), "alpha": (int, float), "dropout": (int, float)}
    for name, kinds in numbers.items():
        if isinstance(lora.get(name, 0), bool) or not isinstance(lora.get(name, 0), kinds):
            raise UserError(f"model.lora.{name}={lora[name]}: must be a {'whole ' if kinds == (int,) else ''}number")
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("model.lora needs the package peft: pip install 'crucible-rl[lora]'") from error
    config = LoraConfig(
        r=lora["r"],
        lora_alpha=lora["alpha"],
        target_modules=lora.get("targets", "all-linear"),
        lora_dropout=lora.get("dropout", 0.0),
        task_type="CAUSAL_LM",
    )
    if gradient_checkpointing:
        model.enable_input_require_grads()
    try:
        with torch.random.fork_rng(devices=[]):  # the same start on every process and in every run
            torch.manual_seed(0)
            return get_peft_model(model, config)
    except ValueError as error:
        raise UserError(f"model.lora: {' '.join(str(error).split())[:200]}") from error
