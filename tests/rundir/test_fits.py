"""A checkpoint of another model, or of code, is refused before any of it is used."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from crucible.errors import UserError
from crucible.rundir.fits import refuse_foreign

STATE = {"a.weight": torch.zeros(3, 2), "b": torch.ones(())}


class Attack:
    def __reduce__(self):
        return os.mkdir, ("attacked",)


def stored(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def test_its_own_checkpoint_fits(tmp_path):
    more = {"state_dict": {**STATE, "optimiser": torch.ones(5)}, "epoch": 3, "rng": [1, (2, None)]}
    refuse_foreign(stored(tmp_path / "x.ckpt", more), STATE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"state_dict": {"a.weight": STATE["a.weight"]}}, r"another model: it has no b \(1 are missing\)"),
        ({"state_dict": {**STATE, "a.weight": torch.zeros(3, 4)}}, r"a.weight is \(3, 4\) there and \(3, 2\) here"),
        ({"weights": STATE}, "it has no state_dict"),
        ([1, 2], "it has no state_dict"),
        ({"state_dict": STATE, "hook": Attack()}, "holds code, which is never run"),
    ],
)
def test_another_one_does_not(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        refuse_foreign(stored(tmp_path / "x.ckpt", content), STATE)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    "noise", [b"", b"PK\x03\x04", b"x" * 999, pickle.dumps(Attack()), pickle.dumps({"state_dict": {}})]
)
def test_noise_and_bare_pickles(tmp_path, monkeypatch, noise):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.ckpt").write_bytes(noise)
    with pytest.raises(UserError, match="no checkpoint of ours"):
        refuse_foreign(tmp_path / "x.ckpt", STATE)
    assert not (tmp_path / "attacked").exists()
