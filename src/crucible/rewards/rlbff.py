"""`reward=rlbff`: the log-odds that a response fulfils written principles, by a reward model."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from crucible.ahead import looks_ahead
from crucible.errors import UserError, nearest
from crucible.types import Completion, Context, Prompt, Scores

if TYPE_CHECKING:
    from torch import Tensor

    from crucible.modules.rm_recipe import RewardModelRecipe
    from crucible.modules.rm_scorer import Judge

Combine = Literal["mean", "min", "weighted", "none"]
ONE_PRINCIPLE = "accuracy of information"  # of combine=none: the fixed principle of the paper's ablation
RELIABLE = 0.9  # balanced held-out accuracy below which a principle's reward is warned of (ours)


class RLBFF:
    """r(x, y, p) = log P(Yes) - log P(No) of every principle p; the total is their mean, minimum or weighted mean.

    Source: 2509.21319 (score at the answer position; r clipped to +-`clip`, 50 on each side in the released
    code). Components: one for each principle, logged as reward/<short name>, and `true/<short name>`, its
    fulfilment by program, for principles the task knows; the truth never enters the total.
    The policy never sees the principles. Differs from the paper: there one principle belongs to each
    prompt; here the same ones are asked of every prompt.
    """

    needs: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        judge: Judge,
        task: Any,
        principles: Sequence[str],
        combine: Combine,
        clip: float,
        yes_above: float = 0.0,
        weights: Sequence[float] | None = None,
    ) -> None:
        self.yes_above, self.weights = yes_above, weights
        self.judge, self.task, self.principles, self.combine, self.clip = judge, task, tuple(principles), combine, clip
        self.names = short_names(self.principles)
        known = set(task.principles()) if hasattr(task, "principles") else set()
        self.known = [p for p in self.principles if p in known]
        for principle in self.principles:  # too long for the model: refused before any rollout
            judge.asker.question(principle)

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        texts = [c.text for c in completions]
        r = self.judge.score(prompts, texts, self.principles).clamp(-self.clip, self.clip)
        total = combined(r, self.combine, self.weights)
        components = {self.names[p]: r[:, i] for i, p in enumerate(self.principles)}
        truth = self.truth(prompts, completions)
        components |= {f"true/{self.names[p]}": values for p, values in truth.items()}
        return Scores(total=total.to(torch.float32), components=components, verdict=total > self.yes_above)

    def fulfilment(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> dict[str, Tensor]:
        """`true/<short name>` of every principle the task knows, and `yes/<short name>` of every principle: r > 0."""
        r = self.judge.score(prompts, [c.text for c in completions], self.principles)
        said = {f"yes/{self.names[p]}": (r[:, i] > 0).float() for i, p in enumerate(self.principles)}
        return said | {f"true/{self.names[p]}": values for p, values in self.truth(prompts, completions).items()}

    def truth(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> dict[str, Tensor]:
        """Fulfilment by program, (N,) 0.0 or 1.0, of every principle the task knows."""
        import torch

        return {
            principle: torch.tensor(
                [float(self.task.fulfils(p, c.text, principle)) for p, c in zip(prompts, completions, strict=True)]
            )
            for principle in self.known
        }


def combined(r: Tensor, combine: Combine, weights: Sequence[float] | None = None) -> Tensor:
    """(N,) of (N, P): mean; min; weighted: sum of w r / sum of w; none: of the one principle that is asked."""
    if combine == "weighted":
        import torch

        w = torch.tensor(weights, dtype=r.dtype, device=r.device)
        return (r * w).sum(1) / w.sum()
    return r.amin(1) if combine == "min" else r.mean(1) if combine == "mean" else r[:, 0]


def refuse(
    *,
    task: Any,
    principles: Sequence[str],
    combine: str,
    weights: Sequence[float] | None,
    checkpoint: str | None,
    clip: float,
    yes_above: float,
    recipe: RewardModelRecipe,
    parts: Any,
) -> None:
    """What can be told of the options before any model is made. Errors: UserError."""
    chosen = chosen_principles(principles, combine)
    refuse_numbers(combine, clip)
    refuse_weights(combine, weights, chosen)
    if not yes_above < clip:
        raise UserError(f"reward.yes_above={yes_above}: it must be below reward.clip={clip}, which no total exceeds")
    if checkpoint is None:
        from crucible.modules.reward_model import refuse_recipe

        refuse_recipe(task=task, recipe=recipe, parts=parts)
        if combine == "none":
            raise UserError(
                f'reward.combine=none asks only "{ONE_PRINCIPLE}", which the reward model of reward.recipe does not '
                "learn; give reward.checkpoint"
            )
        refuse_unlearned(task, chosen)
        return
    from crucible.modules.rm_questions import question_ids
    from crucible.modules.rm_scorer import read_notes
    from crucible.policy.pretrained import load_tokenizer

    notes = read_notes(Path(checkpoint))
    refuse_scalar(checkpoint, notes)
    refuse_other_task(task, checkpoint, notes)
    tokenizer = load_tokenizer(checkpoint, where="reward.checkpoint")
    for principle in chosen:
        question_ids(tokenizer, tokenizer.model_max_length, principle)


def chosen_principles(principles: Sequence[str], combine: str = "mean") -> list[str]:
    """The principles with their white space tidied; of combine=none the paper's fixed one, whatever they are.

    Errors: UserError for none, an empty one and the same twice.
    """
    if combine == "none":
        return [ONE_PRINCIPLE]
    chosen = [" ".join(p.split()) for p in principles]
    if not chosen or not all(chosen) or len(set(chosen)) < len(chosen):
        raise UserError(f"reward.principles={list(principles)}: name one or more different principles")
    return chosen


def refuse_numbers(combine: str, clip: float) -> None:
    """Errors: UserError for values without a meaning."""
    if combine not in get_args(Combine):
        raise UserError(f"reward.combine={combine}: it must be mean or min, weighted or none")
    if not clip > 0:
        raise UserError(f"reward.clip={clip}: it must be above 0")


def refuse_weights(combine: str, weights: Sequence[float] | None, principles: Sequence[str]) -> None:
    """Errors: UserError for weights that do not belong to the principles, or to another way to combine them."""
    if combine != "weighted":
        if weights is not None:
            raise UserError(f"reward.weights={list(weights)} are for reward.combine=weighted, not {combine}")
        return
    if weights is None or len(weights) != len(principles):
        raise UserError(
            f"reward.weights={None if weights is None else list(weights)}: reward.combine=weighted needs one for each "
            f"of the {len(principles)} principles"
        )
    if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights) > 0:
        raise UserError(f"reward.weights={list(weights)}: each must be at least 0, and one above it")


def refuse_unlearned(task: Any, principles: Sequence[str]) -> None:
    """Errors: UserError for a principle that the recipe's own model never reads: its answer would be noise."""
    from crucible.feedback.extract import wordings

    known = {text: [*wordings(text), *task.paraphrases(text)] for text in task.principles()}
    for principle in principles:
        if principle not in {words for each in known.values() for words in each}:
            raise UserError(
                f'reward.principles: the reward model of reward.recipe does not learn "{principle}"'
                f"{nearest(principle, known)}; data={task.name} teaches: {'; '.join(known)}. For any other, give "
                "reward.checkpoint"
            )


def refuse_other_task(task: Any, checkpoint: str, notes: Mapping[str, Any]) -> None:
    """Errors: UserError for a reward model made for another task."""
    if hasattr(task, "principles") and notes.get("task", task.name) != task.name:
        raise UserError(
            f"reward.checkpoint={checkpoint}: this reward model was trained on data={notes['task']} and knows nothing "
            f"of data={task.name}; give one of data={task.name}, or null for reward.recipe"
        )


def refuse_scalar(checkpoint: str, notes: Mapping[str, Any]) -> None:
    """Errors: UserError for a model that gives a score and reads no principle."""
    if (kind := notes.get("kind", "principle")) != "principle":
        raise UserError(
            f"reward.checkpoint={checkpoint}: this reward model is one of algo=rm_{kind}, which reads no principles; "
            "use reward=reward_model"
        )


@looks_ahead(refuse)
def rlbff(
    *,
    task: Any,
    policy: Any,
    cache_dir: str | Path,
    report: Callable[[str], None],
    recipe: RewardModelRecipe,
    principles: list[str],
    combine: Combine = "mean",
    weights: list[float] | None = None,
    checkpoint: str | None = None,
    clip: Annotated[float, "> 0"] = 50.0,
    yes_above: float = 2.0,
    journal: Any = None,
) -> RLBFF:
    """The reward with the model in the folder `checkpoint`, or with the one of `recipe`, trained and cached
    first where it is not in the cache. How good the model was held out goes into the run's metrics.

    `yes_above` (ours): the verdict that the group filter looks at is Yes where the total is above it. A group with no
    confident Yes then trains nothing; otherwise the policy learns, on prompts it cannot do, what the judge is least
    sure about (seen: nonsense at r = +0.5 against honest errors at r = -2).

    `combine`: mean or min over the principles; weighted: sum of `weights` x r / sum of `weights`; none: `principles`
    are not used, every answer is asked the paper's fixed "accuracy of information" (its ablation: flexible training,
    one principle at test), for checkpoints that read free principles.

    Errors: UserError for no or repeated principles, one that the recipe does not teach or that is too long for the
    model, a missing checkpoint or one of another task; all but the length before any model is made.
    """
    from crucible.modules.rm_scorer import Judge

    chosen = chosen_principles(principles, combine)
    refuse_numbers(combine, clip)
    refuse_weights(combine, weights, chosen)
    if combine == "none":
        report(f'reward.combine=none: every answer is asked "{ONE_PRINCIPLE}"; reward.principles are not used')
    if hasattr(task, "principles"):
        warn_of_typos(chosen, list(task.principles()), report)
    if checkpoint is not None:
        judge = Judge.load(checkpoint)
        refuse_scalar(checkpoint, judge.notes)
        refuse_other_task(task, checkpoint, judge.notes)
        report(f"reward model from {checkpoint}")
    else:
        from crucible.modules.reward_model import trained_judge

        judge = trained_judge(task=task, policy=policy, cache_dir=cache_dir, recipe=recipe, report=report)
    for line in judge.explained():
        report(line)
    warn_of_weakness(judge.notes, chosen, report)
    if journal is not None and "held_out" in judge.notes:
        journal.row({"kind": "reward_model", "step": 0, **held_out_row(judge.notes["held_out"])})
    return RLBFF(
        judge=judge, task=task, principles=chosen, combine=combine, clip=clip, yes_above=yes_above, weights=weights
    )


def held_out_row(measured: Mapping[str, float]) -> dict[str, float]:
    """The accuracies by principle among the measures of a reward model, as a metrics row holds them."""
    kinds = ("accuracy_true/", "sampled/accuracy_true/", "sampled/auc_within/")
    return {n.removeprefix("rm/"): v for n, v in measured.items() if n.removeprefix("rm/").startswith(kinds)}


def warn_of_typos(principles: Sequence[str], known: Sequence[str], report: Callable[[str], None]) -> None:
    """Free text is allowed, but what a program cannot check is said, with the nearest known principle."""
    for principle in principles:
        if principle in known:
            continue
        near = difflib.get_close_matches(principle, known, n=1, cutoff=0.8)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        report(f'warning: no program can check the principle "{principle}"{hint}; its truth is not logged')


def warn_of_weakness(notes: Mapping[str, Any], principles: Sequence[str], report: Callable[[str], None]) -> None:
    """Says where the reward model was often wrong on held-out answers: a policy would learn its errors."""
    for principle in principles:
        accuracy = notes.get("held_out", {}).get(f"rm/accuracy_balanced/{principle}")
        if accuracy is not None and accuracy < RELIABLE:
            report(
                f'warning: on "{principle}" the reward model has a balanced held-out accuracy of {accuracy:.1%}; '
                "compare the reward with true/ in the metrics"
            )


_FILLERS = {"the", "is", "are", "it", "a", "an", "and", "than", "of", "in", "to", "every"}


def short_names(principles: Sequence[str]) -> dict[str, str]:
    """A metric name for each principle, from its own words: "the final answer is right" -> final_answer_right.

    At most four words; equal names get a hash of their text.
    """
    names: dict[str, str] = {}
    for principle in principles:
        words = ["".join(c for c in w if c.isalnum()) for w in principle.lower().split()]
        kept = [w for w in words if w and w not in _FILLERS] or [w for w in words if w]
        name = "_".join(kept[:4]) or "principle"
        if name in names.values():
            name += "_" + hashlib.blake2b(principle.encode(), digest_size=2).hexdigest()
        names[principle] = name
    return names
