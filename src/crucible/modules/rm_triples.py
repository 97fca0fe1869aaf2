"""A principle-conditioned reward model from triples of a file: HelpSteer3's, or a pipeline's triples.jsonl."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from crucible.data.split import split_of
from crucible.errors import UserError
from crucible.feedback.pipeline import Outcome
from crucible.feedback.records import Response, Triple

if TYPE_CHECKING:
    from crucible.modules.rm_data import Example, Examples
    from crucible.modules.rm_recipe import RewardModelRecipe
    from crucible.modules.rm_scorer import Judge

HELD_OUT = 0.05  # of the prompts, by a hash: HelpSteer3's other configurations are 95 to 5


def refuse(recipe: RewardModelRecipe) -> None:
    """Errors: UserError for options that need a task which writes answers, and for a file that is not there."""
    from crucible.errors import expanded

    if recipe.proofread_updates:
        raise UserError(
            f"recipe.triples={recipe.triples}: the proofreader learns from worked answers, which triples are not; "
            "set recipe.proofread_updates=0"
        )
    if recipe.principle is not None:
        raise UserError("recipe.principle is for feedback made here; choose the rows of recipe.triples beforehand")
    path = str(recipe.triples)
    if (path.endswith((".jsonl", ".gz", ".json")) or "/" not in path) and not expanded(path).exists():
        raise UserError(f"recipe.triples={path}: no such file; python -m crucible.feedback writes triples.jsonl")


def refuse_scalar(recipe: RewardModelRecipe) -> None:
    """Errors: UserError where a model without principles is to learn from triples of a file."""
    if recipe.triples is not None:
        raise UserError(
            f"recipe.triples={recipe.triples} is for algo=rm_principle; python -m crucible.feedback makes pairs.jsonl "
            "of triples, which algo=rm_bradley_terry algo.recipe=null learns from"
        )


def examples(recipe: RewardModelRecipe, fits: Callable[[Example], bool], report: Callable[[str], None]) -> Examples:
    """Each response once, with all its triples; a share of the prompts is held out. Those too long for the model are
    left out and counted. Errors: UserError for unreadable rows, and where nothing is left on one side."""
    from crucible.modules.rm_data import Examples, examples_of

    triples = read(str(recipe.triples))
    sides: dict[str, list[Triple]] = {"train": [], "eval": []}
    for triple in triples:
        sides[split_of(triple.prompt.id, HELD_OUT)].append(triple)
    made, outcomes = [], []
    for own in (sides["train"], sides["eval"]):
        outcome = Outcome(own, {"triples": len(own)})
        every = examples_of([Response(t.prompt, t.response, t.source) for t in own], outcome)
        kept = [e for e in every if fits(e)]
        if len(kept) < len(every):
            report(f"reward model: {len(every) - len(kept):,} of {len(every):,} responses are too long, and left out")
        made.append(kept)
        outcomes.append(outcome)
    for side, kept in zip(("to train on", "held out"), made, strict=True):
        if not kept:
            raise UserError(f"recipe.triples={recipe.triples}: no response is left {side}; give more triples")
    counts = f"{len(made[0]):,} responses to train on, {len(made[1]):,} held out"
    report(f"reward model: {counts}, of {len(triples):,} triples")
    return Examples(made[0], made[1], outcomes[0], outcomes[1])


def read(path: str) -> list[Triple]:
    """Errors: UserError that names file and line."""
    from crucible.feedback.corpus.formats import read_triples

    try:
        name, _, config = path.partition("#")  # OWNER/NAME#config: a data set on the Hub, or a folder of one
        return read_triples(name, config or None)
    except UserError as error:
        raise UserError(f"recipe.triples: {error}") from None


def measure(judge: Judge, examples: Sequence[Example]) -> dict[str, float]:
    """Against the labels of the file, all principles together: nothing here knows what is true.

    `rm/accuracy_consensus`: r > 0 is the label; `rm/accuracy_balanced`: mean of that on Yes and on No; `rm/auc`: (Yes,
    No) pairs in order; `rm/yes_rate`: share of Yes among the labels.
    """
    import torch

    from crucible.modules.rm_metrics import auc, balanced

    each = judge.score_each([e.prompt for e in examples], [e.text for e in examples], [e.principles for e in examples])
    r, labels = torch.cat(each), torch.tensor([label for e in examples for label in e.labels])
    right = (r > 0) == labels
    found = {
        "rm/accuracy_consensus": right.float().mean().item(), "rm/accuracy_balanced": balanced(right, labels),
        "rm/auc": auc(r, labels), "rm/yes_rate": labels.float().mean().item(),
    }  # fmt: skip
    return {name: value for name, value in found.items() if not math.isnan(value)}


def table(measured: dict[str, float]) -> str:
    return "\n".join(f"  {name:<24}{value:.3f}" for name, value in measured.items())
