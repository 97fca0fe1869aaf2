"""`algo=rm_bradley_terry`: a scalar reward model from pairs of answers, of which one is better."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from crucible.algorithms.reward_models.bradley_terry import bradley_terry, check_form
from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.feedback.matched import matched_pairs
from crucible.feedback.pipeline import Outcome
from crucible.modules import rm_material
from crucible.modules.journal import Journal
from crucible.modules.options import AdamW
from crucible.modules.preference import pairs_headline
from crucible.modules.rm_learner import ScalarRewardModel
from crucible.modules.rm_material import Material, of_feedback
from crucible.modules.rm_recipe import RewardModelRecipe
from crucible.modules.rm_scalar import Answers, Scorer
from crucible.modules.rm_units import Unit, passes, told, units
from crucible.modules.sources import Source, preferences
from crucible.modules.trouble import Trouble
from crucible.policy.policy import Policy
from crucible.ranks import Ranks
from crucible.types import Preference, PreferenceLoss, Task


@needs(
    entropy=["none"],
    sampler=["uniform"],
    because="nothing is sampled while training: the answers are given, and go in a shuffled order",
)
class BradleyTerry(ScalarRewardModel):
    """Learns one score of (prompt, response) from pairs, by `crucible.algorithms.reward_models.bradley_terry`.

    The score is a linear head's on the backbone of `policy`, all of it trained, or its LoRA adapters and the head. With
    a `recipe` the pairs are made of the feedback that algo=rm_principle learns from (`feedback/matched.py`), on a copy
    of the policy, and batch, optim, steps and seed are the recipe's; without (null) they are the data's own, or a
    generated task's demonstrations and corrupted answers, and all these are the run's. `form`: plain, scaled or margin;
    `centre`: null or the weight of (r_c + r_r)^2. Ties (a margin of 0) are left out. `max_tokens`, `too_long` as in
    `Preference`.

    The baseline of 2509.21319, "Bradley-Terry on the same data". How its pairs were made to match was not found.
    Errors: UserError for form=scaled or margin on pairs without margins, a scaled one below 0, and as `Preference`.
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
        cache_dir: str | Path | None = None,
        recipe: RewardModelRecipe | None = None,
        form: Literal["plain", "scaled", "margin"] = "plain",
        centre: Annotated[float, ">= 0"] | None = None,
        max_tokens: Annotated[int, ">= 1"] | None = None,
        too_long: Literal["refuse", "skip", "cut"] = "refuse",
    ):
        check_form(form, centre)
        kind = {"kind": "bradley_terry", "form": form, "centre": centre}
        if recipe is not None:
            material = of_feedback(
                task=task, policy=policy, recipe=recipe, kind=kind, take=pairs_of, responses_each=2, batch=batch,
                cache_dir=cache_dir, report=journal.report,
            )  # fmt: skip
        else:
            source = without_ties(self.source(task), journal.report)
            refuse_margins(source, form)
            scorer = Scorer.on(policy, seed=seed)
            material = Material(scorer, source, batch, optim, steps, seed, kind)
        encoder = Answers(material.scorer.policy, max_tokens, too_long)
        super().__init__(
            objective=PairScores(
                material.scorer, encoder, functools.partial(bradley_terry, form=form, centre=centre),
                batch.micro_batch_tokens,
            ),
            material=material, encoder=encoder, task=task, trouble=trouble, journal=journal, ranks=ranks,
        )  # fmt: skip

    @staticmethod
    def source(task: Any) -> Source[Preference]:
        return preferences(task)

    @classmethod
    def look_ahead(cls, parts: Any) -> None:
        algo = parts["config"]["algo"]
        rm_material.look_ahead(
            parts, cls.source, "pairs of answers", lambda found: refuse_margins(found, algo.get("form", "plain"))
        )

    def headline(self) -> str:
        """The last step in a few words."""
        return pairs_headline(self.metrics)


@dataclass(slots=True)
class PairScores:
    """The loss over the pairs of a step: its mean over all of them, so passes do not change the gradient."""

    scorer: Scorer
    encoder: Answers
    loss: Callable[..., PreferenceLoss]
    micro_batch_tokens: int

    def learn(
        self, items: Sequence[Preference], clock: dict[str, Any], backward: Callable[[Tensor], None]
    ) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        rows = units(self.encoder, items)
        for result in self.results(rows, items):
            loss = result.per_item.sum() / len(items)
            backward(loss)
            sums["policy/loss"] += loss.item()
            for name, value in reported(result).items():
                sums[f"preference/{name}"] += value.sum().item() / len(items)
        return {**sums, **told(rows)}

    def results(self, rows: Sequence[Unit], items: Sequence[Preference]) -> Any:
        for chosen, scores in passes(self.scorer, rows, self.micro_batch_tokens):
            margins = [items[i].margin for i in chosen]
            known = None if any(m is None for m in margins) else torch.tensor(margins, device=scores.device)
            yield self.loss(scores[:, 0], scores[:, 1], known)

    @torch.no_grad()
    def measure(self, items: Sequence[Preference]) -> dict[str, float]:
        """Of held-out pairs: the share that is put the right way round, ties half, and the mean difference."""
        sums: dict[str, float] = defaultdict(float)
        for result in self.results(units(self.encoder, items), items):
            for name in ("accuracy", "margin"):
                sums[f"preference_{name}"] += reported(result)[name].sum().item() / len(items)
        return sums

    def remembering(self) -> dict[str, Any]:
        return {"scorer": self.scorer}

    def end_of_step(self, step: int) -> None:
        """Nothing is kept up to date between steps."""


def reported(result: PreferenceLoss) -> dict[str, Tensor]:
    """(P,) each, detached. A tie is half right."""
    margin = result.diagnostics["chosen_reward"] - result.diagnostics["rejected_reward"]
    accuracy = (margin > 0).float() + 0.5 * (margin == 0).float()
    return {**result.diagnostics, "margin": margin, "accuracy": accuracy}


def pairs_of(
    examples: Sequence[Any], outcome: Outcome, same: Callable[[str, str], bool], seed: int
) -> list[Preference]:
    """The pairs of the triples that the feedback pipeline kept."""
    found = matched_pairs(outcome.triples, seed=seed, same=same)
    return [Preference(pair.prompt, pair.chosen, pair.rejected, pair.margin) for pair in found]


def without_ties(source: Source[Preference], report: Callable[[str], None]) -> Source[Preference]:
    """Pairs of which nobody says which is better teach nothing, or the wrong thing."""
    kept: list[Any] = []
    for name, items in (("training", source.pool), ("held-out", source.held_out)):
        kept.append(items if items is None else [item for item in items if item.margin != 0])
        if items is not None and (ties := len(items) - len(kept[-1])):
            report(f"{ties} of {len(items)} {name} pairs are ties (margin 0) and are left out")
    if kept[0] is not None and not kept[0]:
        raise UserError("all training pairs are ties (margin 0): there is nothing to learn")
    return Source(kept[0], source.endless, kept[1])


def refuse_margins(source: Source[Preference], form: str) -> None:
    """Errors: UserError where a form of the loss needs margins that the pairs lack, or a weight would be negative."""
    if form == "plain":
        return
    items = [*(source.pool or ()), *source.held_out]
    if source.pool is None or any(item.margin is None for item in items):
        raise UserError(f"algo.form={form} needs the margin of every pair; name its column with data.margin_column=...")
    wrong = next((item for item in items if form == "scaled" and (item.margin or 0.0) < 0), None)
    if wrong is not None:
        raise UserError(
            f"algo.form=scaled: the margin {wrong.margin} of a pair of prompt {wrong.prompt.id} is a weight, and must "
            "be at least 0; swap the two answers of such pairs"
        )
