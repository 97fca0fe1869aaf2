"""data/select=text: the pool chains whose texts are most like those of the core chains. No patterns, no entropies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from crucible.cotp.assignment import assign, of_matrix
from crucible.cotp.dtw.warp import Floats
from crucible.cotp.selection import Pool, Selection
from crucible.errors import UserError


class TextSimilarity:
    """Distance 1 - cosine of the TF-IDF vectors of character n-grams; assigned as in CoTP.

    The baseline that a selection by patterns has to beat (ours: the paper has none).
    """

    def __init__(
        self, *, ngrams: Sequence[int] = (2, 3), assignment: Literal["hungarian", "greedy", "knn"] = "hungarian"
    ) -> None:
        if not ngrams or any(n < 1 for n in ngrams):
            raise UserError(f"data.select.ngrams={list(ngrams)}: whole numbers of at least 1, at least one of them")
        self.ngrams, self.assignment = tuple(ngrams), assignment

    def __call__(self, pool: Pool) -> Selection:
        pool.wanted  # noqa: B018 - refuses a pool that is too small
        texts = [chain.completion for chain in (*pool.core, *pool.items)]
        vectors = tf_idf(texts, self.ngrams)
        core, items = vectors[: len(pool.core)], vectors[len(pool.core) :]
        found = assign(of_matrix(1.0 - (core @ items.T).toarray()), pool.per_core, self.assignment)
        return Selection(found.items.tolist(), {"cost": found.cost, "distinct": len(found.items) / found.asked})


def tf_idf(texts: Sequence[str], ngrams: Sequence[int]) -> csr_array:
    """One unit vector a text: n-gram counts times log(N / df), zero where a text has no telling n-gram."""
    number: dict[str, int] = {}
    rows, columns = list[int](), list[int]()
    for i, text in enumerate(texts):
        grams = [text[at : at + n] for n in ngrams for at in range(len(text) - n + 1)]
        rows += [i] * len(grams)
        columns += [number.setdefault(gram, len(number)) for gram in grams]
    counts = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(texts), max(1, len(number))))
    counts.sum_duplicates()
    with_gram = np.bincount(counts.indices, minlength=counts.shape[1])
    weights: Floats = np.log(len(texts) / np.maximum(with_gram, 1))
    counts.data = counts.data * weights[counts.indices]
    sizes = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data = counts.data / np.repeat(np.where(sizes > 0, sizes, 1.0), np.diff(counts.indptr))
    return counts
