"""The likelihood term of VeriFree: the reference answer is learned as far as the reasoning makes it likely."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from crucible.config.needs import needs
from crucible.types import Advantages


@needs(
    aggregation=["seq_mean_token_sum", "seq_mean_token_sum_norm", "token_mean", "token_sum"],
    because="both terms of VeriFree's gradient are sums over a row's tokens with one denominator",
)
class VeriFreeAnswer:
    """-R log pi(y* | x, z), R = pi_old(y* | x, z) a constant, summed over the tokens of the reference answer y*.

    VeriFree, 2505.21493: the second term of its gradient, A grad log pi(z | x) + R grad log pi(y* | x, z); the first is
    reward=verifree with algo=rloo. With algo/aggregation=seq_mean_token_sum, both are sums over tokens and means over
    all rows of the update, as in the authors' code (sft_coef_source reward, as in its run script: `coefficient` 1). A
    row without an answer (no marker, cut off) adds 0 and counts. R is that of the reward, before the update.

    `reasoning_only`: the policy loss sees advantages on the tokens of z alone, since the sampled answer earns nothing
    (the paper); false: on the whole completion, which has the same mean and more variance.

    Differs from the authors' code: two passes, one over the sampled tokens and one over prompt, z and y*, where theirs
    is one over the latter; so z counts with the tokens it was sampled in.
    """

    def __init__(self, *, coefficient: float = 1.0, reasoning_only: bool = True) -> None:
        self.coefficient = coefficient
        self.reasoning_only = reasoning_only

    def shape(self, advantages: Advantages, reasoning_mask: Tensor) -> Advantages:
        """The advantages, 0 on the tokens of the sampled answer."""
        return replace(advantages, values=advantages.values * reasoning_mask) if self.reasoning_only else advantages

    def per_answer(self, answer_logps: Tensor, old_answer_logps: Tensor, answer_mask: Tensor) -> Tensor:
        """(K, A) in nats."""
        likelihood = (old_answer_logps * answer_mask).sum(-1, keepdim=True).exp()
        return -likelihood * answer_logps
