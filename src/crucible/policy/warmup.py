"""The warm-up of a model trained from scratch: supervised learning that stops at a chosen accuracy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.policy.policy import Policy
from crucible.policy.progress import progress
from crucible.policy.tokenizer import unknown_characters
from crucible.types import Prompt, Sampling


class WarmUp:
    """Options of the warm-up. Steps are optimiser steps; accuracies are shares in [0, 1].

    Stops at the first probe whose sampled accuracy (at temperature 1) reaches `target_accuracy`, because
    accuracy rises steeply and a number of steps does not carry over to another seed or size. The probe
    is `probe_prompts` training prompts (a task's `probe_prompts()` where it has any, else its `train_prompts()`) x
    `probe_samples`, which the warm-up itself never trains on; it is taken every `probe_every` steps, and every
    `probe_every_near` from half the target on.
    """

    def __init__(
        self,
        *,
        target_accuracy: Annotated[float, "> 0, <= 1"] = 0.30,
        max_steps: Annotated[int, ">= 1"] = 600,
        batch_size: Annotated[int, ">= 1"] = 64,
        learning_rate: Annotated[float, "> 0"] = 3e-3,
        rise_steps: Annotated[int, ">= 0"] = 20,
        max_grad_norm: Annotated[float, "> 0"] = 1.0,
        probe_prompts: Annotated[int, ">= 1"] = 128,
        probe_samples: Annotated[int, ">= 1"] = 4,
        probe_every: Annotated[int, ">= 1"] = 25,
        probe_every_near: Annotated[int, ">= 1"] = 10,
        max_tokens: Annotated[int, ">= 1"] = 64,
        seed: int = 0,
    ) -> None:
        if not 0 < target_accuracy <= 1:
            raise UserError(f"warmup.target_accuracy is {target_accuracy}; it must be a share above 0, up to 1")
        for name, value in (("max_steps", max_steps), ("batch_size", batch_size), ("probe_every", probe_every)):
            if value < 1:
                raise UserError(f"warmup.{name} is {value}; it must be at least 1")
        self.target_accuracy = target_accuracy
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.rise_steps = rise_steps
        self.max_grad_norm = max_grad_norm
        self.probe_prompts = probe_prompts
        self.probe_samples = probe_samples
        self.probe_every = probe_every
        self.probe_every_near = probe_every_near
        self.max_tokens = max_tokens
        self.seed = seed


@dataclass(frozen=True, slots=True)
class WarmUpRecord:
    """What a warm-up did. `seen_ids`: every prompt it trained on."""

    steps: int
    accuracy: float
    seconds: float
    seen_ids: tuple[str, ...]


def warm_up(policy: Policy, task: Any, options: WarmUp, report: Callable[[str], None]) -> WarmUpRecord:
    """Trains `policy` on the task's demonstrations until the probe reaches the target.

    Loss: mean negative log-probability of the completion tokens (the end token counts, the prompt does
    not); AdamW without weight decay, the learning rate rising over `rise_steps` and then constant.
    UserError when `max_steps` pass below the target, or a demonstration does not fit the model.
    """
    if not hasattr(task, "demonstrate"):
        raise UserError(
            f"data={task.name} has no worked answers to warm up on: use a task that has (chain, countdown), "
            "model=hf with a trained model, or model.warmup=null"
        )
    started = time.perf_counter()
    drawn = getattr(task, "probe_prompts", task.train_prompts)(random.Random(f"probe {options.seed}"))
    probe = list(islice(drawn, options.probe_prompts))
    batches = _batches(task, policy, options, forbidden={p.id for p in probe})
    optimiser = torch.optim.AdamW(policy.model.parameters(), lr=options.learning_rate, weight_decay=0.0)
    seen: set[str] = set()
    accuracy, next_probe = 0.0, options.probe_every
    policy.model.train()
    with progress("warm-up", options.max_steps, report) as show:
        for step in range(1, options.max_steps + 1):
            ids, batch = next(batches)
            seen.update(ids)
            for group in optimiser.param_groups:
                group["lr"] = options.learning_rate * min(1.0, step / max(1, options.rise_steps))
            loss = -policy.token_stats(*batch).logps.sum() / batch[-1].sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.model.parameters(), options.max_grad_norm)
            optimiser.step()
            note = ""
            if step >= next_probe or step == options.max_steps:
                accuracy = probe_accuracy(policy, task, probe, options)
                note = f"loss {loss.item():.3f}, probe accuracy {accuracy:.3f}"
                near = accuracy >= options.target_accuracy / 2
                next_probe = step + (options.probe_every_near if near else options.probe_every)
            show(step, note)
            if accuracy >= options.target_accuracy:
                break
    if accuracy < options.target_accuracy:
        raise UserError(
            f"warm-up: after {step} steps the probe accuracy on {task.name} is {accuracy:.3f}, below the target of "
            f"{options.target_accuracy}: raise model.warmup.max_steps, lower model.warmup.target_accuracy, or make "
            "the task easier"
        )
    policy.model.eval()
    return WarmUpRecord(step, accuracy, time.perf_counter() - started, tuple(sorted(seen)))


def probe_accuracy(policy: Policy, task: Any, probe: list[Prompt], options: WarmUp) -> float:
    """Share of right answers among `probe_samples` completions of each probe prompt, at temperature 1."""
    from crucible.rollout.embedded import EmbeddedEngine

    sampling = Sampling(max_tokens=options.max_tokens, temperature=1.0, seed=options.seed)
    out = EmbeddedEngine(policy).generate(probe, options.probe_samples, sampling)
    right = [task.correct(prompt, text) for prompt, text in zip(out.prompts, out.texts, strict=True)]
    return sum(right) / len(right)


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def _batches(task: Any, policy: Policy, options: WarmUp, forbidden: set[str]) -> Iterator[tuple[list[str], Batch]]:
    """Batches of (prompt ids, prompt mask, completion ids, mask) for ever, with the ids of their prompts."""
    rng = random.Random(f"demonstrations {options.seed}")
    drawn = (p for p in task.warmup_prompts(random.Random(f"warm-up {options.seed}")) if p.id not in forbidden)
    while True:
        prompts = list(islice(drawn, options.batch_size))
        completions = [_completion(policy, p, task.demonstrate(p, rng), options.max_tokens) for p in prompts]
        width = max(map(len, completions))
        ids = torch.tensor([row + [policy.pad_id] * (width - len(row)) for row in completions])
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in completions])
        encoded = policy.encode(prompts, max_tokens=width)
        yield [p.id for p in prompts], (*encoded, ids.to(policy.device), mask.to(policy.device))


def _completion(policy: Policy, prompt: Prompt, text: str, max_tokens: int) -> list[int]:
    ids = [*policy.tokenizer(text, add_special_tokens=False)["input_ids"], policy.eos_id]
    if policy.tokenizer.unk_token_id in ids and (unknown := unknown_characters(policy.tokenizer, text)):
        raise UserError(f"the demonstration of prompt {prompt.id} has {unknown[0]!r}, which the tokenizer lacks")
    if len(ids) > max_tokens:
        raise UserError(
            f"the demonstration of prompt {prompt.id} has {len(ids)} tokens, more than model.warmup.max_tokens "
            f"= {max_tokens}"
        )
    return ids
