"""The stop flag: set by signals in the process that installed it, and agreed among ranks."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys

import pytest

from crucible.sweeps.signals import StopFlag, patient_python


@pytest.fixture
def flag():
    before = {s: signal.getsignal(s) for s in (signal.SIGUSR2, signal.SIGTERM, signal.SIGCONT)}
    made = StopFlag()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("signals", "wish"),
    [
        ([], None),
        ([signal.SIGUSR2], "requeue"),
        ([signal.SIGTERM], "stop"),
        ([signal.SIGTERM, signal.SIGUSR2], "requeue"),
        ([signal.SIGUSR2, signal.SIGTERM], "requeue"),
    ],
)
def test_signals_become_wishes(flag: StopFlag, signals: list[signal.Signals], wish: str | None) -> None:
    for number in signals:
        os.kill(os.getpid(), number)
    assert flag.requested() == wish
    assert flag.agreed() == wish
    flag.clear()
    assert flag.requested() is None


def test_a_forked_child_does_not_act_for_its_parent(flag: StopFlag) -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGUSR2)
        os._exit(0 if flag.requested() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert flag.requested() is None


def test_a_helper_process_survives_usr2() -> None:
    code = "import os, signal; from crucible.sweeps.signals import leave_to_the_program; "
    code += "leave_to_the_program(); os.kill(os.getpid(), signal.SIGUSR2)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    without = "import os, signal; os.kill(os.getpid(), signal.SIGUSR2)"
    assert subprocess.run([sys.executable, "-c", without], check=False).returncode == -signal.SIGUSR2


def test_a_notice_before_the_handler_is_not_lost_and_does_not_kill() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGUSR2); "
    code += "from crucible.sweeps.signals import stop_flag; stop_flag.install(); print(stop_flag.requested())"
    done = subprocess.run([*shlex.split(patient_python()), "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "requeue")


def test_two_ranks_agree_on_the_strongest_wish() -> None:
    """Real gloo processes: only rank 1 hears the signal, both leave the same step."""
    done = subprocess.run([sys.executable, "-c", _TWO_RANKS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["requeue", "requeue"]


_TWO_RANKS = """
import os, signal, sys, tempfile
import torch.distributed as dist, torch.multiprocessing as mp
from crucible.sweeps.signals import stop_flag

def rank(i, file, out):
    stop_flag.install()
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=i, world_size=2)
    assert stop_flag.agreed() is None
    if i == 1:
        os.kill(os.getpid(), signal.SIGUSR2)
    out.put(stop_flag.agreed())
    dist.barrier()

if __name__ == "__main__":
    mp.set_start_method("fork")
    out = mp.SimpleQueue()
    folder = tempfile.mkdtemp()
    ps = [mp.Process(target=rank, args=(i, folder + "/f", out)) for i in range(2)]
    [p.start() for p in ps]; print(out.get(), out.get()); [p.join() for p in ps]
    sys.exit(max(p.exitcode for p in ps))
"""
