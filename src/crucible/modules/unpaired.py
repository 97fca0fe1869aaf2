"""`algo=kto` and its kin: learning from single answers that are called good or bad."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from crucible.algorithms.given import Given, call, names
from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.modules.given_rows import Encoder
from crucible.modules.journal import Journal
from crucible.modules.microbatch import in_step, micro_batches, rows_of_rank
from crucible.modules.offline import Offline
from crucible.modules.options import AdamW
from crucible.modules.reference import Reference, Refresh
from crucible.modules.sequences import answer_logps
from crucible.modules.sources import Source, labelled
from crucible.modules.trouble import Trouble
from crucible.policy.policy import Policy
from crucible.policy.shards import whole
from crucible.ranks import Ranks
from crucible.types import Labelled, PreferenceLoss, Prompt, Rollouts, Task

HELD_OUT_ROWS = 256  # made into tokens at a time


@needs(
    entropy=["none"],
    sampler=["uniform"],
    because="nothing is sampled while training: the answers are given, and go in a shuffled order",
)
class Unpaired(Offline):
    """Minimises the mean of `preference` over `batch.prompts_per_step` labelled answers a step: `task.labelled()` in
    epochs (of pairs: both answers, one good and one bad), else the right and corrupted answers of a generated task.

    The mean is over all answers of the step, so micro-batches do not change the gradient. `max_tokens`, `too_long` and
    `reference` as in `Supervised`.
    """

    learns_from: ClassVar[str] = "labelled answer"

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
        super().__init__(
            objective=LabelObjective(
                policy=policy,
                encoder=encoder,
                loss=preference,
                reference=Reference(policy, reference or Refresh()),
                micro_batch_tokens=batch.micro_batch_tokens,
                ranks=ranks,
            ),
            source=self.source(task), encoder=encoder, task=task, policy=policy, batch=batch, optim=optim,
            trouble=trouble, journal=journal, ranks=ranks, seed=seed, steps=steps,
        )  # fmt: skip

    @staticmethod
    def source(task: Any) -> Source[Labelled]:
        return labelled(task)

    def headline(self) -> str:
        """The last step in a few words."""
        m = self.metrics
        return (
            f"loss {m['policy/loss']:.4f}  reward of good {m['preference/desirable_reward']:+.3f}, of bad answers "
            f"{m['preference/undesirable_reward']:+.3f}"
        )


@dataclass(slots=True)
class LabelObjective:
    """A preference loss over the labelled answers of a step."""

    policy: Policy
    encoder: Encoder
    loss: Callable[..., PreferenceLoss]
    reference: Reference
    micro_batch_tokens: int
    ranks: Ranks

    def learn(
        self, items: Sequence[Labelled], clock: dict[str, Any], backward: Callable[[Tensor], None]
    ) -> dict[str, float]:
        rows = self.encoder.rows([(item.prompt, item.completion) for item in items])
        mine = rows_of_rank(rows.group, torch.arange(len(rows)), self.ranks)
        desirable = torch.tensor([item.desirable for item in items])
        columns = {"desirable": desirable, "lengths": rows.mask.sum(-1), "reference_logps": self.frozen(rows, mine)}
        ready = dict(clock)
        if "mismatched_log_ratio" in names(self.loss):
            ready["mismatched_log_ratio"] = self.mismatched_log_ratio(items)
        if hasattr(self.loss, "observe"):
            self.show(rows, mine, columns)
        sums: dict[str, float] = defaultdict(float)
        tokens, good = rows.mask.sum().item(), float(desirable.sum())
        parts = micro_batches(rows, mine, self.micro_batch_tokens)
        for part in in_step(parts, self.ranks, self.policy, backward):
            stats = part.forward(self.policy)
            device = stats.logps.device
            given = {name: part.of(column).to(device) for name, column in columns.items()}
            result: PreferenceLoss = call(self.loss, Given({**ready, **given, "logps": stats.logps.sum(-1)}))
            loss = result.per_item.sum() / len(items)
            backward(loss)
            sums["policy/loss"] += loss.item()
            sums["policy/entropy"] += stats.entropy.sum().item() / tokens
            rewards, right = result.diagnostics["reward"], given["desirable"]
            sums["preference/desirable_reward"] += rewards[right].sum().item() / max(good, 1.0)
            sums["preference/undesirable_reward"] += rewards[~right].sum().item() / max(len(items) - good, 1.0)
            for name, value in result.diagnostics.items():
                if name != "reward":
                    sums[f"preference/{name}"] += value.sum().item() / len(items)
        return self.ranks.sums(sums) | {
            "preference/desirable": good / len(items),
            "completion/length": tokens / len(rows),
            "completion/truncated": sum(reason == "length" for reason in rows.finish_reason) / len(rows),
            "rows": float(len(rows)),
        }

    def frozen(self, rows: Rollouts, mine: Tensor) -> Tensor:
        """(N,) log-probs under the reference, filled on the rows `mine`."""
        return answer_logps(self.reference.on(self.policy.device), rows, mine, self.micro_batch_tokens)

    def mismatched_log_ratio(self, items: Sequence[Labelled]) -> float:
        """Mean over the step of log pi - log pi_ref of each prompt with the answer to another one."""
        rows = self.encoder.rows(mismatched(items))
        mine = rows_of_rank(rows.group, torch.arange(len(rows)), self.ranks)
        with whole(self.policy.model):
            ours = answer_logps(self.policy, rows, mine, self.micro_batch_tokens)
        ratio = ours - self.frozen(rows, mine)
        return self.ranks.sums({"ratio": ratio.sum().item() / len(items)})["ratio"]

    def show(self, rows: Rollouts, mine: Tensor, columns: dict[str, Tensor]) -> None:
        """Let the loss see the whole step before its first micro-batch."""
        with whole(self.policy.model):
            ours = answer_logps(self.policy, rows, mine, self.micro_batch_tokens)
        every = {"logps": ours, "reference_logps": columns["reference_logps"]}
        shared = {name: self.ranks.put_together(column) for name, column in every.items()}
        call(self.loss.observe, Given({**shared, "desirable": columns["desirable"]}))  # type: ignore[attr-defined]

    @torch.no_grad()
    def measure(self, items: Sequence[Labelled]) -> dict[str, float]:
        """Of held-out answers: mean log-ratios, and the chance that of a good and a bad one the good has the larger."""
        share = self.ranks.share(len(items))
        ratios: list[float] = []
        for start in range(share.start, share.stop, HELD_OUT_ROWS):
            chunk = items[start : min(start + HELD_OUT_ROWS, share.stop)]
            rows = self.encoder.rows([(item.prompt, item.completion) for item in chunk])
            every = torch.arange(len(rows))
            ratios += (
                answer_logps(self.policy, rows, every, self.micro_batch_tokens) - self.frozen(rows, every)
            ).tolist()
        found = torch.tensor([ratio for part in self.ranks.gather(ratios) for ratio in part])
        good = torch.tensor([item.desirable for item in items])
        metrics = {}
        for name, which in (("desirable", good), ("undesirable", ~good)):
            if which.any():
                metrics[f"{name}_log_ratio"] = found[which].mean().item()
        if good.any() and not good.all():
            difference = found[good].unsqueeze(1) - found[~good].unsqueeze(0)
            metrics["preference_auc"] = ((difference > 0).float() + 0.5 * (difference == 0).float()).mean().item()
        return metrics

    def remembering(self) -> dict[str, Any]:
        found = {"loss": self.loss, "reference": self.reference}
        return {name: part for name, part in found.items() if hasattr(part, "state_dict")}

    def end_of_step(self, step: int) -> None:
        self.reference.end_of_step(step, self.policy)


def mismatched(items: Sequence[Labelled]) -> list[tuple[Prompt, str]]:
    """Each prompt with the answer of the item before it, in a circle, that has another prompt (as TRL does).

    Errors: UserError where all items of the step have one prompt.
    """
    n, found = len(items), []
    for i, item in enumerate(items):
        others = (items[(i - k) % n] for k in range(1, n))
        other = next((o for o in others if o.prompt.id != item.prompt.id), None)
        if other is None:
            raise UserError(
                f"all {n} answers of a step are to prompt {item.prompt.id}: an answer behind another prompt is needed; "
                "raise batch.prompts_per_step"
            )
        found.append((item.prompt, other.completion))
    return found
