"""Starting the other processes of a run on this machine, from a config that is composed already."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from crucible.ranks import Place

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def others(world: int, config: Mapping[str, Any]) -> Iterator[Place]:
    """Ranks 1 .. world - 1 run `config` while the body, rank 0, does; none of them outlives it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=_rank, args=(r, world, port, dict(config)), daemon=True) for r in range(1, world)]
    before = {name: os.environ.get(name) for name in NAMES}
    for process in ranks:
        process.start()
    before_threads = _share_cores(world)
    try:
        yield Place(0, world, 0, "127.0.0.1", port)
        for process in ranks:
            process.join(60)
    finally:
        for process in ranks:
            if process.is_alive():
                process.terminate()
        for process in ranks:
            process.join(10)
            if process.is_alive():  # a run keeps TERM for the end of its step, which this one will not see
                process.kill()
        torch.set_num_threads(before_threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _share_cores(world: int) -> int:
    """Each rank takes its part of torch's threads. Returns how many there were."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // world))
    return before


def _rank(rank: int, world: int, port: int, config: dict[str, Any]) -> None:
    """One of the other processes. Rank 0 says what went wrong; here one line is enough."""
    values = (rank, world, rank, 0, "127.0.0.1", port)
    os.environ |= {name: str(value) for name, value in zip(NAMES, values, strict=True)}
    from crucible.lifeline import LostRank
    from crucible.run import run

    _share_cores(world)
    try:
        run(**config)
    except Exception as error:
        if isinstance(error, LostRank) and error.told:
            raise SystemExit(1) from None
        print(f"rank {rank} stopped: {' '.join(str(error).split())[:200]}", file=sys.stderr)
        raise SystemExit(1) from None
