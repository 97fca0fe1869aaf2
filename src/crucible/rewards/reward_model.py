"""`reward=reward_model`: the score of a scalar reward model, one number for (prompt, response)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from crucible.ahead import looks_ahead
from crucible.errors import UserError
from crucible.rewards.rlbff import refuse_other_task, short_names
from crucible.types import Completion, Context, Prompt, Scores

if TYPE_CHECKING:
    from torch import Tensor

    from crucible.modules.rm_recipe import RewardModelRecipe
    from crucible.modules.rm_scalar import Scorer


class ScalarReward:
    """The total is the model's score, within +-`clip` where that is given. There is no verdict: a Bradley-Terry score
    has no zero that means anything. `true/<short name>`: what the answer fulfils by program, of every principle the
    task knows; the truth never enters the total."""

    needs: tuple[str, ...] = ()

    def __init__(self, *, scorer: Scorer, task: Any, clip: float | None) -> None:
        self.scorer, self.task, self.clip = scorer, task, clip
        known = task.principles() if hasattr(task, "principles") else ()
        self.names = short_names(list(known))
        if self.names:  # what evaluations log, where the task has principles
            self.fulfilment = self.truth

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        total = self.scorer.score(prompts, [c.text for c in completions])
        if self.clip is not None:
            total = total.clamp(-self.clip, self.clip)
        return Scores(total=total, components=self.truth(prompts, completions))

    def truth(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> dict[str, Tensor]:
        """(N,) 0.0 or 1.0 each."""
        import torch

        rows = list(zip(prompts, completions, strict=True))
        return {
            f"true/{name}": torch.tensor([float(self.task.fulfils(p, c.text, principle)) for p, c in rows])
            for principle, name in self.names.items()
        }


def refuse(
    *,
    task: Any,
    checkpoint: str | None,
    kind: str,
    form: str,
    centre: float | None,
    clip: float | None,
    recipe: RewardModelRecipe,
    parts: Any,
) -> None:
    """What can be told of the options before any model is made. Errors: UserError."""
    refuse_options(kind, clip)
    if checkpoint is None:
        from crucible.algorithms.reward_models.bradley_terry import check_form
        from crucible.modules.reward_model import refuse_recipe
        from crucible.modules.rm_data import TASK_METHODS
        from crucible.modules.rm_triples import refuse_scalar

        refuse_scalar(recipe)
        check_form(form, centre)
        if lacking := [name for name in TASK_METHODS if not hasattr(task, name)]:
            raise UserError(
                f"reward.checkpoint=null: data={task.name} has no {lacking[0]}(), so reward.recipe can make no reward "
                "model of it; give reward.checkpoint, or use data=chain"
            )
        refuse_recipe(task=task, recipe=recipe, parts=parts)
        return
    from crucible.modules.rm_scalar import read_card

    refuse_other_task(task, checkpoint, read_card(Path(checkpoint)))


def refuse_options(kind: str, clip: float | None) -> None:
    """Errors: UserError for values without a meaning."""
    if kind not in ("bradley_terry", "regression"):
        raise UserError(f"reward.kind={kind}: it must be bradley_terry or regression")
    if clip is not None and not clip > 0:
        raise UserError(f"reward.clip={clip}: it must be above 0, or null")


@looks_ahead(refuse)
def reward_model(
    *,
    task: Any,
    policy: Any,
    cache_dir: str | Path,
    report: Callable[[str], None],
    recipe: RewardModelRecipe,
    checkpoint: str | None = None,
    kind: Literal["bradley_terry", "regression"] = "bradley_terry",
    form: Literal["plain", "scaled", "margin"] = "plain",
    centre: Annotated[float, ">= 0"] | None = None,
    clip: Annotated[float, "> 0"] | None = None,
    journal: Any = None,
) -> ScalarReward:
    """r(prompt, response): the one logit of a sequence classifier, where its own class reads it.

    2509.21319's control: the same policy learning from a Bradley-Terry reward model of the same data as the
    principle-conditioned one. `checkpoint`: a folder of algo=rm_bradley_terry or rm_regression, or any
    AutoModelForSequenceClassification with one label; a chat is what its template makes of the whole conversation.
    Null: the model of `recipe`, by `kind` (with `form` and `centre`), trained and cached first where it is not there.

    Errors: UserError for a checkpoint that is missing, of another task, or no such model, before any model is made.
    """
    from crucible.modules.rm_scalar import Scorer

    refuse_options(kind, clip)
    if checkpoint is not None:
        scorer = Scorer.load(checkpoint)
        refuse_other_task(task, checkpoint, scorer.notes)
        report(f"reward model from {checkpoint}")
    else:
        from crucible.modules.rm_cached import trained_scorer

        scorer = trained_scorer(
            task=task, policy=policy, cache_dir=cache_dir, recipe=recipe, report=report, kind=kind, form=form,
            centre=centre,
        )  # fmt: skip
    held_out: Mapping[str, float] = scorer.notes.get("held_out", {})
    if journal is not None and held_out:
        from crucible.modules.rm_learner import held_out_row

        journal.row({"kind": "reward_model", "step": 0, **held_out_row(dict(held_out))})
    return ScalarReward(scorer=scorer, task=task, clip=clip)
