"""The options of the stages on files, as the command line and sweeps give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crucible.cotp.distance import Metric
from crucible.cotp.dtw import Warp
from crucible.cotp.entropy_chains import Reading
from crucible.cotp.importance import Importance
from crucible.cotp.labels import LabelDistance
from crucible.cotp.sets import ChainSet
from crucible.cotp.shards import Search


@dataclass(frozen=True, kw_only=True)
class DistanceOptions:
    """Meanings and sources: conf/data/select/cotp.yaml; of candidates to prune, beside lambda_ to smooth:
    `shards.Search`."""

    per_core: int
    candidates: int | None = None
    lambda_: float = 0.8
    ngrams: tuple[int, ...] = (1, 2)
    ngram_over: Literal["union", "mean"] = "union"
    ngram_overlap: Literal["jaccard", "dice"] = "jaccard"
    importance: Literal["tf_idf", "none"] = "tf_idf"
    idf: Literal["plain", "smooth"] = "plain"
    importance_floor: float = 0.0
    normalise: Literal["path", "length", "none"] = "path"
    window: float | None = None
    scale: Literal["mean", "none"] = "mean"
    points: int | None = 64
    smooth: int = 1
    memory_mb: int = 1024
    threads: int = 1
    on_empty: Literal["refuse", "skip"] = "refuse"
    prune: Literal["auto", "always", "never"] = "auto"

    def search(self) -> Search:
        metric = Metric(
            lambda_=self.lambda_,
            labels=LabelDistance(orders=tuple(self.ngrams), over=self.ngram_over, overlap=self.ngram_overlap),
            importance=Importance(by=self.importance, idf=self.idf, floor=self.importance_floor),
            warp=Warp(normalise=self.normalise, window=self.window),
            scale=self.scale,
        )
        return Search(
            metric=metric, per_core=self.per_core, k=self.candidates, memory_mb=self.memory_mb, threads=self.threads,
            on_empty=self.on_empty, prune=self.prune,
        )  # fmt: skip

    def chains(self, folder: Path) -> ChainSet:
        return ChainSet(folder, None if self.lambda_ == 1 else Reading(points=self.points, smooth=self.smooth))
