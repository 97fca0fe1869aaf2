"""A real SLURM on one machine, for tests: munge, one controller, any number of pretend nodes.

    python tests/slurm/cluster.py up DIR [--nodes 2] [--preempt] [--install]
    eval "$(python tests/slurm/cluster.py env DIR)"; sinfo; sbatch ...
    python tests/slurm/cluster.py down DIR [--remove]

Everything (key, sockets, state, spool, logs, pid files) lives in DIR and all ports are on loopback,
so several clusters run side by side, as root or as anybody, without systemd. `--install` fetches
Debian's slurm-wlm and munge (root). Use a short DIR on a local disk: Unix sockets are in it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
FIRST_PORT, LAST_PORT = 20100, 29900  # below the ephemeral range, so no client socket takes one
MARK = "cluster.json"


class ClusterError(RuntimeError):
    pass


def missing_programs() -> list[str]:
    return [name for name in DAEMONS if shutil.which(name, path=SEARCH) is None]


def install_packages() -> None:
    """Debian's packages, without letting their maintainer scripts start services."""
    gate = Path("/usr/sbin/policy-rc.d")
    ours = not gate.exists()
    if ours:
        gate.write_text("#!/bin/sh\nexit 101\n")
        gate.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-q", "-y", "--no-install-recommends", "slurm-wlm", "munge"],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ClusterError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    finally:
        if ours:
            gate.unlink()


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


class Cluster:
    """A cluster in `home`. Its daemons are found again by their pid files, so any process may end it."""

    def __init__(self, home: str | os.PathLike[str], shape: Shape | None = None) -> None:
        self.home = Path(home).resolve()
        if len(str(self.home)) > 80:
            raise ClusterError(f"{self.home} is too long for the sockets in it (80 characters at most)")
        mark = self.home / MARK
        if shape is None:
            shape = Shape(**json.loads(mark.read_text())) if mark.exists() else Shape()
        self.shape = shape
        self.conf = self.home / "slurm.conf"

    @property
    def node_names(self) -> list[str]:
        return [f"n{i}" for i in range(1, self.shape.nodes + 1)]

    def environment(self) -> dict[str, str]:
        """Variables for programs that talk to the cluster. Node names do not resolve, hence MASTER_ADDR."""
        return {"SLURM_CONF": str(self.conf), "PATH": SEARCH, "MASTER_ADDR": "127.0.0.1"}

    def run(self, *command: str, timeout: float = 30, check: bool = True) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise ClusterError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def up(self) -> float:
        """Start everything and see one job step run. Returns the seconds it took."""
        started = time.monotonic()
        if lacking := missing_programs():
            raise ClusterError(f"not installed: {', '.join(lacking)} (apt-get install slurm-wlm munge)")
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / MARK).exists():
            raise ClusterError(f"{self.home} is not empty and holds no cluster")
        if self._alive("slurmctld"):
            raise ClusterError(f"a cluster is already running in {self.home}")
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)  # munged refuses a socket that others cannot reach
        for folder in ("munge", "state", "spool", "run", "log"):
            shutil.rmtree(self.home / folder, ignore_errors=True)
            (self.home / folder).mkdir(parents=True)
            (self.home / folder).chmod(0o755)
        (self.home / MARK).write_text(json.dumps(asdict(self.shape)))
        try:
            with _port_block(self.shape.nodes + 1) as ports:
                self._write_conf(ports)
                self._start_munge()
                self.start_controller()
                for name in self.node_names:
                    self.start_node(name)
                self._wait_for_idle()
            self.run("srun", "--quiet", "-n1", "true")
        except BaseException:
            self.down()
            raise
        return time.monotonic() - started

    def down(self, *, remove: bool = False) -> None:
        """End the jobs, then the daemons, then job steps that lost their daemon."""
        if self._alive("slurmctld"):
            with contextlib.suppress(ClusterError, subprocess.TimeoutExpired):
                self.run("scancel", "--full", "--signal=KILL", f"--user={getpass.getuser()}", check=False, timeout=5)
                self.run("scancel", f"--user={getpass.getuser()}", check=False, timeout=5)
                _wait(lambda: not self.run("squeue", "-h", timeout=5).strip(), 8)
        for name in self.node_names:
            self.stop(f"slurmd.{name}")
        self.stop("slurmctld")
        self.stop("munged")
        for pid in self._stray_steps():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if remove and (self.home / MARK).exists():
            shutil.rmtree(self.home)

    def settle(self) -> None:
        """Between tests: no jobs, all daemons up, all nodes idle."""
        if self._alive("slurmctld") is None:
            self.start_controller()
            _wait(lambda: bool(self.run("sinfo", "-h", check=False).strip()), 20)
        self.run("scancel", f"--user={getpass.getuser()}", check=False)
        _wait(lambda: not self.run("squeue", "-h", check=False).strip(), 15)
        for name in self.node_names:
            if self._alive(f"slurmd.{name}") is None:
                self.start_node(name)
            state = self.run("sinfo", "-h", "-N", "-n", name, "-o", "%T", check=False).split()
            if not set(state) <= {"idle", "completing"}:
                self.run("scontrol", "update", f"nodename={name}", "state=resume", check=False)
        self._wait_for_idle()

    def start_controller(self) -> None:
        self._daemon("slurmctld", "-f", str(self.conf))

    def start_node(self, name: str) -> None:
        self._daemon("slurmd", "-f", str(self.conf), "-N", name)

    def stop(self, daemon: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop "munged", "slurmctld" or "slurmd.<node>"; KILL leaves the jobs of a node alive."""
        pid = self._alive(daemon)
        if pid is None:
            return
        os.kill(pid, how)
        if not _wait(lambda: self._alive(daemon) is None, 10):
            os.kill(pid, signal.SIGKILL)

    def _alive(self, daemon: str) -> int | None:
        """The daemon's pid, unless it is gone or the number now belongs to something else."""
        try:
            pid = int((self.home / "run" / f"{daemon}.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            dead = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (OSError, ValueError):
            return None
        ours = any(str(self.home) in word for word in command)
        return pid if ours and not dead else None

    def _stray_steps(self) -> list[int]:
        """Step daemons carry no path on their command line: know ours by their environment."""
        wanted = f"SLURM_CONF={self.conf}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                step = entry.name.isdigit() and (entry / "comm").read_text().strip() == "slurmstepd"
                if step and wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def _daemon(self, program: str, *arguments: str) -> None:
        path = shutil.which(program, path=SEARCH)
        done = subprocess.run(
            [str(path), *arguments],
            env={**os.environ, **self.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            close_fds=True,
        )
        if done.returncode:
            logs = "\n".join(p.read_text()[-1500:] for p in sorted((self.home / "log").iterdir()))
            raise ClusterError(f"{program} did not start: {done.stderr.strip()}\n{logs}")

    def _start_munge(self) -> None:
        key = self.home / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        self._daemon(
            "munged",
            f"--socket={self.home}/munge/socket",
            f"--key-file={key}",
            f"--pid-file={self.home}/run/munged.pid",
            f"--seed-file={self.home}/munge/seed",
            f"--log-file={self.home}/log/munged.log",
        )

    def _wait_for_idle(self) -> None:
        def idle() -> bool:
            lines = set(self.run("sinfo", "-h", "-N", "-o", "%N %T", check=False).splitlines())
            return lines == {f"{name} idle" for name in self.node_names}

        if not _wait(idle, 20):
            raise ClusterError(f"the nodes did not come up:\n{self.run('sinfo', '-N', check=False)}")

    def _write_conf(self, ports: list[int]) -> None:
        host = socket.gethostname().split(".")[0]
        user = getpass.getuser()
        shape = self.shape
        lines = [
            f"ClusterName=crucible{ports[0]}",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={ports[0]}",
            f"SlurmUser={user}",
            f"SlurmdUser={user}",
            "AuthType=auth/munge",
            # cred_expire is also how long a requeued job must wait before it starts again (default 120 s)
            f"AuthInfo=socket={self.home}/munge/socket,cred_expire=5",
            "CredType=cred/munge",
            "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
            f"StateSaveLocation={self.home}/state",
            f"SlurmdSpoolDir={self.home}/spool/%n",
            f"SlurmctldPidFile={self.home}/run/slurmctld.pid",
            f"SlurmdPidFile={self.home}/run/slurmd.%n.pid",
            f"SlurmctldLogFile={self.home}/log/slurmctld.log",
            f"SlurmdLogFile={self.home}/log/slurmd.%n.log",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "SlurmdParameters=config_overrides",  # lets a node claim more than the machine has
            "AccountingStorageType=accounting_storage/none",
            "MpiDefault=none",
            "ReturnToService=2",
            f"MaxArraySize={shape.max_array}",
            "MaxJobCount=20000",
            f"KillWait={shape.kill_wait}",
            "SlurmdTimeout=10",
            "InactiveLimit=0",
            "MinJobAge=5",  # forget finished jobs at once: nothing here may depend on SLURM's memory
            "SchedulerType=sched/backfill",
            "SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=10000,bf_interval=1",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU_Memory",
            "DefMemPerCPU=200",  # else a job that names no memory takes a whole node
        ]
        if shape.enforce_memory:
            lines += [
                "JobAcctGatherType=jobacct_gather/linux",
                "JobAcctGatherFrequency=task=1",
                "JobAcctGatherParams=OverMemoryKill,UsePss",
            ]
        else:
            lines += ["JobAcctGatherType=jobacct_gather/none"]
        for port, name in zip(ports[1:], self.node_names, strict=True):
            lines += [
                f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
                f"CPUs={shape.cpus} RealMemory={shape.memory_mb} State=UNKNOWN"
            ]
        partition = "PartitionName={} Nodes=ALL MaxTime=INFINITE DefaultTime=60 State=UP"
        if shape.preempt:
            lines += [
                "PreemptType=preempt/partition_prio",
                "PreemptMode=REQUEUE",
                # this is where 22.05 reads it; its manual names SchedulerParameters
                "SlurmctldParameters=preempt_send_user_signal",
                partition.format("main") + " Default=YES PriorityTier=1 GraceTime=10",
                partition.format("urgent") + " PriorityTier=10 PreemptMode=OFF",
            ]
        else:
            lines += [partition.format("main") + " Default=YES"]
        self.conf.write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def _port_block(count: int) -> Iterator[list[int]]:
    """`count` free neighbouring ports, kept from other clusters of this user until the daemons listen."""
    with open(Path(tempfile.gettempdir()) / f"crucible-slurm-ports.{os.getuid()}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for first in range(FIRST_PORT, LAST_PORT, 100):
            block = list(range(first, first + count))
            if all(_free(port) for port in block):
                yield block
                return
    raise ClusterError(f"no {count} free ports between {FIRST_PORT} and {LAST_PORT}")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["up", "env", "down"])
    parser.add_argument("home", metavar="DIR")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("--preempt", action="store_true")
    parser.add_argument("--install", action="store_true", help="fetch the Debian packages first (root)")
    parser.add_argument("--remove", action="store_true", help="down: delete DIR as well")
    wish = parser.parse_args()
    try:
        if wish.verb == "up":
            if wish.install and missing_programs():
                install_packages()
            cluster = Cluster(wish.home, Shape(nodes=wish.nodes, cpus=wish.cpus, preempt=wish.preempt))
            seconds = cluster.up()
            print(f'{wish.nodes} node(s) up in {seconds:.1f} s: eval "$(python {sys.argv[0]} env {wish.home})"')
        elif wish.verb == "env":
            for key, value in Cluster(wish.home).environment().items():
                print(f"export {key}='{value}'")
        else:
            Cluster(wish.home).down(remove=wish.remove)
    except ClusterError as error:
        sys.exit(f"cluster: {error}")


if __name__ == "__main__":
    main()
