"""What `dry_run=true` prints: the config, the batch arithmetic, what would be written. Loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from crucible.config.batch import Batch
from crucible.config.identity import run_id
from crucible.config.learns_from import batch_node, in_words, learns_from
from crucible.config.signatures import read
from crucible.errors import UserError
from crucible.visible import visible


def report(config: Mapping[str, Any]) -> str:
    """The whole text of a dry run, for a config that was checked."""
    parts = ["# The resolved config", yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)]
    if "batch" in config and _samples(config):
        node = {key: value for key, value in batch_node(config).items() if key != "_target_"}
        noun, steps = learns_from(config.get("algo")), config.get("steps")
        words = in_words(noun, node, steps) if noun else Batch(**node).in_words(steps)
        parts += ["# The batch in words", words.replace("; ", "\n"), ""]
    parts += ["# What would be written", *written(config), "", "Dry run: nothing was loaded or written."]
    return "\n".join(parts)


def written(config: Mapping[str, Any]) -> list[str]:
    """The run directory and what goes into it, one line each."""
    path = run_directory(config)
    steps = config.get("steps")
    lines = [f"run directory   {path}{_state(path, config)}"]
    lines += ["metrics         one line for each optimiser step and each evaluation"]
    if every := config.get("checkpoint_every"):
        keep = config.get("keep_checkpoints")
        lines.append(f"checkpoints     every {every} steps" + (f", the last {keep} kept" if keep else ""))
    evaluation = config.get("evaluation")
    if isinstance(evaluation, Mapping) and "every" in evaluation and _samples(config):
        lines.append(f"evaluation      before, every {evaluation['every']} steps, after step {steps}")
    if (every := config.get("samples_every")) and _samples(config) and not learns_from(config.get("algo")):
        lines.append(f"samples         every {every} steps")
    return [*lines, "also            config.yaml, provenance.json, status.json, policy/, figures/"]


def _samples(config: Mapping[str, Any]) -> bool:
    """Does the algorithm take a `batch`, and evaluate by sampling? A reward model of a recipe does neither."""
    target = config.get("algo", {}).get("_target_")
    return target is None or ("batch" in read(target).parameters and not config["algo"].get("recipe"))


def run_directory(config: Mapping[str, Any]) -> Path:
    """runs_dir/experiment/run_id, the id being the hash of the config where none is given.

    Errors: UserError for names that would lead out of runs_dir.
    """
    for option in ("runs_dir", "cache_dir"):
        if not str(config.get(option, option)).strip():
            raise UserError(f"{option} is empty: name a folder")
    name = Path(str(config.get("run_id") or run_id(config)))
    if len(name.parts) != 1 or ".." in name.parts:
        raise UserError(f"run_id={name}: must be the name of one folder, without / and ..")
    refuse_invisible("run_id", str(name))
    return Path(str(config.get("runs_dir", "runs"))) / experiment_folder(str(config.get("experiment", "."))) / name


def experiment_folder(experiment: str) -> Path:
    """The folder of an experiment, in runs_dir. Errors: UserError for one that is nowhere or would lead out of it."""
    path = Path(experiment)
    if not experiment.strip():
        raise UserError("experiment is empty: name a folder")
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"experiment={experiment}: must be a folder inside runs_dir, without ..")
    refuse_invisible("experiment", experiment)
    return path


def refuse_invisible(option: str, name: str) -> None:
    """Errors: UserError for a name that nobody could type again: spaces around it, or characters without a sign."""
    if name != name.strip() or visible(name) != name or "\n" in name:
        raise UserError(f"{option}={visible(name)!r}: has spaces around it, or characters that cannot be seen")


def _state(path: Path, config: Mapping[str, Any]) -> str:
    """How a directory that exists already stands."""
    status = path / "status.json"
    if not path.exists():
        return " (new)"
    try:
        state = json.loads(status.read_text(encoding="utf-8"))["state"]
    except (OSError, ValueError, KeyError):
        state = "without a status"
    return f" (exists, {state}; resume={config.get('resume', 'auto')})"
