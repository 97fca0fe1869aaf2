"""Judges without a model: what a benchmark gives for length alone, for chance, and for nothing."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from crucible.reward_benchmarks.items import Question


class _Control(ABC):
    def too_long(self, questions: Sequence[Question]) -> list[str]:
        return [""] * len(questions)

    def scores(self, questions: Sequence[Question]) -> list[float | None]:
        return [self.score(q) for q in questions]

    @abstractmethod
    def score(self, question: Question) -> float: ...


class Length(_Control):
    """The number of characters of the response: longer is better. Whoever beats it only there prefers length."""

    def score(self, question: Question) -> float:
        return float(len(question.response))


class Random(_Control):
    """Uniform in [0, 1), by a hash of seed, prompt and response: 50 % of pairs, the same at every call."""

    def __init__(self, seed: int):
        self.seed = seed

    def score(self, question: Question) -> float:
        text = f"{self.seed}\x1f{question.prompt.text}\x1f{question.response}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


class Constant(_Control):
    """0 for everything: only ties, which strict comparisons count as wrong."""

    def score(self, question: Question) -> float:
        return 0.0
