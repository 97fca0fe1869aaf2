"""What an update frees stays with the process: the pages of its large blocks are not asked for again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Where glibc gives memory back by itself depends on what lies above it; with these every large block is.
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
PROGRAM = """
import resource, sys, torch
from crucible.modules.freed_memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for turn in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.empty(2_500_000).fill_(1.0) for _ in range(5)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> int:
    """Pages of the last of six rounds."""
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, env=os.environ | GIVES_BACK, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is of glibc")
def test_pages_are_kept():
    assert pages("keep") < 100
    assert pages("leave") > 10_000  # of 12,200: five blocks of 10 MB


def test_the_trainer_keeps_them_unless_told_not_to(monkeypatch):
    from crucible.modules import trainer

    class Module:
        epochs = 1

    calls = []
    monkeypatch.setattr(trainer, "keep_freed_memory", lambda: calls.append(1))
    trainer.lightning_trainer(module=Module(), accelerator="cpu", keep_memory=False)
    assert calls == []
    trainer.lightning_trainer(module=Module(), accelerator="cpu")
    assert calls == [1]
