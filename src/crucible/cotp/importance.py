"""How much a pattern matters to a question: TF-IDF with questions as documents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crucible.errors import UserError

Weights = Mapping[str, Mapping[str, float]]  # question -> pattern -> importance


@dataclass(frozen=True, kw_only=True)
class Importance:
    """omega(rho | q) = TF(rho, q) IDF(rho) over the chains of the core questions (arXiv 2509.21124).

    TF: share of the pattern among all patterns of all chains of the question (inferred: the paper's form was not
    found). idf "plain": log(Q / df), so a pattern of every question has none; "smooth": log((1 + Q) / (1 + df)) + 1,
    so each has some (both documented forms; the default is ours). floor: the least importance a pattern can have (ours;
    0: none). `by="none"`: every pattern has importance one, the paper's ablation.
    """

    by: Literal["tf_idf", "none"] = "tf_idf"
    idf: Literal["plain", "smooth"] = "plain"
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.by not in ("tf_idf", "none"):
            raise UserError(f"importance={self.by}: tf_idf or none")
        if self.idf not in ("plain", "smooth"):
            raise UserError(f"idf={self.idf}: plain or smooth")
        if not 0 <= self.floor < math.inf:
            raise UserError(f"floor={self.floor}: must be 0 or above")

    def of(self, questions: Sequence[str], chains: Sequence[Sequence[str]]) -> Weights:
        """The importance of each pattern of each question, from pattern chains and the question of each."""
        counts: dict[str, Counter[str]] = {}
        for question, chain in zip(questions, chains, strict=True):
            counts.setdefault(question, Counter()).update(chain)
        if self.by == "none":
            return {question: dict.fromkeys(patterns, 1.0) for question, patterns in counts.items()}
        documents = Counter(pattern for patterns in counts.values() for pattern in patterns)
        return {
            question: {
                pattern: max(self.floor, times / patterns.total() * self._idf(len(counts), documents[pattern]))
                for pattern, times in patterns.items()
            }
            for question, patterns in counts.items()
        }

    def _idf(self, questions: int, with_pattern: int) -> float:
        if self.idf == "smooth":
            return math.log((1 + questions) / (1 + with_pattern)) + 1.0
        return math.log(questions / with_pattern)
