"""The processes of one run. Each holds the whole batch, and samples and differentiates its share of the rows.

What is shared out is put together again as sums and as rows, so the numbers are those of one process up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crucible.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from crucible.lifeline import Lifeline


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `world` processes; rank 0 is the main one, which alone writes the run directory.

    `sharded`: the weights lie in shards (trainer=fsdp), so all ranks make the same passes of the model; `lifeline`
    tells of ranks that are lost. Every method but `share` is collective: all ranks call it, in the same order.
    """

    rank: int = 0
    world: int = 1
    sharded: bool = False
    lifeline: Lifeline | None = field(default=None, compare=False, repr=False)

    @property
    def main(self) -> bool:
        return self.rank == 0

    def share(self, number: int) -> range:
        """The adjacent items of `number` that are this rank's; as even as can be."""
        each, more = divmod(number, self.world)
        first = self.rank * each + min(self.rank, more)
        return range(first, first + each + (self.rank < more))

    def gather(self, item: Any) -> list[Any]:
        """The item of every rank, in order of rank."""
        if self.world == 1:
            return [item]
        import torch.distributed as dist

        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, item)
        return found

    def from_main(self, item: Any) -> Any:
        """The main process' item, on every rank."""
        return self.gather(item if self.main else None)[0]

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        """The sum over all ranks of each value; a rank without a name adds nothing to it."""
        total: dict[str, float] = {}
        for part in self.gather(dict(values)):
            for name, value in part.items():
                total[name] = total.get(name, 0.0) + value
        return total

    def sum_gradients(self, parameters: Sequence[Parameter]) -> None:
        """Each gradient becomes its sum over all ranks: a sum, since losses have global denominators.

        Those of weights in shards are sums already: FSDP adds them up in every backward pass.
        """
        if self.world == 1:
            return
        import torch
        import torch.distributed as dist

        trained = [p for p in parameters if p.requires_grad and not hasattr(p, "device_mesh")]
        for p in trained:
            if p.grad is None:  # a rank without rows
                p.grad = torch.zeros_like(p)
        for work in [dist.all_reduce(p.grad, async_op=True) for p in trained]:
            work.wait()

    def put_together(self, column: Tensor) -> Tensor:
        """The sum of a tensor over all ranks, for columns of which each rank has filled its own rows."""
        if self.world == 1:
            return column
        import torch.distributed as dist

        whole = column.clone()
        dist.all_reduce(whole)
        return whole

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The body on the main process, then on the others: they find in the cache what it made."""
        if not self.main:
            self.gather(None)
        yield
        if self.main:
            self.gather(None)


ALONE = Ranks()
SHARDED = ".fsdp"  # how the target of a trainer ends that cuts weights into shards


@dataclass(frozen=True, slots=True)
class Place:
    """What the environment says of this process."""

    rank: int
    world: int
    local_rank: int
    address: str = ""  # where the ranks meet; "" on SLURM, where Lightning finds it
    port: int = 0


def place() -> Place | None:
    """Set by torchrun, srun or submitit's local executor; None for a process that nobody started as a rank.

    Loads nothing: a job asks before it knows whether its run wants torch.
    """
    env = os.environ
    if "RANK" in env and "WORLD_SIZE" in env:
        local = int(env.get("LOCAL_RANK", env["RANK"]))
        return Place(int(env["RANK"]), int(env["WORLD_SIZE"]), local, env["MASTER_ADDR"], int(env["MASTER_PORT"]))
    if env.get("SLURM_STEP_ID", "").isdigit() and "SLURM_PROCID" in env:  # a job step, not the batch script itself
        world = int(env.get("SLURM_STEP_NUM_TASKS", env.get("SLURM_NTASKS", "1")))
        return Place(int(env["SLURM_PROCID"]), world, int(env["SLURM_LOCALID"]))
    if "SUBMITIT_LOCAL_NTASKS" in env:
        rank, world = int(env["SUBMITIT_LOCAL_GLOBALID"]), int(env["SUBMITIT_LOCAL_NTASKS"])
        port = 20_000 + int(env.get("SUBMITIT_LOCAL_JOB_ID", "0").split("_")[0]) % 20_000
        return Place(rank, world, int(env.get("SUBMITIT_LOCAL_LOCALID", rank)), "127.0.0.1", port)
    return None


def started_rank() -> int:
    """The rank this process was started as; 0 if nobody started it as one."""
    here = place()
    return 0 if here is None else here.rank


@contextmanager
def joined(devices: int, nodes: int, config: Mapping[str, Any]) -> Iterator[Ranks]:
    """This process among the `devices` x `nodes` of its run, while it lasts.

    Ranks that srun, torchrun or submitit started find each other; where nobody started any, this process becomes
    the main one and starts the others itself with the same `config` (keywords of `crucible.run.run`).
    Errors: UserError where the number of processes there are is not the number asked for.
    """
    world = devices * nodes
    sharded = str(config.get("trainer", {}).get("_target_")).endswith(SHARDED)
    if devices < 1 or nodes < 1:
        raise UserError(f"trainer.devices={devices}, trainer.nodes={nodes}: both must be at least 1")
    here = place()
    if world == 1:
        if here is not None and here.world > 1:
            raise UserError(
                f"{here.world} processes were started for a run of one; set trainer.devices={here.world}, "
                "or ask for one task (resources.tasks=1)"
            )
        yield ALONE
    elif here is None:
        if nodes > 1:
            raise UserError(f"trainer.nodes={nodes}: start one process a device with srun or torchrun, or use sweep.py")
        from crucible.launch import others

        with others(devices, config) as first, _group(first) as lifeline:
            yield Ranks(0, world, sharded, lifeline)
    elif here.world != world:
        raise UserError(
            f"trainer.devices={devices} x trainer.nodes={nodes} are {world} processes, and {here.world} were started; "
            "in a sweep, resources.tasks is the processes of a node"
        )
    else:
        with _group(here) as lifeline:
            yield Ranks(here.rank, world, sharded, lifeline)


@contextmanager
def _group(here: Place) -> Iterator[Lifeline]:
    """torch's process group: gloo, and nccl for tensors on GPUs; and the lifeline beside it."""
    import datetime

    import torch
    import torch.distributed as dist

    address, port = (here.address, here.port) if here.address else _meeting_point_on_slurm()
    os.environ |= {  # what Lightning's environments read
        "MASTER_ADDR": address, "MASTER_PORT": str(port), "LOCAL_RANK": str(here.local_rank),
        "NODE_RANK": os.environ.get("NODE_RANK", os.environ.get("SLURM_NODEID", "0")),
    }  # fmt: skip
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    # the main process may train a reward model while the others wait
    wait = datetime.timedelta(hours=12)
    dist.init_process_group(backend, rank=here.rank, world_size=here.world, timeout=wait)
    try:
        lifeline = _lifeline(here, address)
        try:
            yield lifeline
        except BaseException as error:
            lifeline.close(error)
            raise
        lifeline.close()
    finally:
        dist.destroy_process_group()


def _lifeline(here: Place, address: str) -> Lifeline:
    from crucible.lifeline import main_calls, main_end, other_end, this_process

    ranks = Ranks(here.rank, here.world)
    if not ranks.main:
        call, main = ranks.from_main(None)
        return other_end(call, here.rank, main)
    listener, call = main_calls(address)
    ranks.from_main((call, this_process()))
    return main_end(listener, here.world, call[2])


def _meeting_point_on_slurm() -> tuple[str, int]:
    from lightning.pytorch.plugins.environments import SLURMEnvironment

    slurm = SLURMEnvironment(auto_requeue=False)
    return slurm.main_address, slurm.main_port
