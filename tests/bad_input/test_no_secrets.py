"""Nothing of the environment, and no key, is in what a run or a sweep writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crucible.config.compose import compose
from crucible.errors import UserError
from tests.conftest import ROOT, SMALL

SECRETS = {
    "HF_TOKEN": "hf_" + "Zq7" * 11,
    "OPENAI_API_KEY": "sk-" + "Wx4" * 14,
    "AWS_SECRET_ACCESS_KEY": "Kp9/" * 10,
    "WANDB_API_KEY": "0f1e2d3c" * 5,
    "MY_PRIVATE_NOTE": "unlikely-text-73619",
}


@pytest.mark.slow
def test_no_variable_of_the_environment_is_in_a_run_directory(tmp_path: Path) -> None:
    """With W&B offline, which writes metadata of its own into it; logs and caches are looked through as well."""
    wanted = ["logger=wandb", "logger.mode=offline", "figures=true"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *SMALL, *wanted],
        cwd=tmp_path,
        env={**os.environ, **SECRETS, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("wandb" in str(path) for path in files)
    for path in files:
        content = path.read_bytes()
        for name, value in SECRETS.items():
            assert value.encode() not in content, f"{name} is in {path}"


@pytest.mark.parametrize(
    "override",
    [
        "experiment=hf_abcdefghijklmnopqrstuvwxyz",
        "+reward.api_key=0123456789",
        "data.path='https://me:mypassword@host/q.jsonl'",
        "experiment='Bearer abcdefgh12345678'",
        "experiment='export WANDB_API_KEY=abcdefgh'",
    ],
)
def test_a_credential_in_a_config_is_refused_before_anything_is_written(override: str) -> None:
    """Sweeps too keep the configs of their points, and check them in the same way."""
    from crucible.sweeps.program import RULES

    composed = compose(["data=jsonl", "data.path=x", override], ROOT, checked=False)
    with pytest.raises(UserError, match="looks like a credential") as refused:
        RULES.enforce(composed)
    assert override.partition("=")[2].strip("'") not in str(refused.value)
