"""`python train.py methods ...`: the catalogue of methods in the terminal.

python train.py methods                         all of them
python train.py methods axis=entropy            one axis; axis=reward: where each formula comes from, and its test
python train.py methods search=ratio clipping   those in which these words occur, typos forgiven
python train.py methods=ce_gppo                 everything about one; methods=algo/loss/ce_gppo where two share it
python train.py methods write=docs/methods.md   the page
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from crucible.config.methods import methods, rewards
from crucible.config.methods_entry import Method
from crucible.errors import UserError, nearest

KEYS = ("search", "axis", "write")


def command(root: Path, argv: Sequence[str]) -> None:
    """Print or write what `argv`, which starts with "methods", asks for; quietly where the reader has gone (| head).

    A page is the whole catalogue, or what axis= and search= leave of it.
    """
    try:
        _answer(root, argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere at exit


def _answer(root: Path, argv: Sequence[str]) -> None:
    from crucible.config.methods_show import detail, markdown

    name = argv[0].partition("=")[2]
    found = [*methods(root), *rewards(root)]
    if name:
        if len(argv) > 1:
            raise UserError(f"methods={name}: nothing else can stand beside it, not {' '.join(argv[1:])}")
        print("\n\n\n".join(detail(method) for method in named(found, name)))
        return
    options = _options(argv[1:])
    if "axis" in options:
        found = _on_axis(found, options["axis"])
    if "search" in options:
        from crucible.config.methods_search import search

        found = search(found, options["search"].split())
        if not found:
            raise UserError(f"methods search={options['search']}: no method has these words; all: train.py methods")
    if "write" in options:
        _write(root / options["write"], markdown(found))
    else:
        _show(found)


def named(found: Sequence[Method], name: str) -> list[Method]:
    """The methods called "ce_gppo", "algo/loss/ce_gppo" or "algo/loss=ce_gppo". UserError where there is none."""
    path = name.replace("=", "/")
    hits = [m for m in found if path in (m.name, f"{m.axis}/{m.name}")]
    if not hits:
        raise UserError(f"methods={name}: no such method{nearest(name, [m.name for m in found])}")
    return hits


def _options(argv: Sequence[str]) -> dict[str, str]:
    """key=value words; a word without = goes on with the value before it (search=ratio clipping)."""
    found: dict[str, str] = {}
    last = ""
    for word in argv:
        key, equals, value = word.partition("=")
        if equals:
            if key not in KEYS:
                raise UserError(f"methods {word}: no such option{nearest(key, KEYS)}; there are: {', '.join(KEYS)}")
            found[key], last = value, key
        elif last == "search":
            found[last] = f"{found[last]} {word}"
        else:
            raise UserError(f"methods {word}: write methods={word} for one method, or methods search={word}")
    empty = [key for key, value in found.items() if not value.strip()]
    if empty:
        raise UserError(f"methods {empty[0]}=: give a value")
    return found


def _on_axis(found: Sequence[Method], axis: str) -> list[Method]:
    hits = [m for m in found if m.axis == axis]
    if not hits:
        known = list(dict.fromkeys(m.axis for m in found))
        raise UserError(f"methods axis={axis}: no such axis{nearest(axis, known)}; there are: {', '.join(known)}")
    return hits


def _write(file: Path, page: str) -> None:
    if not file.parent.is_dir():
        raise UserError(f"methods write={file}: there is no folder {file.parent}")
    file.write_text(page, encoding="utf-8")
    print(f"wrote {file}")


def _show(found: Sequence[Method]) -> None:
    from crucible.config.methods_show import print_table, table

    if sys.stdout.isatty():
        print_table(found)
    else:
        print(table(found))
