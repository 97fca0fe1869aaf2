"""`algo=rm_regression`: a scalar reward model from answers that somebody gave a number."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from crucible.algorithms.reward_models.regression import regression
from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.feedback.pipeline import Outcome
from crucible.modules import rm_material
from crucible.modules.journal import Journal
from crucible.modules.options import AdamW
from crucible.modules.rm_data import Example
from crucible.modules.rm_learner import ScalarRewardModel
from crucible.modules.rm_material import Material, of_feedback
from crucible.modules.rm_ranking import correlation
from crucible.modules.rm_recipe import RewardModelRecipe
from crucible.modules.rm_scalar import Answers, Scorer
from crucible.modules.rm_units import passes, told, units
from crucible.modules.sources import Source, scored
from crucible.modules.trouble import Trouble
from crucible.policy.policy import Policy
from crucible.ranks import Ranks
from crucible.types import Scored, Task


@needs(
    entropy=["none"],
    sampler=["uniform"],
    because="nothing is sampled while training: the answers are given, and go in a shuffled order",
)
class Regression(ScalarRewardModel):
    """Learns one score of (prompt, response) by its squared error, `crucible.algorithms.reward_models.regression`.

    The head, the backbone, `max_tokens` and `too_long` are those of `BradleyTerry`. With a `recipe` the scores come
    from the feedback that algo=rm_principle learns from: the share of the principles kept of a response that it is said
    to fulfil; batch, optim, steps and seed are then the recipe's. Without (null): data.completion_column with
    data.score_column, and all these are the run's.

    HelpSteer2-Preference, 2410.01257, stage 1. Differs from it: one attribute.
    """

    learns_from: ClassVar[str] = "scored answer"

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
        cache_dir: str | Path | None = None,
        recipe: RewardModelRecipe | None = None,
        max_tokens: Annotated[int, ">= 1"] | None = None,
        too_long: Literal["refuse", "skip", "cut"] = "refuse",
    ):
        kind = {"kind": "regression"}
        if recipe is not None:
            material = of_feedback(
                task=task, policy=policy, recipe=recipe, kind=kind, take=shares_of, responses_each=1, batch=batch,
                cache_dir=cache_dir, report=journal.report,
            )  # fmt: skip
        else:
            source, scorer = self.source(task), Scorer.on(policy, seed=seed)
            material = Material(scorer, source, batch, optim, steps, seed, kind)
        encoder = Answers(material.scorer.policy, max_tokens, too_long)
        super().__init__(
            objective=ScoreErrors(material.scorer, encoder, batch.micro_batch_tokens),
            material=material, encoder=encoder, task=task, trouble=trouble, journal=journal, ranks=ranks,
        )  # fmt: skip

    @staticmethod
    def source(task: Any) -> Source[Scored]:
        return scored(task)

    @classmethod
    def look_ahead(cls, parts: Any) -> None:
        rm_material.look_ahead(parts, cls.source, "scored answers", lambda found: None)

    def headline(self) -> str:
        """The last step in a few words."""
        m = self.metrics
        return f"squared error {m['policy/loss']:.4f}  mean score {m['score/mean']:+.3f} of {m['score/target']:+.3f}"


@dataclass(slots=True)
class ScoreErrors:
    """The mean squared error over the answers of a step, so passes do not change the gradient."""

    scorer: Scorer
    encoder: Answers
    micro_batch_tokens: int

    def learn(
        self, items: Sequence[Scored], clock: dict[str, Any], backward: Callable[[Tensor], None]
    ) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        rows = units(self.encoder, items)
        for chosen, scores in passes(self.scorer, rows, self.micro_batch_tokens):
            targets = torch.tensor([[items[i].score] for i in chosen], device=scores.device)
            loss = regression(scores, targets).sum() / len(items)
            backward(loss)
            found = {"policy/loss": loss, "score/mean": scores.sum() / len(items)}
            for name, value in (found | {"score/target": targets.sum() / len(items)}).items():
                sums[name] += value.item()
        return {**sums, **told(rows)}

    @torch.no_grad()
    def measure(self, items: Sequence[Scored]) -> dict[str, float]:
        """Mean squared error and Pearson's correlation on held-out answers."""
        found = torch.zeros(len(items))
        for chosen, scores in passes(self.scorer, units(self.encoder, items), self.micro_batch_tokens):
            found[chosen] = scores[:, 0].cpu()
        targets = torch.tensor([item.score for item in items])
        measured = {
            "score_mse": regression(found, targets).mean().item(),
            "score_correlation": correlation(found, targets),
        }
        return {name: value for name, value in measured.items() if not math.isnan(value)}

    def remembering(self) -> dict[str, Any]:
        return {"scorer": self.scorer}

    def end_of_step(self, step: int) -> None:
        """Nothing is kept up to date between steps."""


def shares_of(
    examples: Sequence[Example], outcome: Outcome, same: Callable[[str, str], bool], seed: int
) -> list[Scored]:
    """Of every response that the pipeline kept something of: the share of its principles that it is said to fulfil."""
    return [Scored(e.prompt, e.text, sum(e.labels) / len(e.labels)) for e in examples if e.labels]
