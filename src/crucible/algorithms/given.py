"""What a method may ask for, by name. A method's leading parameters are names from here; its options are
keyword-only. A loss that needs the reference policy writes `reference_logps` and gets it.

Shapes: N rows of a rollout step, K rows of a micro-batch, T completion tokens, D width of the model. What costs
something (a pass of the model, a second model) is computed only where a part of the run names it.
The check before a run reads these names too, so nothing here imports torch.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from crucible.errors import UserError, nearest

# Before the update: shaping, advantage, filter, auxiliary.select, kl.in_reward. Everything detached.
ROLLOUT: Mapping[str, str] = {
    "scores": "Scores of the N rows; for the advantage as algo.shaping and a KL penalty in the reward leave them",
    "group": "(N,) int64, the prompt's number: rows of one prompt share it",
    "mask": "(N, T) 1.0 where a completion token counts",
    "success": "(N,) 1.0 where the task's own check accepts the completion, else 0.0",
    "truncated": "(N,) bool, cut off at sampling.max_tokens",
    "completion_ids": "(N, T) int64",
    "texts": "list[str], N completions",
    "prompts": "list[Prompt], N",
    "sampling_logps": "(N, T) log-probs the sampler recorded",
    "old_logps": "(N, T) log-probs under the old policy of the ratio, see algo.old_logps",
    "entropy": "(N, T) exact entropy under the policy that starts the update, nats",
    "old_uniform": "(N, T) mean over the vocabulary of log pi under the policy that starts the update",
    "old_collision": "(N, T) sum over the vocabulary of pi^2 under the policy that starts the update",
    "hidden": "(N, D) mean of the last hidden states from which the completion's tokens were predicted",
    "reference_logps": "(N, T) log-probs under the reference policy",
    "values": "(N, T) the critic's values before each token; needs algo/critic=value_head",
    "token_scores": "(N, T) what each token adds to a right answer; needs algo/critic=token_reward_head",
    "greedy_rewards": "(N,) reward of the greedy completion of the row's prompt, NaN where it has none",
    "reasoning_mask": "(N, T) 1.0 on the sampled tokens before the answer; needs reward=verifree",
    "tempered": "(N,) bool, sampled at another temperature because the entropy control asked for more rows",
    "staleness": "(N,) int64, optimiser steps between the policy that sampled the row and the current one",
    "updates_done": "int, optimiser steps made so far",
    "progress": "float, share of the run's steps that are done, from 0 to 1",
}

# entropy.shape comes after the advantage and sees it, auxiliary.shape after that.
SHAPE: Mapping[str, str] = {**ROLLOUT, "advantages": "Advantages, as the advantage function gave them"}

# During the update, per micro-batch: loss, correction, kl.in_loss, auxiliary.per_token, entropy.loss_term.
# For entropy.weigh the same names hold all rows of the optimiser step, detached.
UPDATE: Mapping[str, str] = {
    "logps": "(K, T) log-probs under the policy in training, with gradient",
    "old_logps": "(K, T) log-probs under the old policy of the ratio, see algo.old_logps",
    "sampling_logps": "(K, T) log-probs the sampler recorded",
    "reference_logps": "(K, T) log-probs under the reference policy",
    "advantages": "(K, T)",
    "mask": "(K, T) 1.0 where a completion token counts",
    "entropy": "(K, T) exact entropy under the policy in training; with gradient for parts with needs_gradient = True",
    "old_entropy": "(K, T) the same under the policy that started the update",
    "uniform": "(K, T) mean over the vocabulary of log pi under the policy in training, detached",
    "old_uniform": "(K, T) the same under the policy that started the update",
    "collision": "(K, T) sum over the vocabulary of pi^2 under the policy in training, detached",
    "old_collision": "(K, T) the same under the policy that started the update",
    "rewards": "(K,) total rewards, the KL penalty included where it is in the reward",
    "success": "(K,) 1.0 where the task's own check accepts the completion, else 0.0",
    "truncated": "(K,) bool, cut off at sampling.max_tokens",
    "valid": "(K,) bool, the row has a reward",
    "group": "(K,) int64, the prompt's number; a part that names it gets micro-batches of whole groups",
    "completion_ids": "(K, T) int64",
    "staleness": "(K,) int64, optimiser steps between the policy that sampled the row and the current one",
    "values": "(K, T) the critic's values before the update; needs algo/critic=value_head",
    "returns": "(K, T) what the critic learns to predict; needs algo/critic=value_head",
    "token_scores": "(K, T) a token reward head's scores before the update; needs algo/critic=token_reward_head",
    "log_partition": "(K,) log Z of the row's prompt, with gradient; needs algo/critic=partition_head",
    "updates_done": "int, optimiser steps made so far",
    "progress": "float, share of the run's steps that are done, from 0 to 1",
}

# The loss of a critic, where it has one of its own.
CRITIC: Mapping[str, str] = {**UPDATE, "predicted": "(K, T) what the head reads now, with gradient"}

# During the update, per micro-batch of the rows that a reward has put the reference answer behind (A tokens).
ANSWER: Mapping[str, str] = {
    "answer_logps": "(K, A) log-probs of the reference answer after the row's own reasoning, now, with gradient",
    "old_answer_logps": "(K, A) the same when the reward was computed",
    "answer_mask": "(K, A) 1.0 where a token of the reference answer counts",
    **{name: UPDATE[name] for name in ("rewards", "success", "truncated", "valid", "staleness")},
    **{name: UPDATE[name] for name in ("updates_done", "progress")},
}

# What only a reward can give that puts the reference answer behind the reasoning (its class says gives = ("answers",)).
NEEDS_ANSWERS = frozenset({"reasoning_mask", "answer_logps", "old_answer_logps", "answer_mask"})

# Which option of algo/critic gives a name that only a critic can give.
NEEDS_CRITIC: Mapping[str, str] = {
    "values": "value_head",
    "returns": "value_head",
    "token_scores": "token_reward_head",
    "log_partition": "partition_head",
}

# The parts of a run with what each may name: (path in the config, method; "" where the part itself is called).
# "*" stands for every key of a mapping of parts.
ROLES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("algo.shaping.*", ""): ROLLOUT,
    ("algo.advantage", ""): ROLLOUT,
    ("algo.filter", ""): ROLLOUT,
    ("algo.auxiliary.*", "select"): ROLLOUT,
    ("algo.kl", "in_reward"): ROLLOUT,
    ("entropy", "shape"): SHAPE,
    ("algo.loss", ""): UPDATE,
    ("algo.correction", ""): UPDATE,
    ("algo.auxiliary.*", "per_token"): UPDATE,
    ("algo.auxiliary.*", "shape"): SHAPE,
    ("algo.auxiliary.*", "per_answer"): ANSWER,
    ("algo.kl", "in_loss"): UPDATE,
    ("algo.critic", "per_token"): CRITIC,
    ("entropy", "weigh"): UPDATE,
    ("entropy", "loss_term"): UPDATE,
}

# Learning from given answers. A supervised loss, per micro-batch of demonstrations (algo=sft and its kin).
SUPERVISED: Mapping[str, str] = {
    "logps": "(K, T) log-probs of the demonstrated tokens under the policy in training, with gradient",
    "mask": "(K, T) 1.0 where a completion token counts",
    "entropy": "(K, T) exact entropy under the policy in training; with gradient for parts with needs_gradient = True",
    "uniform": "(K, T) mean over the vocabulary of log pi under the policy in training, detached",
    "collision": "(K, T) sum over the vocabulary of pi^2 under the policy in training, detached",
    "normaliser": "(K, T) log sum over the vocabulary of exp(logit), with gradient",
    "reference_logps": "(K, T) log-probs under the reference policy",
    "reference_divergence": "(K, T) exact KL(reference || policy) of the token's distribution, nats, with gradient",
    "completion_ids": "(K, T) int64",
    "updates_done": "int, optimiser steps made so far",
    "progress": "float, share of the run's steps that are done, from 0 to 1",
}

# A preference loss on pairs of answers, per micro-batch of P pairs (algo=dpo and its kin).
PAIRS: Mapping[str, str] = {
    "chosen_logps": "(P,) log-prob of the better answer, summed over its tokens, with gradient",
    "rejected_logps": "(P,) the same of the worse one",
    "reference_chosen_logps": "(P,) log-prob of the better answer under the reference policy",
    "reference_rejected_logps": "(P,) the same of the worse one",
    "chosen_lengths": "(P,) tokens of the better answer, the end token included",
    "rejected_lengths": "(P,) the same of the worse one",
    "mean_chosen_length": "float, mean of chosen_lengths over all pairs of the step",
    "chosen_shared_logps": "(P,) chosen_logps over as many tokens as the shorter answer has",
    "rejected_shared_logps": "(P,) rejected_logps over as many",
    "reference_chosen_shared_logps": "(P,) reference_chosen_logps over as many",
    "reference_rejected_shared_logps": "(P,) reference_rejected_logps over as many",
    "chosen_typicality": "(P,) mean over the better answer's tokens of log pi - log sum of pi^2, detached",
    "rejected_typicality": "(P,) the same of the worse one",
    "updates_done": "int, optimiser steps made so far",
    "progress": "float, share of the run's steps that are done, from 0 to 1",
}

# A preference loss on single answers, per micro-batch of K answers (algo=kto and its kin).
LABELLED: Mapping[str, str] = {
    "logps": "(K,) log-prob of the answer, summed over its tokens, with gradient",
    "reference_logps": "(K,) the same under the reference policy",
    "desirable": "(K,) bool, the answer is called good",
    "lengths": "(K,) tokens of the answer, the end token included",
    "mismatched_log_ratio": "float, mean over the step of log pi - log pi_ref of answers put behind other prompts",
    "updates_done": "int, optimiser steps made so far",
    "progress": "float, share of the run's steps that are done, from 0 to 1",
}

# What such a loss is shown of all N answers of a step, detached, before the first micro-batch: its `observe`.
STEP: Mapping[str, str] = {
    "logps": "(N,) log-prob of the answer under the policy that starts the step",
    "reference_logps": "(N,) the same under the reference policy",
    "desirable": "(N,) bool, the answer is called good",
}

# The parts of a run that learns from given answers, by what trains.
OFFLINE_ROLES: Mapping[str, Mapping[tuple[str, str], Mapping[str, str]]] = {
    "crucible.modules.supervised.Supervised": {("algo.supervised", ""): SUPERVISED},
    "crucible.modules.preference.Preference": {("algo.preference", ""): PAIRS},
    "crucible.modules.unpaired.Unpaired": {("algo.preference", ""): LABELLED, ("algo.preference", "observe"): STEP},
}


class Given(Mapping[str, Any]):
    """Values by name. Those in `made` are computed when first asked for, and kept."""

    def __init__(self, ready: Mapping[str, Any], made: Mapping[str, Callable[[], Any]] | None = None):
        self._ready, self._made = dict(ready), dict(made or {})

    def __getitem__(self, name: str) -> Any:
        if name not in self._ready:
            self._ready[name] = self._made[name]()
        return self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._made, **self._ready})

    def __len__(self) -> int:
        return len(self._made.keys() | self._ready.keys())

    def __contains__(self, name: object) -> bool:  # without computing it, unlike Mapping's own
        return name in self._ready or name in self._made


def names(part: Callable[..., Any]) -> tuple[str, ...]:
    """The leading parameters of a part: functions, bound methods, partials, objects with `__call__`."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, p in inspect.signature(part).parameters.items() if p.kind in positional)


def all_names(parts: Iterable[Callable[..., Any]]) -> frozenset[str]:
    """Every name that one of the parts asks for."""
    return frozenset(name for part in parts for name in names(part))


def call(part: Callable[..., Any], given: Mapping[str, Any], **instead: Any) -> Any:
    """`part` with what it names; `instead` comes before `given`. UserError where it names something unknown."""
    found = {}
    for name in names(part):
        if name not in instead and name not in given:
            raise UserError(unknown(label(part), name, given))
        found[name] = instead[name] if name in instead else given[name]
    return part(**found)


def unknown(who: str, name: str, known: Iterable[str]) -> str:
    """The line for a name that is not in the vocabulary, or not to be had here."""
    known = list(known)
    here = f"; there are: {', '.join(known)}" if not (hint := nearest(name, known)) else hint
    return f'{who} asks for "{name}", which a run cannot give it here{here}'


def label(part: Callable[..., Any]) -> str:
    """What to call a part in a message."""
    bare = unwrapped(part)
    return str(getattr(bare, "__qualname__", type(bare).__name__))


def unwrapped(part: Any) -> Any:
    """The function inside partials."""
    while isinstance(part, functools.partial):
        part = part.func
    return part


def overridden(part: Any, method: str, base: type) -> Callable[..., Any] | None:
    """The bound method, or None where the class has none or leaves that of `base`, which does nothing."""
    found = getattr(part, method, None)
    if found is None or getattr(type(part), method, None) is getattr(base, method, None):
        return None
    return found
