"""The places at which a run is killed. Only tests know of them: they are put in by replacing functions in a child."""

from __future__ import annotations

import functools
import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

# what it is in the life of a run: (module, function in it, killed before or after its n-th call, largest useful n)
PLACES: dict[str, tuple[str, str, str, int]] = {
    "run directory made": ("crucible.rundir.config_file", "write_config", "after", 1),
    "provenance": ("crucible.rundir.provenance", "write_provenance", "before", 1),
    "policy built": ("crucible.modules.online_rl", "OnlineRL.__init__", "before", 1),
    "warm-up": ("crucible.policy.warmup", "probe_accuracy", "before", 2),
    "caching the warm-up": ("crucible.policy.policy", "Policy.save", "after", 1),
    "training the judge": ("crucible.modules.reward_model", "RewardModel.training_step", "after", 4),
    "caching the judge": ("crucible.modules.rm_scorer", "Judge.save", "before", 1),
    "rollout": ("crucible.rollout.embedded", "draw", "before", 20),
    "before the rewards": ("crucible.modules.online_rl", "OnlineRL.score", "before", 2),
    "after the rewards": ("crucible.modules.online_rl", "OnlineRL.score", "after", 2),
    "gradients": ("crucible.modules.objective", "Objective.backward", "after", 3),
    "mid-update": ("torch.optim.adamw", "AdamW.step", "after", 3),
    "evaluation": ("crucible.modules.evaluation", "Evaluation.accuracy", "before", 2),
    "samples": ("crucible.rundir.samples", "write_jsonl", "before", 2),
    "half a metrics line": ("crucible.rundir.jsonl", "JsonlWriter.write", "torn line", 6),
    "half a checkpoint": ("crucible.rundir.checkpoints", "_written", "torn file", 2),
    "checkpoint not yet read back": ("crucible.rundir.checkpoints", "fault", "before", 2),
    "pruning": ("crucible.rundir.checkpoints", "prune", "torn prune", 2),
    "between checkpoint and status": ("crucible.rundir.checkpoints", "prune", "after", 2),
    "status": ("crucible.rundir.status", "write_json", "before", 4),
    "any fsync": ("os", "fsync", "before", 20),
    "any replacement": ("os", "replace", "before", 9),
    "final policy": ("crucible.rundir.directory", "replace_folder", "torn folder", 1),
    "policy but not finished": ("crucible.rundir.directory", "replace_folder", "after", 1),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str, n: int) -> None:
    """Let this process die at the n-th time it comes by."""
    module_name, dotted, when, _ = PLACES[name]
    owner: Any = importlib.import_module(module_name)
    *path, attribute = dotted.split(".")
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, attribute), 0

    @functools.wraps(original)
    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < n:
            return original(*arguments, **options)
        if when == "before":
            die()
        if when != "after":
            TORN[when](*arguments)
            die()
        result = original(*arguments, **options)
        die()
        return result

    setattr(owner, attribute, counted)


def half_a_line(writer: Any, row: dict[str, Any]) -> None:
    from crucible.rundir.jsonl import line_of

    line = line_of(row)
    os.write(writer._fd, line[: len(line) // 2])


def half_a_file(write: Callable[[Path], None], temporary: Path, path: Path) -> None:
    write(temporary)
    os.truncate(temporary, temporary.stat().st_size // 2)


def half_a_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Beside an earlier one that has stepped aside already, were there one."""
    from crucible.rundir.atomic import temporary_name

    temporary = temporary_name(path)
    temporary.mkdir()
    fill(temporary)
    (temporary / "model.safetensors").unlink()


def half_a_prune(folder: Path, step: int, keep: int) -> None:
    """One of two files is gone: the checkpoint, its checksum stays."""
    from crucible.rundir.checkpoints import stored

    old = [path for s, path in stored(folder).items() if s < step]
    if len(old) >= keep:
        old[0].unlink()


TORN: dict[str, Callable[..., None]] = {
    "torn line": half_a_line,
    "torn file": half_a_file,
    "torn folder": half_a_folder,
    "torn prune": half_a_prune,
}
