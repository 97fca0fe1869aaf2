"""A shard of the distances as a run: what `python sweep.py root=pipelines/cotp sweep=distances` sends to a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from crucible.config.dry_run import run_directory
from crucible.cotp.options import DistanceOptions
from crucible.cotp.program import run_distances, tell
from crucible.errors import UserError
from crucible.rundir import RunDir
from crucible.rundir.directory import Resume
from crucible.sweeps.signals import stop_flag


def run(
    *,
    pool: str,
    core: str,
    out: str,
    shard: str,
    per_core: Annotated[int, ">= 1"],
    seed: int,
    experiment: str,
    candidates: Annotated[int | None, ">= 1"] = None,
    lambda_: Annotated[float, ">= 0, <= 1"] = 0.8,
    ngrams: list[int] | None = None,
    ngram_over: Literal["union", "mean"] = "union",
    ngram_overlap: Literal["jaccard", "dice"] = "jaccard",
    importance: Literal["tf_idf", "none"] = "tf_idf",
    idf: Literal["plain", "smooth"] = "plain",
    importance_floor: Annotated[float, ">= 0"] = 0.0,
    normalise: Literal["path", "length", "none"] = "path",
    window: Annotated[float | None, ">= 0, <= 1"] = None,
    scale: Literal["mean", "none"] = "mean",
    points: Annotated[int | None, ">= 1"] = 64,
    smooth: Annotated[int, ">= 1"] = 1,
    memory_mb: Annotated[int, ">= 1"] = 1024,
    threads: Annotated[int, ">= 1"] = 1,
    on_empty: Literal["refuse", "skip"] = "refuse",
    prune: Literal["auto", "always", "never"] = "auto",
    run_id: str | None = None,
    runs_dir: str = "runs",
    resume: Resume = "auto",
) -> Path:
    """Compare one shard of the pool with the core set; the result goes to `out`, the run directory says how it stands.

    The keywords are those of pipelines/cotp/conf/train.yaml. Nothing is random: `seed` is there because sweeps name
    seeds. Asked to stop, it saves and goes on when it is started again.
    """
    config = dict(locals())
    options = DistanceOptions(
        per_core=per_core, candidates=candidates, lambda_=lambda_, ngrams=tuple(ngrams or (1, 2)),
        ngram_over=ngram_over, ngram_overlap=ngram_overlap, importance=importance, idf=idf,
        importance_floor=importance_floor,
        normalise=normalise, window=window, scale=scale, points=points, smooth=smooth, memory_mb=memory_mb,
        threads=threads, on_empty=on_empty, prune=prune,
    )  # fmt: skip
    with RunDir.open(run_directory(config), config, resume=resume, report=tell) as run_dir:
        if run_dir.finished:
            return run_dir.path
        stop_flag.install()
        try:
            finished = run_distances(
                Path(pool), Path(core), Path(out), shard, options, report=tell, stop=stop_flag.requested
            )
        except Exception as error:
            text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            run_dir.write_status("failed", error=" ".join(text.split()))
            raise
        run_dir.write_status("finished" if finished else "preempted", step=int(finished))
    return run_dir.path
