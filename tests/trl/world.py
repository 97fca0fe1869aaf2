"""One rollout step by hand: uneven rows, one cut off, ratios on both sides of the clips; and the loss of both sides."""

from __future__ import annotations

import functools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from crucible.config.batch import Batch
from crucible.config.compose import compose
from crucible.modules.experience import Learner
from crucible.modules.methods import Methods
from crucible.modules.objective import Objective
from crucible.modules.options import AdamW, SamplingOptions
from crucible.modules.passes import token_columns
from crucible.parts import Parts
from crucible.trl.loop import TRLLoop
from crucible.trl.plan import Plan, planned
from crucible.types import Prompt, Rollouts, Scores
from tests.conftest import ROOT
from tests.policy.models import qwen3

LONGEST = 10  # sampling.max_tokens: above the width of the rows, so that Dr. GRPO's denominator shows
WIDTH = 8
PROMPTS = [Prompt("a", "7+8="), Prompt("b", "1+2+3="), Prompt("c", "2="), Prompt("d", "9-4+5=")]
SAMPLES = 4


class Task:
    name = "sums"

    def eval_prompts(self) -> list[Prompt]:
        return PROMPTS


@functools.cache
def config_of(*overrides: str) -> dict[str, Any]:
    return compose(list(overrides), ROOT).config


def methods_of(config: dict[str, Any]) -> Methods:
    algo, parts = config["algo"], Parts({})
    made = {name: parts.build(algo[name]) for name in ("loss", "advantage", "aggregation", "filter")}
    more = {name: parts.build(algo[name]) for name in ("correction", "kl") if algo.get(name)}
    return Methods(**made, auxiliary={}, entropy=parts.build(config["entropy"]), **more)


def rollouts(policy: Any, *, spread: float, seed: int = 0) -> Rollouts:
    """The sampler's log-probs are the policy's now, moved by `spread`: as if it had learned since."""
    draw = torch.Generator().manual_seed(seed)
    n = len(PROMPTS) * SAMPLES
    group = torch.arange(len(PROMPTS)).repeat_interleave(SAMPLES)
    prompt_ids, prompt_mask = policy.encode(PROMPTS)
    lengths = torch.randint(2, WIDTH, (n,), generator=draw)
    lengths[3], lengths[6] = WIDTH, 1  # cut off; a single token
    mask = (torch.arange(WIDTH) < lengths[:, None]).float()
    plain = policy.tokenizer("0123456789+-=;")["input_ids"]
    ids = torch.tensor(plain)[torch.randint(0, len(plain), (n, WIDTH), generator=draw)]
    ends = (torch.arange(WIDTH) == lengths[:, None] - 1) & (torch.arange(n) != 3)[:, None]
    ids = ids.masked_fill(ends, policy.eos_id).masked_fill(mask == 0, policy.pad_id)
    found = Rollouts(
        prompt_ids=prompt_ids[group], prompt_mask=prompt_mask[group], completion_ids=ids, mask=mask,
        sampling_logps=mask, group=group, policy_version=torch.zeros_like(group), prompts=[PROMPTS[i] for i in group],
        texts=policy.decode(ids, mask), finish_reason=["length" if i == 3 else "stop" for i in range(n)],
    )  # fmt: skip
    now = token_columns(policy, found, torch.arange(n), 10_000, {"logps"})["logps"]
    return replace(found, sampling_logps=(now + spread * torch.randn(n, WIDTH, generator=draw)) * mask)


class World:
    """A module with what TRL's side and ours need, and nothing that samples."""

    def __init__(
        self, *overrides: str, owner: str = "auto", updates: int = 1, spread: float = 0.3,
        rows_per_pass: int | None = None, without_reward: int | None = None,
    ) -> None:  # fmt: skip
        config = config_of(*overrides)
        self.policy = qwen3()
        self.policy.model.train()
        self.methods = methods_of(config)
        self.batch = Batch(
            prompts_per_step=len(PROMPTS), samples_per_prompt=SAMPLES, updates_per_rollout=updates,
            micro_batch_tokens=10_000,
        )  # fmt: skip
        self.plan: Plan = planned(config["algo"], config["entropy"], owner)
        x = rollouts(self.policy, spread=spread)
        rewards = torch.randn(len(x), generator=torch.Generator().manual_seed(5))
        valid = torch.arange(len(x)) != (-1 if without_reward is None else without_reward)
        self.clock = {"updates_done": 0, "progress": 0.0}
        learner = Learner(self.policy, self.methods, None, False, 10_000, updates)
        self.experience = learner.learn_from(
            x, Scores(torch.where(valid, rewards, 0.0), valid=valid), (rewards > 0).float(),
            order=torch.Generator().manual_seed(1), clock=self.clock,
            more={"tempered": torch.zeros(len(x), dtype=torch.bool)},
        )  # fmt: skip
        self.objective = self.objective_of(10_000)
        self.module: Any = SimpleNamespace(
            policy=self.policy, model=self.policy.model, methods=self.methods, batch=self.batch, task=Task(), seed=1,
            sampling=SamplingOptions(max_tokens=LONGEST), optim=AdamW(lr=1e-3), clock=self.clock, epochs=1,
            steps_done=0, experience=self.experience, objective=self.objective, on_train_epoch_start=lambda: None,
        )  # fmt: skip
        self.rows_per_pass = rows_per_pass

    def objective_of(self, tokens: int) -> Objective:
        return Objective(self.policy, self.methods, tokens, LONGEST)

    @property
    def parameters(self) -> dict[str, Tensor]:
        return dict(self.policy.model.named_parameters())

    def gradients(self) -> dict[str, Tensor]:
        """Those that were added up, and zeros from here on."""
        found = {name: p.grad.clone() for name, p in self.parameters.items() if p.grad is not None}
        for p in self.parameters.values():
            p.grad = None
        return found

    def ours(self, rows: Tensor | None = None, tokens: int = 10_000) -> tuple[dict[str, float], dict[str, Tensor]]:
        """The metrics of the module's objective, and the gradients."""
        rows = torch.arange(len(self.experience.rollouts)) if rows is None else rows
        metrics = self.objective_of(tokens).backward(self.experience, rows, self.clock, lambda piece: piece.backward())
        return metrics, self.gradients()

    def theirs(self, folder: Any) -> list[tuple[Tensor, float, dict[str, Tensor]]]:
        """Of each update of a TRL trainer: its rows, its loss and its gradients, by TRL's own way through a step."""
        from crucible.trl.adapter import ROW
        from crucible.trl.run import TRLRun

        loop = TRLLoop(self.module, [], self.plan, 0, self.rows_per_pass, "cpu")
        options = loop.grpo_config(str(folder))
        loop.optimizer, loop.schedule = self.module.optim.build(self.policy.model.parameters())
        trainer = loop.trainer(options, TRLRun(loop, self.module, self.plan, 0))
        passes = options.gradient_accumulation_steps
        trainer.current_gradient_accumulation_steps = passes
        self.policy.model.train()
        batch = [{"prompt": f"prompt {i // SAMPLES}"} for i in range(len(self.experience.rollouts))]
        found = []
        for _ in range(self.batch.updates_per_rollout):
            rows, value = [], 0.0
            for _ in range(passes):
                inputs = trainer._prepare_inputs(batch)
                loss = trainer.compute_loss(self.policy.model, inputs)
                loss.backward()
                trainer._step += 1
                rows.append(inputs[ROW])
                value += loss.item()
            found.append((torch.cat(rows), value, self.gradients()))
        return found


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest distance of the gradients of a parameter, over the size of the other's."""
    assert one.keys() == other.keys()
    assert one
    return max(((one[k] - other[k]).norm() / other[k].norm()).item() for k in other)
