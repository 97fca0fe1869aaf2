"""sweep.py: compose conf/sweep.yaml, check it, act. Errors are one line on stderr and exit code 2."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

from crucible.config.catalogue import axes
from crucible.config.cli import fail
from crucible.config.compose import compose
from crucible.errors import UserError, nearest

PROGRAM = "crucible.sweeps.program.sweep"
ASKS_FOR_HELP = {"-h", "--help", "help", "--hydra-help"}


def main(root: Path) -> None:
    """The program behind `python sweep.py`; `root` is the folder that holds conf/ and sweeps/."""
    argv = sys.argv[1:]
    if not argv or ASKS_FOR_HELP & set(argv):
        print(help_text(root))
        return
    try:
        _refuse_unknown(argv, root)
        # keys of parts are forced in: resources takes any, and for the others our own check names the nearest
        argv = [f"++{item}" if "." in item.partition("=")[0] and item[0].isalpha() else item for item in argv]
        argv = [_escaped(item) if item.startswith("overrides=") else item for item in argv]
        composed = compose(argv, root, name="sweep", target=PROGRAM)
        from crucible.parts import Parts
        from crucible.sweeps.program import sweep

        settings = {**composed.config, "cluster": Parts({}).build(composed.config["cluster"])}
        settings["root"] = settings["root"] or str(root)
        sweep(**settings)
    except UserError as error:
        fail(error)


def _refuse_unknown(argv: list[str], root: Path) -> None:
    known = [*yaml.safe_load((root / "conf" / "sweep.yaml").read_text(encoding="utf-8")), "cluster"]
    known.remove("defaults")
    for item in argv:
        name = item.lstrip("+~").partition("=")[0].partition(".")[0]
        if name not in known:
            raise UserError(f"unknown option {name}{nearest(name, known)}; options: {', '.join(known)}")


def _escaped(item: str) -> str:
    """overrides=[steps=2] as Hydra's grammar wants it: an = inside a list is escaped or quoted."""
    name, _, value = item.partition("=")
    pieces = re.split(r"""('(?:\\.|[^'])*'|"(?:\\.|[^"])*")""", value)  # every second one is quoted
    return f"{name}=" + "".join(p if i % 2 else re.sub(r"(?<!\\)=", r"\=", p) for i, p in enumerate(pieces))


def help_text(root: Path) -> str:
    """The settings with their comments, the clusters and the sweeps there are."""
    settings = (root / "conf" / "sweep.yaml").read_text(encoding="utf-8").strip()
    clusters = [f"  {option.name:<16} {option.summary}" for option in axes(root).get("cluster", [])]
    names = sorted(p.relative_to(root / "sweeps").with_suffix("").as_posix() for p in (root / "sweeps").rglob("*.yaml"))
    return "\n".join([settings, "", "cluster=", *clusters, "", "sweep=", *(f"  {name}" for name in names)])
