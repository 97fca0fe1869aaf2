"""A real two-process training program: linear regression under torch's DistributedDataParallel (gloo).

Rank 0 holds the run directory; every rank asks the stop flag at the end of each step.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from crucible.rundir import RunDir
from crucible.rundir.checkpoints import latest
from crucible.sweeps.signals import stop_flag


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
) -> Path:
    """Each rank draws its own batch of 8 at each step, from (seed, step, rank) alone."""
    config = {key: value for key, value in locals().items()}
    rank, world = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    os.environ.setdefault("MASTER_PORT", str(20000 + int(os.environ["SLURM_JOB_ID"]) % 9000))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    path = Path(runs_dir) / experiment / str(run_id)
    run = RunDir.open(path, config, resume=resume) if rank == 0 else None
    dist.barrier()
    torch.manual_seed(seed)
    model = DistributedDataParallel(torch.nn.Linear(3, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    done = 0
    if (saved := latest(path / "checkpoints")) is not None:
        state = torch.load(saved, weights_only=True)
        model.module.load_state_dict(state["model"])
        done = int(state["step"])
    if run is not None:
        run.begin(done)
    state_of_run = "finished"
    while done < steps:
        done += 1
        draw = torch.Generator().manual_seed(1_000_000 * seed + 100 * done + rank)
        x = torch.randn(8, 3, generator=draw)
        loss = (model(x).squeeze(-1) - x @ torch.tensor([1.5, -2.0, 0.5])).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        dist.all_reduce(loss.detach())
        time.sleep(step_seconds)
        wish = stop_flag.agreed()
        if run is not None:
            run.write_metrics({"kind": "update", "step": done, "update": done, "reward/mean": -loss.item() / world})
            if done % checkpoint_every == 0 or done == steps or wish is not None:
                content = {"model": model.module.state_dict(), "step": done}
                run.save_checkpoint(done, lambda file, content=content: torch.save(content, file))
            run.write_status("running", step=done, ranks=world)
        if wish is not None and done < steps:
            state_of_run = "preempted"
            break
    if run is not None:
        run.write_status(state_of_run, step=done)
        run.close()
    dist.barrier()
    dist.destroy_process_group()
    return path
