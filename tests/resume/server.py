"""Starts runs as processes of their own without importing torch for each: one forked child an attempt.

    python -m tests.resume.server     reads one JSON line a job, {"config", "kill", "after_s", "log"}; answers one each

`kill` names a place (tests.resume.places) at which the child kills itself, `after_s` a time after which it is killed.
Both are SIGKILL: nothing of the child runs afterwards. The answer: {"code": exit code, -9 for a kill, "seconds",
"hung": it was killed since it did not end}.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import sys
import time
from typing import Any

LIMIT_S = 600.0  # for an attempt that is not to be killed


def prepare() -> None:
    """Everything that is the same for all children."""
    import lightning.pytorch  # noqa: F401
    import torch
    from transformers import Qwen3ForCausalLM  # noqa: F401

    import crucible.run  # noqa: F401
    from crucible.modules import online_rl, reward_model  # noqa: F401
    from crucible.rundir import code, existing, provenance

    torch.set_num_threads(1)
    hashes = code.source_hashes()  # once: the sources of these processes do not change any more
    for module in (code, existing, provenance):
        module.source_hashes = lambda root=None: dict(hashes)
    code.git_state = functools.cache(code.git_state)
    code.git_state()
    gc.collect()
    gc.freeze()


def child(job: dict[str, Any]) -> None:
    """The attempt; never returns."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        from crucible.run import run
        from tests.resume.places import arm

        if job.get("kill"):
            arm(*job["kill"])
        run(**job["config"])
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def attempt(job: dict[str, Any]) -> dict[str, Any]:
    """One child from its fork to its end."""
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(job)
    limit = LIMIT_S if job.get("after_s") is None else job["after_s"]
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() - started > limit:
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
        time.sleep(0.002)
    hung = limit == LIMIT_S and time.monotonic() - started > limit
    return {"code": os.waitstatus_to_exitcode(ended[1]), "seconds": time.monotonic() - started, "hung": hung}


if __name__ == "__main__":
    prepare()
    for line in sys.stdin:
        print(json.dumps(attempt(json.loads(line))), flush=True)
