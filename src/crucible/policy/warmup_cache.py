"""Keeps warmed-up models: one folder for each combination of model, options, task and source code."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from crucible.errors import UserError
from crucible.policy.policy import Policy, load
from crucible.policy.warmup import WarmUp, WarmUpRecord
from crucible.pulse import beat

# The code a warm-up's outcome depends on, beside the task's.
_SOURCES = ("policy.py", "tiny.py", "token_stats.py", "tokenizer.py", "warmup.py")
_PLAIN = (str, int, float, bool, type(None))


def describe(*, model: dict[str, Any], warmup: WarmUp, task: Any) -> dict[str, Any]:
    """Everything the outcome depends on, as plain values; the folder's name is a hash of this."""
    files = [Path(__file__).with_name(name) for name in _SOURCES]
    for module in sorted({cls.__module__ for cls in type(task).__mro__} - {"builtins"}):
        source = Path(getattr(sys.modules[module], "__file__", None) or __file__)
        beside = source.parent.glob("*.py") if (source.parent / "__init__.py").exists() else [source]
        files += sorted(beside)
    digest = blake2b(digest_size=16)
    for file in dict.fromkeys(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return {"model": model, "warmup": vars(warmup), "task": signature(task), "code": digest.hexdigest()}


def signature(task: Any) -> dict[str, Any]:
    """The settings of a task: its `signature()`, its dataclass fields, or its public plain attributes."""
    kind = {"class": f"{type(task).__module__}.{type(task).__qualname__}"}
    if hasattr(task, "signature"):
        return kind | dict(task.signature())
    if dataclasses.is_dataclass(task) and not isinstance(task, type):
        return kind | dataclasses.asdict(task)
    public = {name: value for name, value in vars(task).items() if not name.startswith("_")}
    return kind | {name: value for name, value in sorted(public.items()) if isinstance(value, _PLAIN)}


def folder(cache_dir: Path, description: dict[str, Any]) -> Path:
    text = json.dumps(description, sort_keys=True, default=str)
    return cache_dir / "warmup" / blake2b(text.encode(), digest_size=8).hexdigest()


def read(path: Path) -> tuple[Policy, WarmUpRecord] | None:
    """The policy kept in `path` and how it was made, or None when there is none. UserError for a damaged one."""
    notes = path / "warmup.json"
    if not notes.is_file():
        return None
    try:
        told = json.loads(notes.read_text())
        record = WarmUpRecord(told["steps"], told["accuracy"], told["seconds"], tuple(told["seen_ids"]))
        return load(path), record
    except (ValueError, KeyError, TypeError, UserError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the cached warm-up {path} is damaged ({reason}); delete that folder") from error


def prepare(path: Path) -> None:
    """Refuses a place that cannot be written, before any work is done for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(dir=path.parent).cleanup()
    except OSError as error:
        raise UserError(f"cannot write the warm-up to {path.parent}: {error.strerror}; set cache_dir") from error


@contextmanager
def alone(path: Path, report: Callable[[str], None], *, every: float = 1.0) -> Iterator[None]:
    """One process at a time makes the warm-up of `path`; others wait, so that runs begun together share one start.

    The kernel frees the lock of a process that dies. Where files cannot be locked, nobody waits.
    """
    prepare(path)
    lock = path.with_name(f"{path.name}.lock")
    told = False
    while (file := _locked(lock)) is None:
        if not told:
            report(f"another run is making the warm-up {path}: waiting for it")
        told = True
        beat()
        time.sleep(every)
    with file:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _locked(lock: Path) -> IO[str] | None:
    """The lock's file, held; None while another process holds it."""
    file = lock.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino == lock.stat().st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):  # held, or just removed by whoever held it
        pass
    except OSError:  # a file system without locks
        return file
    file.close()
    return None


def write(path: Path, policy: Policy, record: WarmUpRecord, description: dict[str, Any]) -> None:
    """Appears under `path` complete or not at all. Whoever comes second keeps the first one's folder."""
    prepare(path)
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.", suffix=".partial", dir=path.parent) as partial:
        model = Path(partial) / "model"
        policy.save(model)
        notes = dataclasses.asdict(record) | {"made_from": description}
        (model / "warmup.json").write_text(json.dumps(notes, indent=1, default=str))
        try:
            os.rename(model, path)
        except OSError:
            if not (path / "warmup.json").is_file():  # not simply another process that was quicker
                raise
