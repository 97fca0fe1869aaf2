"""slurm.conf of a pretend cluster, line by line."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """What the pretend cluster looks like."""

    nodes: int = 2
    cpus: int = 8  # per node; may exceed the real number
    memory_mb: int = 8000  # per node; may exceed the real amount
    preempt: bool = False  # a second partition "urgent" whose jobs push out those of "main"
    enforce_memory: bool = False  # kill a job above its --mem (polled each second)
    max_array: int = 1001  # MaxArraySize: indices run to one less
    kill_wait: int = 3  # seconds between TERM and KILL

    @property
    def node_names(self) -> list[str]:
        return [f"n{i}" for i in range(1, self.nodes + 1)]


def slurm_conf(home: Path, shape: Shape, ports: Sequence[int]) -> str:
    """Everything in `home`; the controller on the first port, the nodes on the next ones."""
    host = socket.gethostname().split(".")[0]
    lines = [*_daemons(home, host, ports[0]), *_scheduling(shape), *_accounting(shape)]
    lines += [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
        f"CPUs={shape.cpus} RealMemory={shape.memory_mb} State=UNKNOWN"
        for port, name in zip(ports[1:], shape.node_names, strict=True)
    ]
    return "\n".join([*lines, *_partitions(shape)]) + "\n"


def _daemons(home: Path, host: str, port: int) -> list[str]:
    user = getpass.getuser()
    return [
        f"ClusterName=crucible{port}",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={port}",
        f"SlurmUser={user}",
        f"SlurmdUser={user}",
        "AuthType=auth/munge",
        # cred_expire is also how long a requeued job must wait before it starts again (default 120 s)
        f"AuthInfo=socket={home}/munge/socket,cred_expire=5",
        "CredType=cred/munge",
        "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
        f"StateSaveLocation={home}/state",
        f"SlurmdSpoolDir={home}/spool/%n",
        f"SlurmctldPidFile={home}/run/slurmctld.pid",
        f"SlurmdPidFile={home}/run/slurmd.%n.pid",
        f"SlurmctldLogFile={home}/log/slurmctld.log",
        f"SlurmdLogFile={home}/log/slurmd.%n.log",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SlurmdParameters=config_overrides",  # lets a node claim more than the machine has
        "AccountingStorageType=accounting_storage/none",
        "MpiDefault=none",
        "ReturnToService=2",
        "SlurmdTimeout=10",
        "InactiveLimit=0",
    ]


def _scheduling(shape: Shape) -> list[str]:
    return [
        f"MaxArraySize={shape.max_array}",
        "MaxJobCount=20000",
        f"KillWait={shape.kill_wait}",
        "MinJobAge=5",  # forget finished jobs at once: nothing here may depend on SLURM's memory
        "SchedulerType=sched/backfill",
        "SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=10000,bf_interval=1",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_CPU_Memory",
        "DefMemPerCPU=200",  # else a job that names no memory takes a whole node
    ]


def _accounting(shape: Shape) -> list[str]:
    if not shape.enforce_memory:
        return ["JobAcctGatherType=jobacct_gather/none"]
    return [
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=task=1",
        "JobAcctGatherParams=OverMemoryKill,UsePss",
    ]


def _partitions(shape: Shape) -> list[str]:
    partition = "PartitionName={} Nodes=ALL MaxTime=INFINITE DefaultTime=60 State=UP"
    if not shape.preempt:
        return [partition.format("main") + " Default=YES"]
    return [
        "PreemptType=preempt/partition_prio",
        "PreemptMode=REQUEUE",
        # this is where 22.05 reads it; its manual names SchedulerParameters
        "SlurmctldParameters=preempt_send_user_signal",
        partition.format("main") + " Default=YES PriorityTier=1 GraceTime=10",
        partition.format("urgent") + " PriorityTier=10 PreemptMode=OFF",
    ]
