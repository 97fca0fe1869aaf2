"""Ask a running training loop to stop, without doing any work inside a signal handler.

    from crucible.sweeps.signals import stop_flag

    stop_flag.install()                 # main thread; again in on_train_start, because Lightning's
                                        # own SIGTERM handler is set when fit() begins
    ... at the end of each step, on every rank:
    wish = stop_flag.agreed()           # the same answer on all ranks
    if wish is not None:                # "requeue" or "stop"
        checkpoint; write_status("preempted", step=step); leave the loop

USR2 is SLURM's notice of the time limit or of a preemption (`#SBATCH --signal=USR2@...`): save and
go on in another job, "requeue". TERM alone is a cancellation, or a preemption after which SLURM
requeues by itself: save, "stop". The loop only saves and leaves; the worker
(crucible.sweeps.worker) does the requeueing after `run(**config)` has returned.

A handler that saves would deadlock under DDP (only one rank enters the barrier) and would save once
per forked data worker. So handlers only set a flag, children of fork are told apart by their pid,
and helper processes (the workers of the rewards) call `leave_to_the_program`. Use
`SLURMEnvironment(auto_requeue=False)`.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from types import FrameType
from typing import Literal

Wish = Literal["requeue", "stop"]
_WISHES: tuple[Wish | None, ...] = (None, "stop", "requeue")  # the greater one wins among ranks


class StopFlag:
    """What signals have asked of this process so far."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._wish = 0

    def install(self) -> None:
        """Take over USR2 and TERM. Outside the main thread Python cannot: then nothing is changed."""
        self._pid = os.getpid()
        if threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGUSR2, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        # submitit logs a CONT that comes before each TERM; the default action is all that is needed
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})  # a notice held back since the start arrives

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a forked data worker: the parent decides
            return
        self._wish = max(self._wish, 2 if number == signal.SIGUSR2 else 1)

    def requested(self) -> Wish | None:
        """The wish of this process alone."""
        return _WISHES[self._wish]

    def agreed(self) -> Wish | None:
        """The strongest wish of all ranks. Collective: every rank must call it at the same step."""
        distributed = sys.modules.get("torch.distributed")
        if distributed is None or not distributed.is_available() or not distributed.is_initialized():
            return self.requested()
        import torch

        on_gpu = distributed.get_backend() == "nccl"
        wish = torch.tensor([self._wish], device="cuda" if on_gpu else "cpu")
        distributed.all_reduce(wish, op=distributed.ReduceOp.MAX)
        self._wish = int(wish.item())
        return self.requested()

    def clear(self) -> None:
        """Forget what was asked (for the next run in the same process)."""
        self._wish = 0


def leave_to_the_program() -> None:
    """In a helper process: SLURM signals every process of a job step, a terminal every process of its group, and only
    the program acts; it ends its helpers itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def patient_python() -> str:
    """Shell command for a Python in which USR2 waits until `StopFlag.install`.

    Importing takes seconds, and USR2 without a handler kills. SLURM may send the notice of a short time
    limit right after the start.
    """
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})"
    code = f"import os, signal, sys; {block}; os.execv(sys.argv[1], sys.argv[1:])"
    return shlex.join([sys.executable, "-I", "-S", "-c", code, sys.executable])


stop_flag = StopFlag()
