"""The loss of one optimiser step, gathered over micro-batches whose number does not change the gradient."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crucible.algorithms.diagnostics import gradient_coefficient, token_diagnostics
from crucible.algorithms.given import Given, call, names
from crucible.algorithms.ratio import importance_ratio, log_ratio
from crucible.modules.answers import answer_terms
from crucible.modules.experience import Experience
from crucible.modules.methods import Methods, needs_gradient
from crucible.modules.microbatch import MicroBatch, in_step, micro_batches, rows_of_rank
from crucible.modules.passes import token_columns
from crucible.ranks import ALONE, Ranks
from crucible.types import PolicyLoss, Totals

if TYPE_CHECKING:
    from crucible.policy.policy import Policy
    from crucible.policy.token_stats import TokenStats


NOW = frozenset({"logps", "entropy", "uniform", "collision"})  # of the policy at this moment, before this step


@dataclass(slots=True)
class Objective:
    """Policy loss, its weights, and every term beside it.

    `mismatch`: how far the policy of the last `backward`, before its step, was from the one that sampled, on the tokens
    of its rows.
    """

    policy: Policy
    methods: Methods
    micro_batch_tokens: int
    max_completion_tokens: int
    ranks: Ranks = ALONE
    value_head: nn.Module | None = None
    mismatch: dict[str, float] = field(default_factory=dict)

    def backward(
        self,
        x: Experience,
        rows: Tensor,
        clock: dict[str, Any],
        backward: Callable[[Tensor], None],
        *,
        learn_policy: bool = True,
    ) -> dict[str, float]:
        """Adds the gradient of the loss on `rows` to the parameters; returns metrics. `backward` does one piece.

        Without `learn_policy` only the critic's loss has a gradient, and only on its own parameters.
        Each rank takes whole groups of the rows; its gradient is then its share of the sum.
        """
        mask, device = x.rollouts.mask[rows], self.policy.device
        totals = Totals(float(mask.sum()), float(len(rows)), self.max_completion_tokens)
        auxiliary_totals = {name: max(float(w[rows].sum()), 1.0) for name, w in x.auxiliary.items()}
        weights = self.weights(x, rows, clock)
        asked, whole_groups = self.methods.update_names, self.methods.whole_groups
        entropy_gradient = self.methods.entropy_gradient
        more: dict[str, Any] = {name: name in asked for name in ("uniform", "collision")}
        more |= self.methods.reader(self.value_head, learns_policy=learn_policy)
        sums: dict[str, float] = defaultdict(float)
        largest = widest = torch.zeros(())
        mine = rows_of_rank(x.rollouts.group, rows, self.ranks)
        shared = self.policy.shares(x.rollouts.width)
        parts = micro_batches(x.rollouts, mine, self.micro_batch_tokens, whole_groups=whole_groups, shared=shared)
        for part in in_step(parts, self.ranks, self.policy, backward if learn_policy else forget):
            stats = part.forward(self.policy, entropy_gradient=entropy_gradient, **more)
            given = self.given(x, part, stats, clock)
            m = given["mask"]
            result = self.policy_loss(given, stats, None if weights is None else part.of(weights).to(device))
            terms = {"policy/loss": self.methods.aggregation(result.per_token, m, totals)}
            terms |= self.other_terms(x, part, given, stats, totals, auxiliary_totals, result.diagnostics)
            coefficient = gradient_coefficient(result.per_token, stats.logps)
            backward(sum(terms.values()) if learn_policy else terms["critic/loss"])
            kinds = token_diagnostics(
                stats.logps, given["old_logps"], stats.entropy, given["advantages"], m, coefficient
            )  # fmt: skip
            for name, value in terms.items():
                sums[name] += value.item()
            for name, value in {**result.diagnostics, **kinds, "entropy": stats.entropy}.items():
                label = name if "/" in name else f"policy/{name}"
                sums[label] += (value.detach() * m).sum().item() / totals.tokens
            gap = log_ratio(stats.logps.detach(), given["sampling_logps"], m)
            ratio = importance_ratio(gap) * m
            largest = torch.maximum(largest, ratio.max().cpu())  # NaN stays
            widest = torch.maximum(widest, gap.abs().max().cpu())
            sums["sum of gaps"] += gap.sum().item()
            sums["sum of ratios"] += ratio.sum().item()
            sums["sum of squares"] += ratio.square().sum().item()
        if x.answers is not None and learn_policy:
            for name, value in answer_terms(
                self.policy, self.methods, x, x.answers, mine, totals, clock, self.micro_batch_tokens, backward,
                self.ranks,
            ).items():  # fmt: skip
                sums[name] += value
        sums = self.ranks.sums(sums)
        total, squares, gaps = (sums.pop(f"sum of {name}") for name in ("ratios", "squares", "gaps"))
        ends = self.ranks.gather((largest.item(), widest.item()))
        sums["policy/ratio_max"] = max(ratio for ratio, _ in ends)
        sums["policy/ess"] = total**2 / (totals.tokens * squares)
        self.mismatch = {
            "mismatch/kl": -gaps / totals.tokens,
            "mismatch/max": max(gap for _, gap in ends),
            "mismatch/ess": sums["policy/ess"],
        }
        sums["policy/staleness"] = (clock["updates_done"] - x.rollouts.policy_version[rows]).float().mean().item()
        return sums

    def policy_loss(self, given: Given, stats: TokenStats, weights: Tensor | None) -> PolicyLoss:
        """The policy loss per token, times the weights of the entropy control and of the correction."""
        result = self.called(self.methods.loss, self.methods.loss, given, stats)
        per_token, diagnostics = result.per_token, dict(result.diagnostics)
        if weights is not None:
            per_token = per_token * weights
            diagnostics["entropy/weight_mean"] = weights
        if self.methods.correction is not None:
            with torch.no_grad():
                correction = call(self.methods.correction, given)
            per_token = per_token * correction.weights
            diagnostics["correction/weight_mean"] = correction.weights
            diagnostics |= {f"correction/{name}": value for name, value in correction.diagnostics.items()}
        return PolicyLoss(per_token, diagnostics)

    def other_terms(
        self,
        x: Experience,
        part: MicroBatch,
        given: Given,
        stats: TokenStats,
        totals: Totals,
        auxiliary_totals: dict[str, float],
        diagnostics: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """What is added to the policy loss: the entropy control's term, the KL penalty, the auxiliary losses."""
        methods, terms = self.methods, dict[str, Tensor]()
        if (hook := methods.hook("loss_term")) is not None:
            bonus = self.called(hook, methods.entropy, given, stats)
            if bonus is not None:
                terms["policy/entropy_term"] = methods.aggregation(bonus, given["mask"], totals)
        if (in_loss := getattr(methods.kl, "in_loss", None)) is not None:
            kl = call(in_loss, given)
            terms["kl/loss"] = methods.kl.coefficient * methods.aggregation(kl, given["mask"], totals)
            diagnostics["kl/mean"] = kl
        if methods.critic_loss is not None:
            per_token = call(methods.critic_loss, given, predicted=stats.values)
            terms["critic/loss"] = methods.critic.coefficient * methods.aggregation(per_token, given["mask"], totals)
        for name, term in methods.of_auxiliaries("per_token").items():
            auxiliary, weights = methods.auxiliary[name], part.of(x.auxiliary[name]).to(stats.logps.device)
            per_token = (weights * self.called(term, auxiliary, given, stats)).sum()
            terms[f"auxiliary/{name}"] = auxiliary.coefficient * per_token / auxiliary_totals[name]
        return terms

    def called(self, method: Callable[..., Any], owner: Any, given: Given, stats: TokenStats) -> Any:
        """`method` by name, with the entropy's gradient where its owner uses that."""
        return call(method, given, entropy=stats.entropy) if needs_gradient(owner) else call(method, given)

    def given(self, x: Experience, part: MicroBatch, stats: TokenStats, clock: dict[str, Any]) -> Given:
        """The vocabulary of the update stage for one micro-batch."""
        device = stats.logps.device
        ready = {"logps": stats.logps, "entropy": stats.entropy.detach(), **clock}
        more = {"uniform": stats.uniform, "collision": stats.collision, "log_partition": stats.prompt}
        ready |= {name: value for name, value in more.items() if value is not None}

        def rows_of(column: Tensor) -> Tensor:
            return part.of(column).to(device)

        columns = {**x.columns, "mask": x.rollouts.mask, "staleness": clock["updates_done"] - x.rollouts.policy_version}
        return Given(ready, {name: functools.partial(rows_of, column) for name, column in columns.items()})

    def weights(self, x: Experience, rows: Tensor, clock: dict[str, Any]) -> Tensor | None:
        """(N, T) weights the entropy control puts on the policy loss of this optimiser step; None without any."""
        hook = self.methods.hook("weigh")
        if hook is None:
            return None
        asked = frozenset(names(hook))

        @functools.cache
        def now() -> dict[str, Tensor]:
            return token_columns(self.policy, x.rollouts, rows, self.micro_batch_tokens, asked & NOW)

        columns = {**x.columns, "mask": x.rollouts.mask, "staleness": clock["updates_done"] - x.rollouts.policy_version}
        made: dict[str, Callable[[], Any]] = {
            name: functools.partial(lambda column: column[rows], column) for name, column in columns.items()
        }
        made |= {name: functools.partial(lambda key: now()[key], name) for name in NOW}
        with torch.no_grad():
            found = call(hook, Given(dict(clock), made))
        if found is None:
            return None
        weights = torch.ones_like(x.rollouts.mask)
        weights[rows] = found.to(weights.dtype)
        return weights


def forget(loss: Tensor) -> None:
    """The backward pass of a step in which the policy learns nothing."""
