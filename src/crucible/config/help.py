"""The text of `python train.py --help`. Hydra's own help is `--hydra-help`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crucible.config.catalogue import Option, axes, recipes, settings, spelling
from crucible.errors import UserError, nearest

EXAMPLES = """\
    python train.py algo=ce_gppo reward=rlbff             one choice per axis
    python train.py algo=ce_gppo algo/advantage=rloo      swap a part of an algorithm (with a slash)
    python train.py algo.loss.beta1=0.75 steps=50         set an option (with dots)
    python train.py +experiments=NAME                     a recipe
    python train.py dry_run=true                          print the config and the arithmetic, load nothing
    python train.py -m seed=1,2,3                         several runs, one after the other
    python train.py --config-dir runs/X/Y --config-name config   the run of that directory
    python train.py --help algo/loss                      one axis; --help algo/loss=ce_gppo: one option
    python train.py --cfg job                             the composed config; Hydra's flags: --hydra-help"""
USAGE = """\
Crucible: one composed config makes one run.

Usage: python train.py [AXIS=OPTION ...] [OPTION=VALUE ...]"""


def wanted(argv: Sequence[str]) -> bool:
    return "--help" in argv or "-h" in argv


def text(root: Path, argv: Sequence[str] = ()) -> str:
    """Help for what else stands on the command line: nothing, an axis, or an option of one."""
    known = axes(root, "train")
    topics = [a for a in argv if not a.startswith("-")]
    if not topics:
        return _everything(root, known)
    return "\n\n".join(_topic(root, known, topic) for topic in topics)


def _everything(root: Path, known: dict[str, list[Option]]) -> str:
    parts = [USAGE, "", "Axes and their options:"]
    width = _width(known, recipes(root))
    for axis, options in known.items():
        parts += ["", f"  {spelling(root, axis)}=", *_rows(options, width)]
    if found := recipes(root):
        parts += ["", "Recipes:", "", "  +experiments=", *_rows(found, width)]
    parts += ["", "Options of every run (conf/train.yaml), with their defaults:", ""]
    for s in settings(root / "conf" / "train.yaml"):
        if s.value:
            left = f"  {s.path}={s.value}"
            parts.append(f"{left:<40}  {s.comment}".rstrip())
    return "\n".join([*parts, "", "Examples:", EXAMPLES])


def _topic(root: Path, known: dict[str, list[Option]], topic: str) -> str:
    axis, _, option = topic.lstrip("+").partition("=")
    options = recipes(root) if axis == "experiments" else known.get(axis)
    if options is None:
        hint = nearest(axis, known)
        raise UserError(f"--help {topic}: no axis of that name{hint}; axes: {', '.join(known)}")
    if not option:
        return "\n".join([f"{axis}=", *_rows(options, _width({axis: options}, []))])
    names = {o.name: o for o in options}
    if option not in names:
        hint = nearest(option, names)
        raise UserError(f"--help {topic}: no such option{hint}; there are: {', '.join(names)}")
    file = names[option].file
    return f"{file.relative_to(root)}:\n\n{file.read_text(encoding='utf-8').rstrip()}"


def _rows(options: list[Option], width: int) -> list[str]:
    return [f"    {o.name:<{width}}  {o.summary}".rstrip() for o in options]


def _width(known: dict[str, list[Option]], more: list[Option]) -> int:
    return max((len(o.name) for options in [*known.values(), more] for o in options), default=0)
