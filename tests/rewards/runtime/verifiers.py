"""Verifiers that behave badly in every way there is; called in the workers."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from crucible.errors import UserError
from crucible.rewards.base import per_sample


@per_sample()
def misbehave(prompt, completion, *, factor: float = 1.0):
    """The text says what to do."""
    what, _, argument = completion.text.partition(" ")
    if what == "value":
        return factor * float(argument)
    if what == "abstain":
        return None
    if what == "raise":
        raise ValueError(argument)
    if what == "exit":
        sys.exit(3)
    if what == "die":
        os._exit(7)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "loop":
        while True:
            pass
    if what == "sleep":
        time.sleep(float(argument))
        return 1.0
    if what == "hold":  # a C call that never gives the interpreter back
        ctypes.PyDLL(None).sleep(1000)
    if what == "ignore":  # signals do not help
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(1000)
    if what == "child":  # leaves a process behind and hangs
        subprocess.Popen(["sleep", argument])
        time.sleep(1000)
    if what == "memory":
        return float(len(bytearray(100_000_000_000)))
    if what == "nan":
        return float("nan")
    if what == "flood":
        print("x" * 10_000_000)
        return 2.0
    if what == "recurse":
        return misbehave.__wrapped__(prompt, completion)
    if what == "refuse":
        raise UserError("options: nothing fits")
    if what == "secret":
        return float(any("SECRET" in name for name in os.environ))
    if what == "torch":
        return float("torch" in sys.modules)
    raise AssertionError(what)


@per_sample()
def own_time(prompt, completion, *, timeout: float = 0.3):
    time.sleep(float(completion.text))
    return timeout
