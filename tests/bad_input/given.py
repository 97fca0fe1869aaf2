"""What a case needs that is no plain file: broken model folders, runs that exist, a disk that is full.

Each is a `Given`: the words for the page, and a context manager that makes it in the case's folder.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import pickle
import pwd
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from crucible.rundir.code import source_hashes
from tests.conftest import ROOT, SMALL


@dataclass(frozen=True)
class Given:
    words: str
    make: Callable[[Path], AbstractContextManager[None]]

    def __call__(self, folder: Path) -> AbstractContextManager[None]:
        return self.make(folder)


def given(words: str) -> Callable[[Callable[[Path], Iterator[None] | None]], Given]:
    """Turns a function of the folder into a Given: one that yields lasts while the case runs."""

    def wrap(function: Callable[[Path], Iterator[None] | None]) -> Given:
        @contextlib.contextmanager
        def make(folder: Path) -> Iterator[None]:
            result = function(folder)
            yield from result if result is not None else iter([None])

        return Given(words, make)

    return wrap


# -- model folders ---------------------------------------------------------------------------------


@functools.cache
def _whole_model() -> Path:
    from crucible.policy.tiny import untrained

    path = Path(tempfile.mkdtemp()) / "model"
    untrained(hidden_size=32, layers=1, heads=2, intermediate_size=32, context_length=64).save(path)
    return path


def model(words: str, damage: Callable[[Path], object] = lambda path: None) -> Given:
    """A model folder `model/`, with this done to it."""

    @given(words)
    def make(folder: Path) -> None:
        shutil.copytree(_whole_model(), folder / "model")
        damage(folder / "model")

    return make


def weights(content: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        file = path / "model.safetensors"
        file.write_bytes(content(file.read_bytes()))

    return damage


def config(**changes: object) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        file = path / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return damage


def without(*parts: str) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        for file in path.iterdir():
            if any(part in file.name for part in parts):
                file.unlink()

    return damage


class Attack:
    """Unpickled, it would make a file."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("attacked",)


def pickled(path: Path) -> None:
    import torch

    (path / "model.safetensors").unlink()
    torch.save({"weight": Attack()}, path / "pytorch_model.bin")


# -- runs that exist -------------------------------------------------------------------------------


@functools.cache
def _whole_run() -> Path:
    """A finished small run of two steps, id "mine"."""
    from crucible.config.compose import compose
    from crucible.run import run

    places = Path(tempfile.mkdtemp())
    here = [f"runs_dir={places / 'runs'}", f"cache_dir={places / 'cache'}", "checkpoint_every=1", "run_id=mine"]
    with contextlib.redirect_stdout(None):
        return run(**compose([*SMALL, *here], ROOT).config)


def run_that_exists(words: str, change: Callable[[Path], object] = lambda path: None, state: str = "failed") -> Given:
    """The run runs/ce_gppo-exact/mine after two steps, with this done to it; `state` is what its status says."""

    @given(words)
    def make(folder: Path) -> Iterator[None] | None:
        path = folder / "runs" / "ce_gppo-exact" / "mine"
        shutil.copytree(_whole_run(), path)
        status = json.loads((path / "status.json").read_text())
        (path / "status.json").write_text(json.dumps(status | {"state": state}))
        facts = json.loads((path / "provenance.json").read_text())
        (path / "provenance.json").write_text(json.dumps(facts | {"code": source_hashes()}))
        lasting = change(path)
        return lasting if isinstance(lasting, Iterator) else None

    return make


def checkpoints(damage: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        for file in path.glob("checkpoints/*.ckpt"):
            damage(file)

    return change


def signed(content: Callable[[Path], object]) -> Callable[[Path], object]:
    """The change to a checkpoint, and a checksum that fits it: what a forger would do."""

    def damage(file: Path) -> None:
        content(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        file.with_name(file.name + ".sha256").write_text(f"{digest}  {file.name}\n")

    return damage


def forged(file: Path) -> None:
    file.write_bytes(pickle.dumps(Attack()))


def of_a_wider_model(file: Path) -> None:
    import torch

    stored = torch.load(file, weights_only=True)
    stored["state_dict"] = {name: torch.cat([x, x]) for name, x in stored["state_dict"].items()}
    torch.save(stored, file)


def of_other_names(file: Path) -> None:
    import torch

    stored = torch.load(file, weights_only=True)
    stored["state_dict"] = {f"other.{name}": x for name, x in stored["state_dict"].items()}
    torch.save(stored, file)


def locked(path: Path) -> Iterator[None]:
    import fcntl

    with (path / "run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps({"pid": 1, "host": "elsewhere", "since": "noon"}))
        file.flush()
        yield


def of_other_code(path: Path) -> None:
    file = path / "provenance.json"
    facts = json.loads(file.read_text())
    facts["code"]["run.py"] = "0" * 12
    file.write_text(json.dumps(facts))


# -- the machine -----------------------------------------------------------------------------------


def no_folder(words: str, error: int) -> Given:
    """The system's answer to every new folder in the case's place."""

    @given(words)
    def make(folder: Path) -> Iterator[None]:
        mkdir = os.mkdir

        def refuse(path: object, *rest: object, **more: object) -> None:
            if str(Path(str(path)).absolute()).startswith(str(folder)):
                raise OSError(error, os.strerror(error), str(path))
            mkdir(path, *rest, **more)  # type: ignore[arg-type]

        with mock.patch.object(os, "mkdir", refuse):
            yield

    return make


def full_when_writing(words: str, name: str) -> Given:
    """No space is left when a file of this name is opened for writing."""

    @given(words)
    def make(folder: Path) -> Iterator[None]:
        opens = os.open

        def refuse(path: object, flags: int, *rest: object, **more: object) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR) and name in str(path) and isinstance(path, str | Path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return opens(path, flags, *rest, **more)  # type: ignore[arg-type]

        with mock.patch.object(os, "open", refuse):
            yield

    return make


def missing_package(name: str) -> Given:
    @given(f"the package {name} is not installed")
    def make(folder: Path) -> Iterator[None]:
        gone = {module: None for module in sys.modules if module.partition(".")[0] == name} | {name: None}
        with mock.patch.dict(sys.modules, gone):  # type: ignore[arg-type]
            yield

    return make


@given("a user without a home directory")
def no_home(folder: Path) -> Iterator[None]:
    with mock.patch.object(pwd, "getpwuid", side_effect=KeyError("no such user")):
        yield


@given("a folder `runs` that is a file")
def runs_is_a_file(folder: Path) -> None:
    (folder / "runs").write_text("")


@given("a folder of yours where the run would go")
def stranger(folder: Path) -> None:
    path = folder / "runs" / "ce_gppo-exact" / "mine"
    path.mkdir(parents=True)
    (path / "thesis.tex").write_text("")


@given("a whole model folder, and the package peft is not installed")
def a_model_without_peft(folder: Path) -> Iterator[None]:
    with model("")(folder), missing_package("peft")(folder):
        yield


@given("a cached warm-up whose weights are truncated")
def damaged_warm_up(folder: Path) -> Iterator[None]:
    from crucible.policy import warmup_cache

    place = warmup_cache.folder

    def damaged(cache_dir: Path, description: dict[str, object]) -> Path:
        return place(cache_dir, {})

    path = place(folder / ".cache", {})
    shutil.copytree(_whole_model(), path)
    weights(lambda content: content[:-1000])(path)
    (path / "warmup.json").write_text('{"steps": 1, "accuracy": 0.3, "seconds": 1.0, "seen_ids": []}')
    with mock.patch.object(warmup_cache, "folder", damaged):
        yield
