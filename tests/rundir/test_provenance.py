"""Provenance says where numbers came from, and holds no credentials."""

from __future__ import annotations

import json
import subprocess

import pytest

from crucible.errors import UserError
from crucible.rundir.code import changed_files, code_version, git_state, source_hashes
from crucible.rundir.provenance import collect, command_line
from crucible.rundir.samples import read_samples, sampled_steps, write_samples
from crucible.rundir.secrets import REDACTED, redact

SECRETS = [
    "hf_" + "aB3" * 11,
    "sk-" + "x1" * 20,
    "ghp_" + "a1B2" * 9,
    "AKIA" + "ABCDEFGH12345678",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_well_known_tokens_go(secret):
    assert redact(f"before {secret} after") == f"before {REDACTED} after"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("wandb_api_key = 'abcdef123456'", f"wandb_api_key = '{REDACTED}'"),
        ("+logger.api_key=abcdef123", f"+logger.api_key={REDACTED}"),
        ('"password": "hunter22"', f'"password": "{REDACTED}"'),
        ("https://user:pass@host/repo.git", f"https://user:{REDACTED}@host/repo.git"),
        ("eos_token = '<|im_end|>'; max_tokens=512", "eos_token = '<|im_end|>'; max_tokens=512"),
        ("python train.py optim.lr=1e-4 algo=ce_gppo", "python train.py optim.lr=1e-4 algo=ce_gppo"),
    ],
)
def test_assignments_and_urls(text, left):
    assert redact(text) == left


def test_the_environment_is_not_stored(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "a-very-secret-value")
    monkeypatch.setenv("WANDB_API_KEY", "b" * 40)
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    facts = collect(seeds={"seed": 1}, command=command_line(["train.py", "x=a b", "key.api_key=abcdefgh"]))
    text = json.dumps(facts)
    assert "a-very-secret-value" not in text
    assert "b" * 40 not in text
    assert facts["command"] == f"python train.py 'x=a b' key.api_key={REDACTED}"
    assert facts["variables"]["SLURM_JOB_ID"] == "77"
    assert facts["packages"]["numpy"].count(".") == 2
    assert facts["hardware"]["memory_gib"] > 0
    assert facts["code_version"] == code_version() == code_version(facts["code"])
    assert "rundir/code.py" in facts["code"]


def test_code_versions_differ_exactly_when_sources_do(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("no code")
    before = source_hashes(tmp_path)
    (tmp_path / "notes.txt").write_text("other")
    assert source_hashes(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    (tmp_path / "b.py").write_text("")
    after = source_hashes(tmp_path)
    assert code_version(before) != code_version(after)
    assert changed_files(before, after) == ["a.py", "b.py"]


def test_git_state_has_the_dirty_diff_and_no_secret_files(tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip

    git("init", "-q")
    assert git_state(tmp_path)["commit"] is None
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "prod.env").write_text("A=1\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "a.py").write_text("x = 2\napi_key = 'abcdefgh'\n")
    (tmp_path / "prod.env").write_text("A=topsecret\n")
    (tmp_path / "new.py").write_text("y = 'content of new files is not stored'\n")
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40
    assert state["dirty"] is True
    assert "+x = 2" in state["diff"]
    assert REDACTED in state["diff"]
    assert "topsecret" not in json.dumps(state)
    assert "abcdefgh" not in json.dumps(state)
    assert state["untracked"] == ["new.py"]


def test_no_git_checkout_is_said(tmp_path):
    assert git_state(tmp_path) == {"commit": None, "reason": "not a git checkout with a commit"}


def test_samples_come_back(tmp_path):
    rows = [
        {
            "prompt": "NaN",
            "completion": "Infinity",
            "reward": float("nan"),
            "components": {"a": float("inf")},
            "success": True,
        }
    ]
    write_samples(tmp_path, 25, rows)
    write_samples(tmp_path, 100, [{"prompt": [{"role": "user", "content": "ä"}], "completion": "\ud800"}])
    assert sampled_steps(tmp_path) == [25, 100]
    (back,) = read_samples(tmp_path, 25)
    assert (back["prompt"], back["completion"], back["success"]) == ("NaN", "Infinity", True)
    assert back["reward"] != back["reward"]
    assert back["components"] == {"a": float("inf")}
    assert read_samples(tmp_path, 100)[0]["prompt"][0]["content"] == "ä"
    with pytest.raises(UserError, match=r"no samples of step 30 .*the nearest step is 25"):
        read_samples(tmp_path, 30)
    with pytest.raises(ValueError, match=r"no 'completion'"):
        write_samples(tmp_path, 1, [{"prompt": "x"}])
