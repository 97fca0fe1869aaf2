"""What makes two configs the same run: everything but cosmetics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

# Top-level options that change where a run is kept, watched or saved, never its numbers.
COSMETIC = {
    "_target_": "the program, the same for all",
    "logger": "a mirror of the metrics",
    "experiment": "a folder name",
    "run_id": "a folder name; by default it is this very hash",
    "runs_dir": "where run directories are kept",
    "cache_dir": "where caches are kept; their keys hash their content",
    "dry_run": "looks, does not run",
    "alarms": "they look and speak, and change nothing",
    "reward_runtime": "where verifiers run; what it leaves out for a time-out is logged, never a number",
    "trouble": "a healthy run has the same numbers whatever it says; what it leaves out is logged",
    "watchdog": "ends a run that hangs",
    "resume": "what to do with a directory that exists",
    "checkpoint_every": "a run that resumes ends with the numbers of one that never stopped",
    "keep_checkpoints": "how many are kept",
    "figures": "drawn from the metrics, at any time",
    "samples_every": "which completions are stored to look at",
}
_AS_THEY_ARE = frozenset((str, int, bool))
HASH_DIGITS = 10  # 40 bits: a clash among 10,000 runs has a chance of 5e-5


Texts = dict[int, tuple[Any, str]]  # by id: a branch of a config, kept alive so that the id stays its own, and its text


def run_id(cfg: Mapping[str, Any], prefix: str | None = None, *, known: Texts | None = None) -> str:
    """A name for the run a resolved config makes, e.g. "seed1-3f0c9a71be".

    Equal for equal runs whatever the order of keys, 1 or 1.0, and cosmetics. `prefix` replaces
    "seed<seed>"; an empty one leaves the bare hash. `known` is filled and used by calls for configs that
    share branches, which must not be modified meanwhile.
    """
    parts = {str(key): _text(value, known) for key, value in essential(cfg).items()}
    text = "{" + ", ".join(f"{json.dumps(key)}: {parts[key]}" for key in sorted(parts)) + "}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
    if prefix is None:
        prefix = f"seed{cfg['seed']}" if "seed" in cfg else ""
    return f"{prefix}-{digest}" if prefix else digest


def essential(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The config without cosmetics."""
    return {key: value for key, value in cfg.items() if key not in COSMETIC}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """One line for each option, cosmetics aside, that differs: "algo.loss.beta1: 0.5 -> 0.75"."""
    left, right = (dict(_leaves(_canonical(essential(cfg)))) for cfg in (a, b))
    lines = []
    for path in sorted(left.keys() | right.keys()):
        if path not in left:
            lines.append(f"{path}: (not set) -> {_show(right[path])}")
        elif path not in right:
            lines.append(f"{path}: {_show(left[path])} -> (not set)")
        elif _show(left[path]) != _show(right[path]):
            lines.append(f"{path}: {_show(left[path])} -> {_show(right[path])}")
    return lines


def _text(branch: Any, known: Texts | None) -> str:
    """JSON of a branch, the same for equal branches."""
    if known is not None and id(branch) in known:
        return known[id(branch)][1]
    text = json.dumps(_canonical(branch), sort_keys=True, ensure_ascii=True)
    if known is not None and isinstance(branch, Mapping):
        known[id(branch)] = (branch, text)
    return text


def _canonical(value: Any) -> Any:
    if value is None or type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _show(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
