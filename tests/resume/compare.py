"""What two runs must have in common, to the bit, if one was killed and the other was not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TIMINGS = ("time/", "perf/")


def differences(whole: Path, killed: Path) -> list[str]:
    """Where a run that was killed differs from one that was not; nothing is what must come out."""
    from crucible.rundir import read_metrics, read_status

    found = []
    if (state := read_status(killed)["state"]) != "finished":
        found.append(f"it is {state}, not finished")
    rows = [[timeless(row) for row in read_metrics(run)] for run in (whole, killed)]
    if len(rows[0]) != len(rows[1]):
        found.append(f"{len(rows[1])} rows of metrics instead of {len(rows[0])}")
    for i, (a, b) in enumerate(zip(*rows, strict=False)):
        wrong = [name for name in sorted(a.keys() | b.keys()) if not same(a.get(name), b.get(name))]
        found += [f"row {i} (step {a.get('step')}): {name} {a.get(name)} != {b.get(name)}" for name in wrong]
    for folder in ("samples", "policy"):
        a, b = (digests(run / folder) for run in (whole, killed))
        found += [f"{folder}/{name} differs" for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    found += last_checkpoints_differ(whole, killed)
    found += [f"left behind: {path}" for path in killed.rglob(".*")]
    return found


def last_checkpoints_differ(whole: Path, killed: Path) -> list[str]:
    """Weights, optimiser, schedule, random states and the state of every part, and how many checkpoints are kept."""
    import torch

    names = [sorted(p.name for p in (run / "checkpoints").iterdir()) for run in (whole, killed)]
    if names[0] != names[1]:
        return [f"checkpoints {names[1]} instead of {names[0]}"]
    last = max(name for name in names[0] if name.endswith(".ckpt"))
    states = [torch.load(run / "checkpoints" / last, weights_only=True) for run in (whole, killed)]
    a, b = (dict(leaves(state)) for state in states)
    wrong = [name for name in sorted(a.keys() | b.keys()) if not same(a.get(name), b.get(name))]
    return [f"{last}: {', '.join(wrong[:5])}{f' and {len(wrong) - 5} more' if len(wrong) > 5 else ''}"] if wrong else []


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value and tensor with its place, but for seconds (alarms remember those of a verifier's calls)."""
    if "seconds" in at:
        return
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{at}.{key}")
    elif isinstance(value, list | tuple) and value:
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{at}[{i}]")
    else:
        yield at, value


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith(TIMINGS) and "seconds" not in name}


def same(a: Any, b: Any) -> bool:
    """Equal to the bit; NaN is NaN."""
    import torch

    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def digests(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(content(p)).hexdigest() for p in files}


def content(file: Path) -> bytes:
    """What is in a file; of the notes of a reward model, without the seconds it took."""
    if file.name != "reward_model.json":
        return file.read_bytes()
    notes = json.loads(file.read_bytes())
    return json.dumps({name: value for name, value in notes.items() if "seconds" not in name}).encode()
