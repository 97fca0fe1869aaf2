"""A real SLURM on one machine, for tests: munge, one controller, any number of pretend nodes.

Everything (key, sockets, state, spool, logs, pid files) lives in one folder and all ports are on loopback,
so several clusters run side by side, as root or as anybody, without systemd. By hand: python -m tests.slurm --help
"""

from __future__ import annotations

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
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.slurm.cluster_conf import Shape, slurm_conf
from tests.slurm.packages import SEARCH, missing_programs

FIRST_PORT, LAST_PORT = 20100, 29900  # below the ephemeral range, so no client socket takes one
MARK = "cluster.json"


class ClusterError(RuntimeError):
    pass


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

    def notify(self, job: str) -> None:
        """USR2 to the job step of a running job or array element, once, as at a time limit.

        By the number of the step: for an array element whose siblings wait, Slurm 22.05 sends the signal and still
        answers "try again later", so that scancel sends it again every 5 s.
        """
        (number,) = self.run("squeue", "-h", "-j", job, "-o", "%A").split()
        self.run("scancel", "--signal=USR2", f"{number}.0", timeout=120)

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
                self.conf.write_text(slurm_conf(self.home, self.shape, ports))
                self._start_munge()
                self.start_controller()
                for name in self.shape.node_names:
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
        for name in self.shape.node_names:
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
        self.mend()
        self._wait_for_idle()

    def mend(self) -> None:
        """Every node's daemon lives and takes jobs again: SLURM drains a node on which a job fails to launch."""
        for name in self.shape.node_names:
            if self._alive(f"slurmd.{name}") is None:
                self.start_node(name)
            state = self.run("sinfo", "-h", "-N", "-n", name, "-o", "%T", check=False).split()
            if not set(state) <= {"idle", "completing", "mixed", "allocated"}:
                self.run("scontrol", "update", f"nodename={name}", "state=resume", check=False)

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
            return lines == {f"{name} idle" for name in self.shape.node_names}

        if not _wait(idle, 20):
            raise ClusterError(f"the nodes did not come up:\n{self.run('sinfo', '-N', check=False)}")


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
