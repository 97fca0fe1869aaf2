"""`algo=dpo` and its kin: learning from pairs of answers, of which one is better."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from crucible.algorithms.given import Given, call, names
from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.modules.given_rows import Encoder
from crucible.modules.journal import Journal
from crucible.modules.microbatch import MicroBatch, in_step, micro_batches, rows_of_rank
from crucible.modules.offline import Offline
from crucible.modules.options import AdamW
from crucible.modules.reference import Reference, Refresh
from crucible.modules.sequences import first_tokens
from crucible.modules.sources import Source, preferences
from crucible.modules.trouble import Trouble
from crucible.policy.policy import Policy
from crucible.policy.token_stats import TokenStats
from crucible.ranks import Ranks
from crucible.types import Preference as Pair
from crucible.types import PreferenceLoss, Rollouts, Task

HELD_OUT_PAIRS = 128  # made into tokens at a time


@needs(
    entropy=["none"],
    sampler=["uniform"],
    because="nothing is sampled while training: the answers are given, and go in a shuffled order",
)
class Preference(Offline):
    """Minimises the mean of `preference` over `batch.prompts_per_step` pairs of answers a step: `task.preferences()` in
    epochs, else a demonstration and a corrupted answer of a generated task, without end.

    The mean is over all pairs of the step, so micro-batches do not change the gradient; the two answers of a pair go
    through the model together. `max_tokens`, `too_long` and `reference` as in `Supervised`.
    """

    learns_from: ClassVar[str] = "pair of answers"

    def __init__(
        self,
        *,
        task: Task,
        policy: Policy,
        batch: Batch,
        optim: AdamW,
        trouble: Trouble,
        journal: Journal,
        ranks: Ranks,
        seed: int,
        steps: int,
        preference: Callable[..., PreferenceLoss],
        reference: Refresh | None = None,
        max_tokens: Annotated[int, ">= 1"] | None = None,
        too_long: Literal["refuse", "skip", "cut"] = "refuse",
    ):
        encoder = Encoder(policy, max_tokens, too_long)
        wanted = any(name.startswith("reference_") for name in names(preference))
        super().__init__(
            objective=PairObjective(
                policy=policy,
                encoder=encoder,
                loss=preference,
                reference=Reference(policy, reference or Refresh()) if wanted else None,
                micro_batch_tokens=batch.micro_batch_tokens,
                ranks=ranks,
            ),
            source=self.source(task), encoder=encoder, task=task, policy=policy, batch=batch, optim=optim,
            trouble=trouble, journal=journal, ranks=ranks, seed=seed, steps=steps,
        )  # fmt: skip

    @staticmethod
    def source(task: Any) -> Source[Pair]:
        return preferences(task)

    def headline(self) -> str:
        """The last step in a few words."""
        return pairs_headline(self.metrics)


def pairs_headline(m: Mapping[str, float]) -> str:
    return (
        f"loss {m['policy/loss']:.4f}  right way round {m['preference/accuracy']:.1%}  "
        f"margin {m['preference/margin']:+.3f}"
    )


@dataclass(slots=True)
class PairObjective:
    """A preference loss over the pairs of a step. Rows 2i and 2i + 1 are the better and the worse answer of pair i."""

    policy: Policy
    encoder: Encoder
    loss: Callable[..., PreferenceLoss]
    reference: Reference | None
    micro_batch_tokens: int
    ranks: Ranks

    def learn(
        self, items: Sequence[Pair], clock: dict[str, Any], backward: Callable[[Tensor], None]
    ) -> dict[str, float]:
        rows = self.rows(items)
        pairs, tokens = len(items), rows.mask.sum().item()
        sums: dict[str, float] = defaultdict(float)
        mine = rows_of_rank(rows.group, torch.arange(len(rows)), self.ranks)
        parts = micro_batches(rows, mine, self.micro_batch_tokens, whole_groups=True)
        for stats, given in self.pieces(rows, in_step(parts, self.ranks, self.policy, backward), clock):
            result: PreferenceLoss = call(self.loss, given)
            loss = result.per_item.sum() / pairs
            backward(loss)
            sums["policy/loss"] += loss.item()
            sums["policy/entropy"] += stats.entropy.sum().item() / tokens
            for name, value in reported(result, given).items():
                sums[f"preference/{name}"] += value.sum().item() / pairs
        return self.ranks.sums(sums) | {
            "completion/length": tokens / len(rows),
            "completion/truncated": sum(reason == "length" for reason in rows.finish_reason) / len(rows),
            "rows": float(len(rows)),
        }

    def rows(self, items: Sequence[Pair]) -> Rollouts:
        answers = [(item.prompt, text) for item in items for text in (item.chosen, item.rejected)]
        return self.encoder.rows(answers, group=[i // 2 for i in range(len(answers))])

    def pieces(
        self, rows: Rollouts, parts: Iterable[MicroBatch], clock: dict[str, Any]
    ) -> Iterator[tuple[TokenStats, Given]]:
        """The vocabulary of preference losses for each of these micro-batches of `rows`, whole pairs."""
        asked = frozenset(names(self.loss))
        lengths = rows.mask.sum(-1)
        clock = {**clock, "mean_chosen_length": lengths[0::2].mean().item()}
        typical = bool(asked & {"chosen_typicality", "rejected_typicality"})
        for part in parts:
            stats = part.forward(self.policy, collision=typical)
            device, order = stats.logps.device, part.index.argsort()
            ours, tokens = stats.logps[order.to(device)], part.of(lengths)[order].to(device)
            mask = part.of(rows.mask)[order].to(device)
            shorter = torch.minimum(tokens[0::2], tokens[1::2]).repeat_interleave(2)
            columns: dict[str, Callable[[], Tensor]] = {
                "logps": lambda ours=ours: ours.sum(-1),
                "shared_logps": lambda ours=ours, n=shorter: first_tokens(ours, n),
                "lengths": lambda tokens=tokens: tokens,
            }
            if typical and stats.collision is not None:
                collision = stats.collision[order.to(device)]
                columns["typicality"] = lambda c=collision, o=ours, m=mask: typicality(o, c, m)
            found = named(columns)
            if self.reference is not None:
                with torch.no_grad():  # the very same rows: at the start every log-ratio is exactly 0
                    theirs = part.forward(self.reference.on(device)).logps[order.to(device)]
                frozen = {
                    "logps": lambda theirs=theirs: theirs.sum(-1),
                    "shared_logps": lambda theirs=theirs, n=shorter: first_tokens(theirs, n),
                }
                found |= {f"reference_{name}": made for name, made in named(frozen).items()}
            yield stats, Given(clock, found)

    @torch.no_grad()
    def measure(self, items: Sequence[Pair]) -> dict[str, float]:
        """Of held-out pairs: share that the implicit rewards put the right way round, their mean margin."""
        sums: dict[str, float] = defaultdict(float)
        share = self.ranks.share(len(items))
        for start in range(share.start, share.stop, HELD_OUT_PAIRS):
            rows = self.rows(items[start : min(start + HELD_OUT_PAIRS, share.stop)])
            parts = micro_batches(rows, torch.arange(len(rows)), self.micro_batch_tokens, whole_groups=True)
            for _, given in self.pieces(rows, parts, {"updates_done": 0, "progress": 1.0}):
                found = reported(call(self.loss, given), given)
                for name in ("accuracy", "margin"):
                    sums[f"preference_{name}"] += found[name].sum().item() / len(items)
        return self.ranks.sums(sums)

    def remembering(self) -> dict[str, Any]:
        found = {"loss": self.loss, "reference": self.reference}
        return {name: part for name, part in found.items() if hasattr(part, "state_dict")}

    def end_of_step(self, step: int) -> None:
        if self.reference is not None:
            self.reference.end_of_step(step, self.policy)


def named(columns: dict[str, Callable[[], Tensor]]) -> dict[str, Callable[[], Tensor]]:
    """Columns over the rows of whole pairs, in order, as those of the better and of the worse answers."""

    def rows_from(made: Callable[[], Tensor], first: int) -> Tensor:
        return made()[first::2]

    return {
        f"{side}_{name}": functools.partial(rows_from, made, first)
        for name, made in columns.items()
        for first, side in enumerate(("chosen", "rejected"))
    }


def typicality(logps: Tensor, collision: Tensor, mask: Tensor) -> Tensor:
    """(K,) mean over the tokens of log pi - log sum over the vocabulary of pi^2, detached."""
    aligned = torch.where(mask > 0, logps.detach() - collision.clamp(min=torch.finfo(collision.dtype).tiny).log(), 0.0)
    return aligned.sum(-1) / mask.sum(-1).clamp(min=1)


def reported(result: PreferenceLoss, given: Given) -> dict[str, Tensor]:
    """(P,) each: what is known of the pairs of a micro-batch, detached. A tie is half right."""
    margin = result.diagnostics["chosen_reward"] - result.diagnostics["rejected_reward"]
    logps = {name: given[name].detach() for name in ("chosen_logps", "rejected_logps")}
    return {
        **result.diagnostics,
        **logps,
        "margin": margin,
        "accuracy": (margin > 0).float() + 0.5 * (margin == 0).float(),
    }
