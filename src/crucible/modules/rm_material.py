"""What a scalar reward model learns from, and with which settings: feedback of a recipe, or the data's own answers.

recipe   the feedback of algo=rm_principle, the same to the letter; base, marks, epochs, batch, optimiser as there
null     answers of the data, as algo=dpo has them; batch, optim and steps are those of the run
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crucible.ahead import stand_in
from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.feedback.consensus import Consensus
from crucible.feedback.pipeline import Outcome
from crucible.modules import rm_data, rm_triples
from crucible.modules.options import AdamW
from crucible.modules.reward_model import refuse_recipe
from crucible.modules.rm_data import Example, Examples
from crucible.modules.rm_proofreader import Proofreader, copied, trained_proofreader
from crucible.modules.rm_recipe import CosineAdamW, RewardModelRecipe, cache_folder
from crucible.modules.rm_scalar import Answers, Scorer
from crucible.modules.sources import Source
from crucible.policy import Policy

Taken = Callable[[Sequence[Example], Outcome, Callable[[str, str], bool], int], list[Any]]


@dataclass(slots=True)
class Material:
    """`kind` describes the objective, for the notes and the cache; `folder`: where a model of a recipe is cached."""

    scorer: Scorer
    source: Source[Any]
    batch: Batch
    optim: AdamW
    steps: int
    seed: int
    kind: dict[str, Any]
    examples: Examples | None = None
    recipe: RewardModelRecipe | None = None
    folder: Path | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def of_feedback(
    *,
    task: Any,
    policy: Policy,
    recipe: RewardModelRecipe,
    kind: dict[str, Any],
    take: Taken,
    responses_each: int,
    batch: Batch,
    cache_dir: str | Path | None,
    report: Callable[[str], None],
) -> Material:
    """`take(examples, outcome, same, seed)` makes the items, of `responses_each` responses, of what the pipeline kept.

    Errors: UserError where they do not fill one batch.
    """
    from crucible.rollout.embedded import EmbeddedEngine

    rm_triples.refuse_scalar(recipe)
    folder = cache_folder(cache_dir, recipe=recipe, task=task, policy=policy, kind=kind) if cache_dir else None
    made = rm_data.make(task, recipe, EmbeddedEngine(policy).generate, report)
    proofreader = None
    if recipe.proofread_updates:
        proofreader = trained_proofreader(
            task, policy, updates=recipe.proofread_updates, threshold=recipe.proofread_threshold, seed=recipe.seed,
            report=report,
        )  # fmt: skip
    base = copied(proofreader.policy if proofreader else policy)
    base.model.requires_grad_(True)
    scorer = Scorer.on(base, seed=recipe.seed, proofreader=proofreader, feedback=made.training)
    same = Consensus(embedder=recipe.embedder, tau=recipe.tau).similar
    train, held = (
        marked(take(examples, outcome, same, recipe.seed), proofreader)
        for examples, outcome in ((made.train, made.training), (made.held_out, made.held_out_outcome))
    )
    each = max(1, recipe.batch_responses // responses_each)
    if len(train) < each:
        raise UserError(
            f"reward model: the feedback gives {len(train)} of the {each} items of a batch; raise recipe.responses"
        )
    steps = recipe.epochs * (len(train) // each)
    report(f"reward model: {len(train)} items of {len(made.training.triples)} triples, {steps} steps of {each}")
    return Material(
        scorer=scorer,
        source=Source(train, None, held),
        batch=replace(batch, prompts_per_step=each, samples_per_prompt=1, updates_per_rollout=1),
        optim=CosineAdamW.of(recipe, steps),
        steps=steps,
        seed=recipe.seed,
        kind=kind,
        examples=made,
        recipe=recipe,
        folder=folder,
        notes={
            "recipe": recipe.described(), "counts": made.training.counts, "yes_rate": made.training.yes_rate,
            "items": len(train),
        },
    )  # fmt: skip


def marked(items: list[Any], proofreader: Proofreader | None) -> list[Any]:
    """The items (Preference or Scored) with the proofreader's marks in their texts."""
    if proofreader is None or not items:
        return items
    names = ("chosen", "rejected") if hasattr(items[0], "chosen") else ("completion",)
    texts = {name: proofreader.mark([i.prompt for i in items], [getattr(i, name) for i in items]) for name in names}
    return [replace(item, **{name: texts[name][n] for name in names}) for n, item in enumerate(items)]


def look_ahead(
    parts: Any, source: Callable[[Any], Source[Any]], noun: str, check: Callable[[Source[Any]], None]
) -> None:
    """What can be told before any model is made. Errors: UserError for data without what is learned from, held out or
    in training, for what `check` refuses, and for answers that do not fit the model (where something stands in)."""
    task, algo = parts["task"], parts["config"]["algo"]
    if algo.get("recipe") is not None:
        if lacking := [name for name in rm_data.TASK_METHODS if not hasattr(task, name)]:
            raise UserError(
                f"data={task.name} has no {lacking[0]}(), so algo.recipe can make no feedback of it; set "
                f"algo.recipe=null to learn from {noun} of the data itself"
            )
        recipe = parts.build(algo["recipe"])
        rm_triples.refuse_scalar(recipe)
        refuse_recipe(task=task, recipe=recipe, parts=parts)
        return
    found = source(task)
    if not found.held_out:
        raise UserError(f"data={task.name}: nothing could be measured: the evaluation rows have no {noun}")
    check(found)
    if (similar := stand_in(parts)) is not None and algo.get("too_long") == "refuse":
        for items in (found.pool or (), found.held_out):
            Answers(similar, algo.get("max_tokens")).kept(items, parts["report"])
