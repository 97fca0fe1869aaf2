"""What every reward is: a batch of (prompt, completion) and its context in, Scores out."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crucible.errors import UserError
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.rewards.runtime.worker import called
from crucible.types import Completion, Context, Prompt, Scores

if TYPE_CHECKING:
    from torch import Tensor

    from crucible.rewards.runtime.runtime import Runtime


class RewardError(UserError):
    """A reward that broke its contract. The run stops: a broken reward is not a zero."""


class PerSample:
    """A batch reward made of a function of one (prompt, completion). See `per_sample`."""

    def __init__(
        self,
        function: Callable[..., float | None],
        needs: tuple[str, ...],
        options: dict[str, Any],
        runtime: Runtime | None,
        timeout: float | None,
    ):
        self.function, self.needs, self.options = function, needs, options
        self.runtime, self.timeout = runtime, timeout
        self.name = function.__name__

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        return scores_of(self.name, self.outcomes(prompts, completions))

    def outcomes(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> list[Outcome]:
        """How each call ended: in the workers of the runtime, or here where there is none."""
        items = list(zip(prompts, completions, strict=True))
        if self.runtime is not None:
            where = f"{self.function.__module__}:{self.function.__qualname__}"
            return self.runtime.call(where, self.options, items, timeout=self.timeout)
        found = []
        for item in items:
            kind, value, problem, seconds = called(self.function, item, self.options)
            if kind == "refuse":
                raise UserError(problem)
            found.append(Outcome(kind, math.nan if value is None else value, problem, seconds))
        return found


def per_sample(
    *, needs: Sequence[str] = (), inline: bool = False, check: Callable[..., None] | None = None
) -> Callable[[Callable[..., float | None]], Callable[..., PerSample]]:
    """Turn `f(prompt, completion, *, options) -> float | None` into a reward built from its options.

    None is an abstention: there is no verdict. An exception is an error, not a 0; a UserError stops the run.
    `needs` names the keys of `Prompt.reference` that `f` reads, so that a data set without them is refused before
    training. The function is called in the workers of the run's `reward_runtime`; `inline`: in the program itself, for
    what is as cheap as counting and cannot hang. `check(**options)` raises UserError for options that make no sense,
    when the reward is built. An option `timeout` is the time one answer may take, instead of the runtime's. Without a
    runtime (in a notebook) every function is called in the program. The undecorated function stays at `.__wrapped__`.
    """

    def decorate(function: Callable[..., float | None]) -> Callable[..., PerSample]:
        known = inspect.signature(function)
        own_timeout = "timeout" in known.parameters

        @functools.wraps(function)
        def build(*, reward_runtime: Runtime | None = None, **options: Any) -> PerSample:
            known.bind(None, None, **options)  # a wrong option is a TypeError here, not an error of every call
            if check is not None:
                check(**options)
            timeout = options.get("timeout", known.parameters["timeout"].default) if own_timeout else None
            return PerSample(function, tuple(needs), options, None if inline else reward_runtime, timeout)

        runtime = inspect.Parameter("reward_runtime", inspect.Parameter.KEYWORD_ONLY, default=None)
        build.__signature__ = known.replace(parameters=[*known.parameters.values(), runtime])  # type: ignore[attr-defined]
        return build

    return decorate


class Combined:
    """A reward made of named rewards. Subclasses say what the total is; every part is logged under its own name."""

    def __init__(self, parts: dict[str, Any]):
        self.parts = parts
        self.needs = tuple(dict.fromkeys(key for part in parts.values() for key in part.needs))
        if any(hasattr(part, "fulfilment") for part in parts.values()):  # what is true where a part can tell
            self.fulfilment = self._fulfilment
        if any(hasattr(part, "state_dict") for part in parts.values()):  # what a checkpoint keeps of the parts
            self.state_dict, self.load_state_dict = self._state_dict, self._load_state_dict

    def score_parts(
        self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context
    ) -> tuple[dict[str, Scores], Scores]:
        """The scores of each part, and Scores that hold what all of them log (its total is still 0)."""
        found = {
            name: checked(name, part(prompts, completions, context), len(prompts)) for name, part in self.parts.items()
        }
        return found, put_together(found, len(prompts))

    def _fulfilment(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> dict[str, Tensor]:
        known = [part.fulfilment(prompts, completions) for part in self.parts.values() if hasattr(part, "fulfilment")]
        return {name: values for found in known for name, values in found.items()}

    def _state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items() if hasattr(part, "state_dict")}

    def _load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, part in self.parts.items():
            if hasattr(part, "load_state_dict"):
                part.load_state_dict(state[name])


def put_together(found: Mapping[str, Scores], rows: int) -> Scores:
    """Scores that hold what all parts log, each under its name; the total is still 0.

    Errors: UserError where two parts bring reference answers for an auxiliary loss.
    """
    import torch

    together = Scores(total=torch.zeros(rows))
    for name, scores in found.items():
        together.components |= logged(name, scores)
        together.outcomes |= {below(name, child): o for child, o in scores.outcomes.items()}
        if scores.answers is not None and together.answers is not None:
            raise UserError(f"reward: two parts put the reference answer behind the reasoning, the second is {name}")
        together.answers = together.answers or scores.answers
    return together


def logged(name: str, scores: Scores) -> dict[str, Any]:
    """The components a part called `name` brings along: its total (NaN where invalid), then those of its own parts."""
    import torch

    known = valid(scores)
    own = {name: torch.where(known, scores.total, math.nan)}
    return own | {below(name, child): values for child, values in scores.components.items() if child != name}


def below(name: str, child: str) -> str:
    """The name of a part's own component. A word like true/ at its beginning stays there."""
    if child == name:
        return name
    first, slash, rest = child.partition("/")
    return f"true/{name}/{rest}" if slash and first == "true" else f"{name}/{child}"


def valid(scores: Scores) -> Any:
    """(N,) bool, True where there is a reward."""
    import torch

    return torch.ones_like(scores.total, dtype=torch.bool) if scores.valid is None else scores.valid


def checked(reward_name: str, scores: Scores, rows: int) -> Scores:
    """The scores, if they keep the contract: one finite number for each valid row."""
    for name, values in {"total": scores.total, **scores.components}.items():
        if tuple(values.shape) != (rows,):
            raise RewardError(
                f"reward {reward_name}: {name} has shape {tuple(values.shape)} for {rows} completions; "
                f"a reward returns one number for each completion"
            )
    valid = scores.valid.tolist() if scores.valid is not None else [True] * rows
    bad = [i for i, (v, ok) in enumerate(zip(scores.total.tolist(), valid, strict=True)) if ok and not math.isfinite(v)]
    if bad:
        raise RewardError(
            f"reward {reward_name}: {len(bad)} of {rows} values are NaN or infinite (first at row {bad[0]}); "
            f"mark rows that have no reward with Scores.valid = False"
        )
    return scores
