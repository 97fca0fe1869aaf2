from __future__ import annotations

import pytest


@pytest.fixture
def path(tmp_path):
    """A run directory that is not there yet."""
    return tmp_path / "runs" / "exp" / "run-1"
