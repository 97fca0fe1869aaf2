"""What `trainer=trl` cannot drive, refused before any model is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from crucible.algorithms.given import names, overridden
from crucible.entropy.base import EntropyControl
from crucible.errors import UserError
from crucible.parts import Parts, locate
from crucible.trl.plan import Owner, planned

KNOWN = "1.16"  # the TRL whose private parts crucible.trl.adapter knows


def refuse(parts: Parts, objective: Owner) -> None:
    """Errors: UserError, one line with the option to change."""
    refuse_other_trl()
    config = parts["config"]
    if problem := next(_problems(config, parts), None):
        raise UserError(f"trainer=trl: {problem}")
    planned(config["algo"], config["entropy"], objective)


def refuse_other_trl() -> str:
    """The installed version. Errors: UserError for another than the one that is known here."""
    try:
        found = version("trl")
    except PackageNotFoundError:
        raise UserError(f"trainer=trl needs TRL: pip install 'trl=={KNOWN}.*'") from None
    if not f"{found}.".startswith(f"{KNOWN}."):
        raise UserError(
            f"trainer=trl knows TRL {KNOWN}, and {found} is installed: pip install 'trl=={KNOWN}.*', or trainer=default"
        )
    return found


def _problems(config: Mapping[str, Any], parts: Parts) -> Iterator[str]:
    algo, batch = config["algo"], parts["batch"]
    if algo.get("critic"):
        yield "TRL's GRPOTrainer has no critic; give trainer=default"
    if config["model"].get("lora"):
        yield "model.lora is not driven through TRL; give model.lora=null, or trainer=default"
    if batch.samples_per_prompt < 2:
        yield f"TRL needs groups of two or more, and batch.samples_per_prompt={batch.samples_per_prompt}"
    entropy = parts["entropy"]
    if overridden(entropy, "more", EntropyControl) is not None:
        yield (
            f"entropy {type(entropy).__name__} samples further rows, and TRL's batch is prompts x samples; give "
            "another entropy, or trainer=default"
        )
    if batch.updates_per_rollout > 1 and (part := next(_of_groups(algo), None)):
        yield (
            f"{part} looks at the rows of a prompt together, and TRL deals rows to updates one by one; give "
            "batch.updates_per_rollout=1, or trainer=default"
        )


def _of_groups(algo: Mapping[str, Any]) -> Iterator[str]:
    """The parts of the update that name `group`."""
    update = {"algo.loss": algo["loss"], "algo.correction": algo.get("correction"), "algo.kl": algo.get("kl")}
    update |= {f"algo.auxiliary.{name}": node for name, node in (algo.get("auxiliary") or {}).items()}
    for path, node in update.items():
        if not node:
            continue
        target = locate(node["_target_"])
        methods = [getattr(target, name, None) for name in ("in_loss", "per_token")]
        called = methods if isinstance(target, type) else [target]
        if any(part is not None and "group" in names(part) for part in called):
            yield f"{path}={node['_target_'].rpartition('.')[2]}"
