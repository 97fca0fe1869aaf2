"""A laboratory for sweeps: the trial program, sweep files and a runs folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweeps.lab import TRIAL, Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.syspath_prepend(str(TRIAL))
    monkeypatch.setenv("PYTHONPATH", Lab.python_path())
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Lab(tmp_path)
