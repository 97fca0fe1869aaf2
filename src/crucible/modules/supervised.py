"""`algo=sft` and its kin: supervised learning of worked answers, token by token."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from crucible.algorithms.given import Given, call, names
from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.modules.given_rows import Encoder
from crucible.modules.journal import Journal
from crucible.modules.methods import needs_gradient
from crucible.modules.microbatch import MicroBatch, in_step, micro_batches, rows_of_rank
from crucible.modules.offline import Offline
from crucible.modules.options import AdamW, SamplingOptions
from crucible.modules.reference import Reference, Refresh
from crucible.modules.sources import Source, demonstrations
from crucible.modules.trouble import Trouble
from crucible.policy.policy import Policy
from crucible.policy.token_stats import TokenStats
from crucible.ranks import Ranks
from crucible.types import Demonstration, PolicyLoss, Task, Totals

HELD_OUT_ROWS = 256  # made into tokens at a time


@needs(
    entropy=["none"],
    sampler=["uniform"],
    because="nothing is sampled while training: the answers are given, and go in a shuffled order",
)
class Supervised(Offline):
    """Minimises `supervised` on `batch.prompts_per_step` demonstrations a step: `task.demonstrations()` in epochs, else
    the endless demonstrations of a generated task.

    `aggregation` divides by the tokens and rows of the whole step, so micro-batches do not change the gradient. A
    demonstration's weight multiplies the loss of its tokens and counts in no denominator.
    `max_tokens`: tokens of an answer at most, null: what the context has room for; `too_long`: what is done with longer
    ones. `reference`: the frozen start policy, for losses that name one.
    """

    learns_from: ClassVar[str] = "demonstration"

    def __init__(
        self,
        *,
        task: Task,
        policy: Policy,
        batch: Batch,
        sampling: SamplingOptions,
        optim: AdamW,
        trouble: Trouble,
        journal: Journal,
        ranks: Ranks,
        seed: int,
        steps: int,
        supervised: Callable[..., PolicyLoss],
        aggregation: Callable[..., Tensor],
        reference: Refresh | None = None,
        max_tokens: Annotated[int, ">= 1"] | None = None,
        too_long: Literal["refuse", "skip", "cut"] = "refuse",
    ):
        encoder = Encoder(policy, max_tokens, too_long)
        wanted = set(names(supervised)) & {"reference_logps", "reference_divergence"}
        super().__init__(
            objective=TokenObjective(
                policy=policy,
                encoder=encoder,
                loss=supervised,
                aggregation=aggregation,
                reference=Reference(policy, reference or Refresh()) if wanted else None,
                micro_batch_tokens=batch.micro_batch_tokens,
                max_completion_tokens=sampling.max_tokens,
                ranks=ranks,
            ),
            source=self.source(task), encoder=encoder, task=task, policy=policy, batch=batch, optim=optim,
            trouble=trouble, journal=journal, ranks=ranks, seed=seed, steps=steps,
        )  # fmt: skip

    @staticmethod
    def source(task: Any) -> Source[Demonstration]:
        return demonstrations(task)

    def headline(self) -> str:
        """The last step in a few words."""
        m = self.metrics
        return (
            f"loss {m['policy/loss']:.4f}  -log p {m['supervised/nll']:.3f} a token  "
            f"greedy right {m['supervised/token_accuracy']:.1%}"
        )


@dataclass(slots=True)
class TokenObjective:
    """A supervised loss over the demonstrations of a step."""

    policy: Policy
    encoder: Encoder
    loss: Callable[..., PolicyLoss]
    aggregation: Callable[..., Tensor]
    reference: Reference | None
    micro_batch_tokens: int
    max_completion_tokens: int
    ranks: Ranks

    def learn(
        self, items: Sequence[Demonstration], clock: dict[str, Any], backward: Callable[[Tensor], None]
    ) -> dict[str, float]:
        rows = self.encoder.rows([(item.prompt, item.completion) for item in items])
        weights = torch.tensor([item.weight for item in items])
        totals = Totals(float(rows.mask.sum()), float(len(rows)), self.max_completion_tokens)
        mine = rows_of_rank(rows.group, torch.arange(len(rows)), self.ranks)
        asked = frozenset(names(self.loss))
        columns = {"mask": rows.mask, "completion_ids": rows.completion_ids}
        options: dict[str, Any] = {name: name in asked for name in ("uniform", "collision", "normaliser")}
        options["entropy_gradient"] = needs_gradient(self.loss)
        if "reference_divergence" in asked:
            options["against"] = self.frozen()
        sums: dict[str, float] = defaultdict(float)
        parts = micro_batches(rows, mine, self.micro_batch_tokens)
        for part in in_step(parts, self.ranks, self.policy, backward):
            stats = part.forward(self.policy, greedy=True, **options)
            given = self.given(part, stats, columns, clock)
            mask = given["mask"]
            result: PolicyLoss = call(self.loss, given)
            weighted = result.per_token * part.of(weights).to(mask.device).unsqueeze(-1)
            loss = self.aggregation(weighted, mask, totals)
            backward(loss)
            sums["policy/loss"] += loss.item()
            found = {"policy/entropy": stats.entropy, "supervised/nll": -stats.logps}
            found |= {f"supervised/{name}": value for name, value in result.diagnostics.items()}
            for name, value in {**found, "supervised/token_accuracy": stats.greedy}.items():
                sums[name] += (value.detach() * mask).sum().item() / totals.tokens
        cut = sum(reason == "length" for reason in rows.finish_reason) / len(rows)
        return self.ranks.sums(sums) | {
            "completion/length": totals.tokens / len(rows),
            "completion/truncated": cut,
            "rows": float(len(rows)),
        }

    def given(self, part: MicroBatch, stats: TokenStats, columns: dict[str, Tensor], clock: dict[str, Any]) -> Given:
        """The vocabulary of supervised losses for one micro-batch."""
        device = stats.logps.device
        entropy = stats.entropy if needs_gradient(self.loss) else stats.entropy.detach()
        ready = {"logps": stats.logps, "entropy": entropy, "reference_divergence": stats.divergence, **clock}
        ready |= {"uniform": stats.uniform, "collision": stats.collision, "normaliser": stats.normaliser}
        made: dict[str, Callable[[], Tensor]] = {
            name: functools.partial(lambda c: part.of(c).to(device), c) for name, c in columns.items()
        }
        made["reference_logps"] = lambda: frozen_logps(part, self.frozen())
        return Given({name: value for name, value in ready.items() if value is not None}, made)

    def frozen(self) -> Policy:
        assert self.reference is not None
        return self.reference.on(self.policy.device)

    @torch.no_grad()
    def measure(self, items: Sequence[Demonstration]) -> dict[str, float]:
        """Mean -log p of a held-out token, and how often the likeliest token is the right one."""
        sums: dict[str, float] = defaultdict(float)
        share = self.ranks.share(len(items))
        for start in range(share.start, share.stop, HELD_OUT_ROWS):
            chunk = items[start : min(start + HELD_OUT_ROWS, share.stop)]
            rows = self.encoder.rows([(item.prompt, item.completion) for item in chunk])
            for part in micro_batches(rows, torch.arange(len(rows)), self.micro_batch_tokens):
                stats = part.forward(self.policy, greedy=True)
                assert stats.greedy is not None
                sums["nll"] -= stats.logps.sum().item()
                sums["token_accuracy"] += stats.greedy.sum().item()
            sums["tokens"] += rows.mask.sum().item()
        sums = self.ranks.sums(sums)
        tokens = sums.pop("tokens")
        return {name: value / tokens for name, value in sums.items()}

    def remembering(self) -> dict[str, Any]:
        found = {"loss": self.loss, "reference": self.reference}
        return {name: part for name, part in found.items() if hasattr(part, "state_dict")}

    def end_of_step(self, step: int) -> None:
        if self.reference is not None:
            self.reference.end_of_step(step, self.policy)


@torch.no_grad()
def frozen_logps(part: MicroBatch, policy: Policy) -> Tensor:
    """(K, T) what a frozen policy says of the very same rows: equal policies agree to the bit."""
    return part.forward(policy).logps
