"""How far apart two pattern labels are: by the characters they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crucible.cotp.dtw.warp import Floats
from crucible.errors import UserError


@dataclass(frozen=True, kw_only=True)
class LabelDistance:
    """Distance of two labels in [0, 1] by their character n-grams (CoTP's base distance; its formula was not found).

    orders: the n of the n-grams; the paper's best setting is "1/2". over: "union" puts the n-grams of all orders into
    one set (our reading of "1/2"), "mean" takes the mean of the distances of each order. overlap: "jaccard"
    1 - |A & B| / |A | B| (ours), or "dice" 1 - 2 |A & B| / (|A| + |B|). Labels without an n-gram of an order are
    compared whole: 0 if equal, else 1. Case is ignored. Equal labels are at 0.
    """

    orders: tuple[int, ...] = (1, 2)
    over: Literal["union", "mean"] = "union"
    overlap: Literal["jaccard", "dice"] = "jaccard"

    def __post_init__(self) -> None:
        if not self.orders or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.orders):
            raise UserError(f"ngrams={list(self.orders)}: whole numbers of at least 1, at least one of them")
        if self.over not in ("union", "mean"):
            raise UserError(f"ngram_over={self.over}: union or mean")
        if self.overlap not in ("jaccard", "dice"):
            raise UserError(f"ngram_overlap={self.overlap}: jaccard or dice")

    def __call__(self, a: str, b: str) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[str], columns: Sequence[str]) -> Floats:
        """Distances (len(rows), len(columns)) of all pairs."""
        groups = [self.orders] if self.over == "union" else [(n,) for n in self.orders]
        found = np.mean([self._of(group, rows, columns) for group in groups], axis=0)
        same = {label.casefold(): [] for label in rows}  # type: dict[str, list[int]]
        for i, label in enumerate(rows):
            same[label.casefold()].append(i)
        for j, label in enumerate(columns):
            found[same.get(label.casefold(), []), j] = 0.0
        return np.asarray(found, dtype=np.float64)

    def _of(self, orders: Sequence[int], rows: Sequence[str], columns: Sequence[str]) -> Floats:
        number: dict[str, int] = {}
        sets = [[_grams(label.casefold(), orders) for label in side] for side in (rows, columns)]
        for grams in (*sets[0], *sets[1]):
            for gram in grams:
                number.setdefault(gram, len(number))
        a, b = (np.zeros((len(side), max(1, len(number))), np.float32) for side in sets)
        for matrix, side in zip((a, b), sets, strict=True):
            for i, grams in enumerate(side):
                matrix[i, [number[gram] for gram in grams]] = 1.0
        common = (a @ b.T).astype(np.float64)  # counts, exact in float32
        sizes = np.add.outer(a.sum(1).astype(np.float64), b.sum(1).astype(np.float64))
        with np.errstate(invalid="ignore"):
            share = common / (sizes - common) if self.overlap == "jaccard" else 2 * common / sizes
        return np.where(sizes == 0, 1.0, 1.0 - share)


def _grams(label: str, orders: Sequence[int]) -> set[str]:
    """The n-grams of a label. Of different orders they differ in length, so they cannot be taken for one another."""
    return {label[i : i + n] for n in orders for i in range(len(label) - n + 1)}
