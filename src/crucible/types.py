"""The nouns of Crucible. Each stage of a training step takes one of these and returns the next:

    Prompt -> Rollouts -> Scores -> Advantages -> PolicyLoss -> optimiser step -> metrics

Shapes: N rows = prompts x samples per prompt; T completion tokens; Tp prompt tokens.
Tensors are float32 unless said otherwise. `mask` is 1.0 where a completion token counts
(the end-of-sequence token counts; padding does not).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:  # the nouns are named in configs and tests that must not load torch
    import random

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Prompt:
    """One problem. `id` is a hash of the content: equal problems have equal ids in every split.

    Either `text` (given to the model as it is) or `messages` (a chat, rendered by the model's
    chat template). `reference` holds what checkers need, e.g. {"answer": "11"}.
    """

    id: str
    text: str = ""
    messages: tuple[Mapping[str, str], ...] = ()
    reference: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    difficulty: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer as a reward sees it. `finish_reason` is "stop" or "length" (cut off)."""

    text: str
    tokens: int
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One worked answer to learn from. `weight` multiplies the loss of its tokens, and counts in no denominator."""

    prompt: Prompt
    completion: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers to one prompt, the better one first. `margin`: by how much, where the data say so; 0 is a tie."""

    prompt: Prompt
    chosen: str
    rejected: str
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer and whether it is a good one."""

    prompt: Prompt
    completion: str
    desirable: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer and the number somebody gave it."""

    prompt: Prompt
    completion: str
    score: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. temperature 0 is greedy. `seed` makes the draw reproducible.

    `first_row` is the number of the first row in the whole batch, where an engine samples a part of one.
    """

    max_tokens: int
    temperature: float = 1.0
    seed: int = 0
    first_row: int = 0


@dataclass(slots=True)
class Rollouts:
    """Sampled completions. Rows of one prompt are adjacent and share a `group` number."""

    prompt_ids: Tensor  # (N, Tp) int64, left-padded
    prompt_mask: Tensor  # (N, Tp) int64, 1 on real tokens
    completion_ids: Tensor  # (N, T) int64, right-padded
    mask: Tensor  # (N, T)
    sampling_logps: Tensor  # (N, T) log-prob of each token at the sampling temperature; 0 on padding
    group: Tensor  # (N,) int64
    policy_version: Tensor  # (N,) int64, optimiser steps taken when the row was sampled
    prompts: list[Prompt]  # N, one a row
    texts: list[str]  # N, special tokens removed
    finish_reason: list[str]  # N, "stop" or "length"
    temperature: float = 1.0

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def lengths(self) -> Tensor:
        """(N,) completion tokens of each row."""
        return self.mask.sum(-1)

    @property
    def width(self) -> int:
        """Tokens of a padded row: Tp + T."""
        return self.prompt_ids.shape[1] + self.completion_ids.shape[1]

    def completions(self) -> list[Completion]:
        lengths = self.lengths.tolist()
        return [
            Completion(text, int(n), reason)
            for text, n, reason in zip(self.texts, lengths, self.finish_reason, strict=True)
        ]

    def rows(self, index: Tensor) -> Rollouts:
        """The rows in `index` (K,) int64, in that order."""
        at = index.tolist()
        return replace(
            self,
            prompt_ids=self.prompt_ids[index],
            prompt_mask=self.prompt_mask[index],
            completion_ids=self.completion_ids[index],
            mask=self.mask[index],
            sampling_logps=self.sampling_logps[index],
            group=self.group[index],
            policy_version=self.policy_version[index],
            prompts=[self.prompts[i] for i in at],
            texts=[self.texts[i] for i in at],
            finish_reason=[self.finish_reason[i] for i in at],
        )

    def to(self, device: Any) -> Rollouts:
        """The same with every tensor on `device`."""
        return replace(
            self,
            prompt_ids=self.prompt_ids.to(device),
            prompt_mask=self.prompt_mask.to(device),
            completion_ids=self.completion_ids.to(device),
            mask=self.mask.to(device),
            sampling_logps=self.sampling_logps.to(device),
            group=self.group.to(device),
            policy_version=self.policy_version.to(device),
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What a reward may look at beside prompts and texts."""

    group: Tensor  # (N,) int64, the prompt's number: rows of one prompt share it
    step: int = 0  # rollout steps begun; 0 in the evaluation before training
    progress: float = 0.0  # share of the run's steps that are done, from 0 to 1
    training: bool = True  # False in evaluations
    rollouts: Rollouts | None = None  # the tokens behind the texts; None for texts that no policy of this run sampled

    @classmethod
    def of(cls, rollouts: Rollouts, **rest: Any) -> Context:
        return cls(group=rollouts.group, rollouts=rollouts, **rest)


@dataclass(slots=True)
class Answers:
    """Reference answers in place of the sampled ones, from a reward that asks how likely the policy finds them.

    `rows` are the sampled rows in their order: prompt and reasoning as the prompt, the reference answer as the
    completion, `sampling_logps` its log-probs when the reward was computed; mask 0 on rows that have none.
    """

    rows: Rollouts
    reasoning: Tensor  # (N, T) 1.0 on the sampled tokens before the answer; on all tokens of a row without an answer

    def over(self, index: Tensor, sampled: Rollouts) -> Answers:
        """Laid out over all rows of `sampled`, of which these are the rows `index` (K,) int64; the others have none."""
        import torch

        place = torch.zeros(len(sampled), dtype=torch.int64).index_put((index,), torch.arange(len(index)))
        asked = torch.zeros(len(sampled), dtype=torch.bool).index_fill(0, index, True).unsqueeze(-1)
        rows = self.rows.rows(place)
        return Answers(
            replace(rows, mask=rows.mask * asked, group=sampled.group),
            torch.where(asked, self.reasoning[place], sampled.mask),
        )


OUTCOMES = ("value", "abstain", "timeout", "error")


@dataclass(slots=True)
class Outcomes:
    """How each call of a reward ended. Only a value is a number: the other three are never taken for a 0."""

    kinds: Tensor  # (N,) int8, places in OUTCOMES
    seconds: Tensor  # (N,) wall-clock time of each call
    problem: str = ""  # the first time-out or error in words

    def share(self, kind: str) -> float:
        return (self.kinds == OUTCOMES.index(kind)).float().mean().item()


@dataclass(slots=True)
class Scores:
    """Rewards. `valid` (N,) bool is False where no reward could be computed: such rows train nothing.

    `total` is 0 on such rows, a component NaN where it has no value.
    `verdict` (N,) bool is the reward's own yes or no, for rewards that have one beside their number.
    `per_token`, where given, is the same reward token by token: its sum over the counted tokens is `total`.
    """

    total: Tensor  # (N,)
    components: dict[str, Tensor] = field(default_factory=dict)  # each (N,), logged as reward/<name>
    per_token: Tensor | None = None  # (N, T)
    valid: Tensor | None = None  # (N,) bool
    verdict: Tensor | None = None  # (N,) bool
    outcomes: dict[str, Outcomes] = field(default_factory=dict)  # by component, of those whose calls can fail
    answers: Answers | None = None  # what an auxiliary loss on the reference answers learns from


@dataclass(slots=True)
class Advantages:
    """Per-token advantages. Rows with `keep` False are left out of the update altogether.

    `returns` is what a critic learns to predict, given by the advantages that use one.
    """

    values: Tensor  # (N, T)
    keep: Tensor | None = None  # (N,) bool
    diagnostics: dict[str, float] = field(default_factory=dict)
    returns: Tensor | None = None  # (N, T)


@dataclass(slots=True)
class PolicyLoss:
    """A policy objective before aggregation. Diagnostics are (N, T) and are averaged over tokens."""

    per_token: Tensor  # (N, T), to be minimised
    diagnostics: dict[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class PreferenceLoss:
    """A preference objective before its mean over the pairs, or the single answers, of a step.

    Diagnostics are detached and averaged over them. Of a pair: `chosen_reward` and `rejected_reward`, the implicit
    rewards by which the loss compares the two; of a single answer: `reward`.
    """

    per_item: Tensor  # (P,) pairs or (K,) answers, to be minimised
    diagnostics: dict[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class Correction:
    """Weights on the per-token policy loss for off-policy data. Diagnostics are averaged over tokens.

    Denominators do not change: a token of weight 0 still counts where the loss is averaged.
    """

    weights: Tensor  # (N, T), detached
    diagnostics: dict[str, Tensor] = field(default_factory=dict)  # each (N, T)


@dataclass(frozen=True, slots=True)
class Totals:
    """The denominators of one optimiser step, over ALL its micro-batches and ranks.

    Aggregation divides by these and never by what happens to be in a micro-batch, so splitting a
    batch does not change the gradient.
    """

    tokens: float
    rows: float
    max_completion_tokens: int


@runtime_checkable
class Task(Protocol):
    """A data set that can check answers. Train and evaluation prompts never share an id."""

    name: str

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Training prompts for ever, in an order that depends on `rng` alone."""
        ...

    def eval_prompts(self) -> Sequence[Prompt]:
        """The held-out prompts, the same at every call."""
        ...

    def correct(self, prompt: Prompt, completion: str) -> bool:
        """True success, by program. Never raises, whatever the text."""
        ...


class Demonstrates(Protocol):
    """A task that can also write worked answers (for the warm-up of a model trained from scratch, and `algo=sft`)."""

    def warmup_prompts(self, rng: random.Random) -> Iterator[Prompt]: ...

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str: ...


@runtime_checkable
class AsksFurther(Protocol):
    """A task that an evaluation asks more than its held-out prompts."""

    def further_prompts(self) -> Sequence[Prompt]:
        """One answer to each is sampled; may be none."""
        ...

    def further_measures(self, scores: Scores) -> Mapping[str, float]:
        """Metrics, of the reward's scores of those answers."""
        ...


@runtime_checkable
class Demonstrated(Protocol):
    """A data set of worked answers."""

    def demonstrations(self) -> Sequence[Demonstration]: ...


@runtime_checkable
class Preferred(Protocol):
    """A data set of pairs of answers, of which one is better."""

    def preferences(self) -> Sequence[Preference]: ...


@runtime_checkable
class Judged(Protocol):
    """A data set of single answers called good or bad."""

    def labelled(self) -> Sequence[Labelled]: ...


class Principled(Protocol):
    """A task that can check written principles, e.g. "every step is right", by program."""

    def principles(self) -> Sequence[str]: ...

    def fulfils(self, prompt: Prompt, completion: str, principle: str) -> bool: ...


class Reward(Protocol):
    """Scores completions. `needs` names the keys of `Prompt.reference` it reads."""

    needs: tuple[str, ...]

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores: ...


class RolloutEngine(Protocol):
    def generate(self, prompts: Sequence[Prompt], samples_per_prompt: int, sampling: Sampling) -> Rollouts: ...

    def sync(self, policy_version: int) -> None: ...

    def behind(self) -> AbstractContextManager[int]:
        """While it lasts, `generate` samples training data, with whatever lag; gives the policy version it uses."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Sampler(Protocol):
    """Chooses the training prompts. State survives a checkpoint."""

    def draw(self, n: int) -> list[Prompt]: ...

    def observe(self, prompts: Sequence[Prompt], scores: Scores) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...
