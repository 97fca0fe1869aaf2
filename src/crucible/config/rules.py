"""Choices that cannot go together, refused before anything is loaded, with the reason.

A target declares what it needs with `@needs(...)` (crucible.config.needs). The words:

    <axis>=["a", "b"]        the part on that axis (loss, aggregation, entropy, data, ...) is one of these
                             functions or classes, by name or by the name of its YAML
    <option>=["a", "b"]      a text option of the run or of algo has one of these values (old_logps)
    min_<option>=2           a number is at least this; <option> is a term of batch, sampling, rollout, or a
    max_<option>=8           top-level option (samples_per_prompt, temperature, steps, lag)
    reference=["answer"]     the data gives these keys of Prompt.reference (its class names them in
                             `reference_keys`; a data set that does not is checked when it is read)
    task_methods=["fulfils"] the data can do this (a method of its class)
    because="..."            the reason, added to the message

`@per_sample(needs=...)` and a class attribute `needs` of a reward count as `reference=`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible.config.batch import Batch
from crucible.config.check import Origin
from crucible.config.learns_from import batch_node
from crucible.config.pass_at import impossible
from crucible.config.signatures import Signature, read
from crucible.errors import UserError
from crucible.rundir.secrets import refuse_secrets

NUMBERS_IN = ("batch", "sampling", "rollout")  # nodes whose numbers a constraint may name without a path
_PLAIN = frozenset((str, int, float, bool, type(None)))
PARTS_IN = ("", "algo")  # nodes whose parts a constraint may name without a path


def enforce(config: Mapping[str, Any], origin: Origin | None = None) -> None:
    """Raise UserError with one line for each rule that is broken, and for a credential, which would be stored."""
    refuse_secrets(config)
    found = list(dict.fromkeys(broken(config, origin or Origin())))
    if found:
        raise UserError("\n".join(found))


def broken(config: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    """The batch arithmetic, then every constraint of every part."""
    if arithmetic := list(_arithmetic(config)):
        yield from arithmetic
        return
    yield from _pass_at(config)
    yield from _processes(config, origin)
    for path, signature in targets(config):
        reads = () if path == "data" else signature.attributes.get("needs", ())
        if not signature.needs and not reads:
            continue
        constraints = dict(signature.needs)
        if isinstance(reads, tuple | list) and reads:
            constraints["reference"] = [*constraints.get("reference", ()), *reads]
        reason = constraints.pop("because", "")
        for word, wanted in constraints.items():
            problem = _violation(config, origin, word, wanted, signature)
            if problem:
                yield f"{path}={signature.name} {problem}" + (f": {reason}" if reason else "")


def targets(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Signature]]:
    """Every node with a target, with its path. The root is not a part."""
    if path and isinstance(config.get("_target_"), str):
        yield path, read(config["_target_"])
    for key, value in config.items():
        if type(value) in _PLAIN:
            continue
        here = f"{path}.{key}" if path else str(key)
        for i, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, Mapping):
                yield from targets(item, f"{here}[{i}]" if isinstance(value, list) else here)


def _arithmetic(config: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(steps := config.get("steps"), int) and steps < 1:
        yield f"steps={steps}: must be at least 1"
    if "batch" not in config:
        return
    try:
        batch = Batch(**{key: value for key, value in batch_node(config).items() if key != "_target_"})
    except UserError as error:
        yield str(error)
        return
    longest = config.get("sampling", {}).get("max_tokens", 0)
    if batch.micro_batch_tokens <= longest:
        yield (
            f"batch.micro_batch_tokens={batch.micro_batch_tokens} cannot hold one row: a prompt and "
            f"sampling.max_tokens={longest} completion tokens; give more than {longest}"
        )


def _pass_at(config: Mapping[str, Any]) -> Iterator[str]:
    node = config.get("evaluation", {})
    if problem := impossible(node.get("pass_at") or (), node.get("samples_per_prompt")):
        yield problem


def _processes(config: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    """Several processes, and an algorithm that knows only one (crucible.modules.sharing)."""
    trainer, algo = config.get("trainer", {}), config.get("algo", {})
    if trainer.get("devices", 1) * trainer.get("nodes", 1) > 1 and isinstance(algo.get("_target_"), str):
        signature = read(algo["_target_"])
        if not signature.attributes.get("shares_rows", False):
            yield (
                f"algo={origin.option('algo') or signature.name} trains on one process, and trainer.devices="
                f"{trainer.get('devices', 1)} x trainer.nodes={trainer.get('nodes', 1)} ask for more; set both to 1"
            )


@dataclass(frozen=True)
class _Part:
    path: str
    signature: Signature
    choice: str | None


def _part(config: Mapping[str, Any], origin: Origin, axis: str) -> _Part | None:
    for parent in PARTS_IN:
        node = (config.get(parent, {}) if parent else config).get(axis)
        if isinstance(node, Mapping) and isinstance(node.get("_target_"), str):
            path = f"{parent}.{axis}" if parent else axis
            return _Part(path, read(node["_target_"]), origin.option(path))
    return None


def _number(config: Mapping[str, Any], option: str) -> tuple[str, float] | None:
    for parent in (*NUMBERS_IN, ""):
        value = (config.get(parent, {}) if parent else config).get(option)
        if isinstance(value, int | float):
            return (f"{parent}.{option}" if parent else option), value
    return None


def _text(config: Mapping[str, Any], option: str) -> tuple[str, str] | None:
    for parent in PARTS_IN:
        value = (config.get(parent, {}) if parent else config).get(option)
        if isinstance(value, str):
            return (f"{parent}.{option}" if parent else option), value
    return None


def _violation(config: Mapping[str, Any], origin: Origin, word: str, wanted: Any, signature: Signature) -> str | None:
    """The rest of the sentence "<part> ..." where a constraint is broken."""
    for bound, sign in (("min_", 1), ("max_", -1)):
        if word.startswith(bound):
            found = _number(config, word.removeprefix(bound))
            if found and sign * found[1] < sign * wanted:
                return f"needs {found[0]} {'>=' if sign > 0 else '<='} {wanted}, not {found[1]}"
            return None
    if word == "reference":
        return _reference(config, origin, wanted)
    data = _part(config, origin, "data")
    if word == "task_methods":
        lacking = [name for name in wanted if data and name not in data.signature.methods]
        return f"needs data with {', '.join(lacking)}(); {_named(data)} has none" if lacking else None
    if not isinstance(wanted, list | tuple):
        raise ValueError(f"{signature.file}:{signature.line}: @needs({word}={wanted!r}): no such constraint")
    if (option := _text(config, word)) is not None:
        path, value = option
        return None if value in wanted else f"needs {path}={' or '.join(wanted)}, not {value}"
    part = _part(config, origin, word)
    # of a run's stored config no choice is known: there a part's module stands for its YAML, which has the same name
    if part is None or {part.signature.name, part.choice or Path(part.signature.file).stem} & set(wanted):
        return None
    here = part.path.replace(".", "/")
    return f"needs {here}={' or '.join(wanted)}, not {_named(part)}"


def _reference(config: Mapping[str, Any], origin: Origin, wanted: Any) -> str | None:
    data = _part(config, origin, "data")
    keys = data.signature.attributes.get("reference_keys") if data else None
    lacking = [key for key in wanted if keys is not None and key not in keys]
    if not lacking:
        return None
    given = ", ".join(keys or ()) or "none"
    return f"needs reference {', '.join(lacking)} of each prompt; {_named(data)} has {given}"


def _named(part: _Part | None) -> str:
    return "" if part is None else part.choice or part.signature.name
