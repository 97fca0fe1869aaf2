"""Training and held-out examples of a reward model, from the feedback pipeline."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any

from crucible.errors import UserError
from crucible.feedback import pipeline
from crucible.feedback.annotators import default_annotators
from crucible.feedback.consensus import Consensus
from crucible.feedback.extract import RuleExtractor
from crucible.feedback.pipeline import Outcome
from crucible.feedback.records import FeedbackTask, Response
from crucible.feedback.responses import SAMPLES_PER_PROMPT, Generate, collect
from crucible.feedback.truth import named, refuse_unknown
from crucible.modules.rm_recipe import RewardModelRecipe
from crucible.types import Prompt

TASK_METHODS = ("principles", "paraphrases", "fulfils", "demonstrate", "corrupt")


@dataclass(slots=True)
class Example:
    """One response with the principles it was judged by (2509.21319: one triple each) and their labels."""

    prompt: Prompt
    text: str
    source: str
    principles: list[str] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Examples:
    train: list[Example]
    held_out: list[Example]
    training: Outcome
    held_out_outcome: Outcome


def make(task: Any, recipe: RewardModelRecipe, generate: Generate | None, report: Callable[[str], None]) -> Examples:
    """Responses to training prompts for training, to the task's evaluation prompts for measuring.

    The task keeps the two apart by a hash of the problem. Errors: UserError for a task whose principles
    no program can check.
    """
    refuse_uncheckable(task)
    check: FeedbackTask = task
    seed = recipe.seed

    def responses(prompts: Iterator[Prompt], sampled: Iterator[Prompt], count: int, seed: int) -> list[Response]:
        return collect(
            task, prompts, count, generate=generate, sampled_from=sampled, max_tokens=recipe.max_tokens, seed=seed,
            demonstration_share=recipe.demonstration_share, sample_share=recipe.sample_share,
        )  # fmt: skip

    def judged(found: list[Response], part: int, report: Callable[[str], None]) -> tuple[list[Example], Outcome]:
        outcome = pipeline.run(
            check,
            found,
            annotators=default_annotators(recipe.error_rates),
            extractor=RuleExtractor(
                task=check, seed=seed + part, own_words_rate=recipe.own_words_rate, reword_rate=recipe.reword_rate,
                fabrication_rate=recipe.fabrication_rate,
            ),
            consensus=Consensus(embedder=recipe.embedder, tau=recipe.tau),
            evidence_threshold=recipe.evidence_threshold,
            seed=seed + part,
            report=report,
        )  # fmt: skip
        return examples_of(found, outcome), outcome

    written = repeated(task.train_prompts(random.Random(f"reward model {seed}")), recipe, sampled=generate is not None)
    sampled = task.train_prompts(random.Random(f"reward model samples {seed}"))
    found = responses(written, sampled, recipe.responses, 2 * seed)
    train, outcome = judged(found, 0, report)
    if recipe.principle is not None:
        outcome = only(check, recipe.principle, outcome)
        train = examples_of(found, outcome)
        report(f"reward model: {len(outcome.triples):,} of these triples are about {recipe.principle!r}")
    shown = list(task.eval_prompts())
    held, held_outcome = judged(
        responses(cycle(shown), cycle(shown), recipe.held_out_responses, 2 * seed + 1), 1, lambda line: None
    )
    return Examples(train, held, outcome, held_outcome)


def only(task: FeedbackTask, principle: str, outcome: Outcome) -> Outcome:
    """The triples about one principle, in one wording. Errors: UserError for a principle that is none of the task's."""
    refuse_unknown(task, principle)
    known = named(task)
    about = [replace(t, principle=principle) for t in outcome.triples if known.get(t.principle) == principle]
    kept = {(t.prompt.id, t.response, t.source): t for t in reversed(about)}
    return replace(outcome, triples=list(kept.values())[::-1], counts={**outcome.counts, "about one": len(kept)})


def repeated(prompts: Iterator[Prompt], recipe: RewardModelRecipe, *, sampled: bool) -> Iterator[Prompt]:
    """The prompts of responses written by program, in rounds, so that each gets `responses_per_prompt` of them."""
    if recipe.responses_per_prompt == 1:
        return prompts
    samples = round(recipe.responses * recipe.sample_share / SAMPLES_PER_PROMPT) * SAMPLES_PER_PROMPT if sampled else 0
    return cycle(list(islice(prompts, math.ceil((recipe.responses - samples) / recipe.responses_per_prompt))))


def refuse_uncheckable(task: Any) -> None:
    """Errors: UserError for a task that feedback cannot be made for."""
    missing = [name for name in TASK_METHODS if not hasattr(task, name)]
    if missing:
        raise UserError(
            f"data={task.name} cannot be used to train a principle reward model: it has no {missing[0]}(); "
            "use data=chain, recipe.triples, or reward.checkpoint"
        )


def examples_of(responses: Sequence[Response], outcome: Outcome) -> list[Example]:
    """One example for each distinct response, also for those no triple is about."""
    by_response: dict[tuple[str, str, str], Example] = {}
    for r in responses:
        by_response.setdefault((r.prompt.id, r.text, r.source), Example(r.prompt, r.text, r.source))
    for t in outcome.triples:
        example = by_response[t.prompt.id, t.response, t.source]
        if t.principle not in example.principles:
            example.principles.append(t.principle)
            example.labels.append(t.fulfilled)
    return list(by_response.values())


def batches(lengths: Sequence[int], size: int, epoch: int, seed: int) -> list[list[int]]:
    """Row numbers of every batch of an epoch, in random order; rows of like length are together.

    Sorting within stretches of 16 batches saves most of the padding. The last, incomplete batch is left out.
    """
    rng = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    order = order[: len(order) // size * size]
    out: list[list[int]] = []
    for start in range(0, len(order), 16 * size):
        stretch = sorted(order[start : start + 16 * size], key=lambda i: lengths[i])
        out += [stretch[i : i + size] for i in range(0, len(stretch), size)]
    rng.shuffle(out)
    return out
