"""The nearest pool chains of each core chain, for a pool on disk: in blocks, in shards, stopped and gone on with.

<out>/settings.json            what all shards share: options, sizes, the scales
<out>/shard-0003-of-0008.npz   the candidates of a finished shard; .part.npz of one under way
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crucible.cotp.assignment import Assignment, How, assign
from crucible.cotp.chains import CoT, digest
from crucible.cotp.distance import Chains, CoreSet, Metric, Scales
from crucible.cotp.dtw import Engine
from crucible.cotp.nearest import Candidates, add_block
from crucible.cotp.sets import ChainSet
from crucible.errors import UserError
from crucible.rundir.atomic import explained, replacing, write_json

SETTINGS = "settings.json"
# share of a block's pairs that bounds leave over, above which they cost more than they save (benchmarks/dtw.py)
LEAVE_BOUNDS = {"numba": 0.25, "numpy": 0.9}
SAVE_S = 30.0  # seconds between two saves of a shard under way
MB = 2**20


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of`, counted from 1."""

    number: int
    of: int

    @classmethod
    def named(cls, text: str) -> Shard:
        """ "3/8". Errors: UserError."""
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(f"shard={text}: write it as 3/8, from 1/8 to 8/8")
        return cls(int(match[1]), int(match[2]))

    def span(self, size: int) -> tuple[int, int]:
        return size * (self.number - 1) // self.of, size * self.number // self.of

    def file(self, out: Path) -> Path:
        return out / f"shard-{self.number:04d}-of-{self.of:04d}.npz"


@dataclass(frozen=True, kw_only=True)
class Search:
    """`k` candidates are kept for each core chain (None: t * o, which is always enough); blocks are made as large as
    `memory_mb` allows beside them. on_empty: a pool chain without patterns is refused, or passed over ("skip").

    prune: whether lower bounds are asked first; the result is the same. "auto" leaves them once they leave over more of
    a block than they are worth (`LEAVE_BOUNDS`).
    """

    metric: Metric
    per_core: int
    k: int | None = None
    memory_mb: int = 1024
    threads: int = 1
    on_empty: Literal["refuse", "skip"] = "refuse"
    prune: Literal["auto", "always", "never"] = "auto"

    def __post_init__(self) -> None:
        if self.per_core < 1 or (self.k is not None and self.k < self.per_core):
            raise UserError(
                f"per_core={self.per_core}, candidates={self.k}: at least 1, and at least as many candidates"
            )
        if self.memory_mb < 1 or self.threads < 1:
            raise UserError(f"memory_mb={self.memory_mb}, threads={self.threads}: at least 1")
        if self.on_empty not in ("refuse", "skip"):
            raise UserError(f"on_empty={self.on_empty}: refuse or skip")
        if self.prune not in ("auto", "always", "never"):
            raise UserError(f"prune={self.prune}: auto, always or never")
        if self.metric.scale == "rank":
            raise UserError("scale=rank needs all distances at once; for pools on disk: scale=mean or none")


def core_set(core: ChainSet, metric: Metric, engine: Engine | None = None) -> tuple[list[CoT], CoreSet]:
    """The chosen chains of a core folder, weighed by the patterns of all its chains."""
    found, represented = core.all()
    weights = metric.importance.of([chain.question for chain in found], represented.patterns)
    chosen = [i for i, chain in enumerate(found) if chain.chosen]
    if not chosen:
        raise UserError(f'{core.folder}: no chain is chosen (all have "chosen": false)')
    own = [found[i] for i in chosen]
    return own, CoreSet(represented.rows(chosen), [chain.question for chain in own], weights, metric, engine)


def distances(
    pool: ChainSet,
    core: ChainSet,
    out: Path,
    shard: Shard,
    search: Search,
    *,
    engine: Engine | None = None,
    report: Callable[[str], None] = lambda line: None,
    stop: Callable[[], Any] = lambda: None,
) -> bool:
    """Find the candidates of one shard. True when it is finished; False when `stop` said something, with all kept.

    Errors: UserError for a pool that is too small, memory that is, and an `out` that holds another search.
    """
    chosen, ready = core_set(core, search.metric, engine)
    asked = len(chosen) * search.per_core
    if pool.size < asked:
        raise UserError(
            f"the pool has {pool.size:,} chains, fewer than the {len(chosen):,} x {search.per_core:,} = {asked:,} that "
            f"{len(chosen):,} core chains with {search.per_core:,} each ask for"
        )
    k = min(search.k or asked, pool.size)
    block = _block_size(pool, core, len(chosen), k, search)
    with explained("cannot write", out):
        out.mkdir(parents=True, exist_ok=True)
    _agree(out, pool, chosen, ready, search, k, shard.of)
    final, part = shard.file(out), shard.file(out).with_suffix(".part.npz")
    if final.is_file():
        report(f"{final} is there already")
        return True
    start, end = shard.span(pool.size)
    found, at = _load(part) if part.is_file() else (Candidates.empty(len(chosen), k), start)
    if at > start:
        report(f"{part}: {at - start:,} of {end - start:,} chains were compared before")
    saved = began = time.monotonic()
    first, prune = at, search.prune != "never"
    for here, chains in pool.blocks(at, end, block):
        usable = _usable(chains, search)
        if usable:
            kept = chains if len(usable) == len(chains) else chains.rows(usable)
            before = found.computed
            add_block(found, ready, kept, np.array(usable, np.int64) + here, threads=search.threads, prune=prune)
            if search.prune == "auto" and found.computed - before > LEAVE_BOUNDS[ready.engine.name] * len(usable) * len(
                chosen
            ):
                prune = False
        done, now = here + len(chains), time.monotonic()
        rate = (done - first) * len(chosen) / max(now - began, 1e-9)
        report(
            f"shard {shard.number}/{shard.of}: {done - start:,} of {end - start:,} chains, {rate:,.0f} pairs/s, "
            f"{found.computed / max(1, found.seen * len(chosen)):.1%} not ruled out by bounds"
        )
        wish = stop() if done < end else None
        if wish or now - saved > SAVE_S:
            _save(part, found, done)
            saved = now
        if wish:
            return False
    _save(final, found, end)
    part.unlink(missing_ok=True)
    return True


def merged(out: Path) -> tuple[Candidates, dict[str, Any]]:
    """The candidates of the whole pool, and the settings. Errors: UserError where shards are missing."""
    settings = _settings(out)
    shards = [Shard(number, settings["shards"]) for number in range(1, settings["shards"] + 1)]
    missing = [str(shard.number) for shard in shards if not shard.file(out).is_file()]
    if missing:
        raise UserError(f"{out}: shards {', '.join(missing)} of {settings['shards']} are not finished")
    found, _ = _load(shards[0].file(out))
    for shard in shards[1:]:
        found = found.merged(_load(shard.file(out))[0])
    return found, settings


def assigned(out: Path, per_core: int | None, how: How) -> tuple[Assignment, Candidates, dict[str, Any]]:
    """The assignment from the finished shards in `out`."""
    found, settings = merged(out)
    return assign(found, per_core or settings["per_core"], how), found, settings


def _usable(chains: Chains, search: Search) -> list[int]:
    empty = [i for i, labels in enumerate(chains.patterns) if not labels] if search.metric.lambda_ > 0 else []
    if empty and search.on_empty == "refuse":
        raise UserError(
            f"pool chain {chains.ids[empty[0]]} is empty: it has no patterns; annotate it, or pass such chains over "
            "with on_empty=skip"
        )
    left_out = set(empty)
    return [i for i in range(len(chains)) if i not in left_out]


def _block_size(pool: ChainSet, core: ChainSet, cores: int, k: int, search: Search) -> int:
    """Chains of a block, so that candidates, core set and block stay within the memory."""
    candidates = 2 * 16 * cores * k
    room = search.memory_mb * MB - candidates
    each = pool.bytes_each(core.read_with.points if core.read_with else None) + 64 * search.threads
    if room < 64 * each:
        raise UserError(
            f"memory_mb={search.memory_mb}: the candidates of {cores:,} core chains, {k:,} each, take "
            f"{candidates / MB:,.0f} MB; raise memory_mb, or set candidates below {k:,}"
        )
    return int(min(room / each, 200_000))


def _agree(out: Path, pool: ChainSet, chosen: list[CoT], ready: CoreSet, search: Search, k: int, shards: int) -> None:
    """Write the settings, or take the scales of those that are there. Errors: UserError where they are others."""
    mine = {
        "metric": json.loads(json.dumps(asdict(search.metric))), "per_core": search.per_core, "candidates": k,
        "on_empty": search.on_empty, "shards": shards, "pool": pool.size, "core": len(chosen),
        "core_digest": digest(chosen),
        "reading": None if pool.read_with is None else asdict(pool.read_with),
    }  # fmt: skip
    path = out / SETTINGS
    if not path.is_file():
        write_json(path, {**mine, "scales": asdict(ready.settle(pool.sample()))})
    theirs = _settings(out)
    ready.scales = Scales(**theirs.pop("scales"))
    for name in mine:
        if mine[name] != theirs.get(name):
            raise UserError(f"{path} is of another search: {name} is {theirs.get(name)!r} there, {mine[name]!r} here")


def _settings(out: Path) -> dict[str, Any]:
    path = out / SETTINGS
    if not path.is_file():
        raise UserError(f"no {SETTINGS} in {out}; python -m crucible.cotp distances makes it")
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete the folder") from None
    return settings


def _save(path: Path, found: Candidates, done: int) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file, distances=found.distances, items=found.items, counts=np.array([found.seen, found.computed, done])
        )


def _load(path: Path) -> tuple[Candidates, int]:
    try:
        with np.load(path) as stored:
            seen, computed, done = (int(c) for c in stored["counts"])
            return Candidates(stored["distances"], stored["items"], seen, computed), done
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it") from None
