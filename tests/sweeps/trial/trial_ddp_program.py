"""A real two-process training program: linear regression under torch's DistributedDataParallel (gloo)."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.distributed as dist
import trial_loop
from torch.nn.parallel import DistributedDataParallel


class Regression:
    """Each rank draws its own batch of 8 at each step, from (seed, step, rank) alone."""

    def __init__(self, seed: int, lr: float, rank: int, ranks: int, broken: bool) -> None:
        torch.manual_seed(seed)
        self.seed, self.rank, self.ranks, self.broken = seed, rank, ranks, broken
        self.model = DistributedDataParallel(torch.nn.Linear(3, 1, bias=False))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)

    def advance(self, step: int) -> float:
        if self.broken and self.rank == 1 and step == 7:
            raise ValueError("planned failure at step 7")
        draw = torch.Generator().manual_seed(1_000_000 * self.seed + 100 * step + self.rank)
        x = torch.randn(8, 3, generator=draw)
        loss = (self.model(x).squeeze(-1) - x @ torch.tensor([1.5, -2.0, 0.5])).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        total = loss.detach().clone()
        dist.all_reduce(total)
        return total.item() / self.ranks

    def save(self, file: Path, *, step: int) -> None:
        torch.save({"model": self.model.module.state_dict(), "step": step}, file)

    def load(self, file: Path) -> int:
        state = torch.load(file, weights_only=True)
        self.model.module.load_state_dict(state["model"])
        return int(state["step"])


def train(
    *,
    seed: int,
    steps: int,
    experiment: str,
    run_id: str | None = None,
    runs_dir: str = "runs",
    resume: str = "auto",
    lr: float = 0.05,
    checkpoint_every: int = 5,
    step_seconds: float = 0.0,
    fault_rank_1: bool = False,
) -> Path:
    """One run of as many ranks as the job has tasks. The keywords are the keys of conf/train.yaml."""
    config = dict(locals())
    rank, ranks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    os.environ.setdefault("MASTER_PORT", str(20000 + int(os.environ["SLURM_JOB_ID"]) % 9000))
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    path = trial_loop.run(
        Regression(seed, lr, rank, ranks, fault_rank_1),
        Path(runs_dir) / experiment / str(run_id),
        config,
        steps=steps,
        resume=resume,
        checkpoint_every=checkpoint_every,
        step_seconds=step_seconds,
        rank=rank,
        ranks=ranks,
        meet=dist.barrier,
    )
    dist.barrier()
    dist.destroy_process_group()
    return path
