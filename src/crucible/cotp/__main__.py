"""python -m crucible.cotp STAGE name=value ..."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from crucible.analysis import arguments
from crucible.cotp import program
from crucible.cotp.options import DistanceOptions
from crucible.errors import nearest


def _spelled_out(function: Callable[..., str], options: type) -> Callable[..., str]:
    """A function that takes **options, with the fields of that dataclass as parameters: what a command line reads."""

    def whole(**given: Any) -> str:
        return function(**given)

    own = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    fields = inspect.signature(options).parameters.values()
    whole.__signature__ = inspect.Signature([*own, *fields])  # type: ignore[attr-defined]
    whole.__annotations__ = {**typing.get_type_hints(function), **typing.get_type_hints(options)}
    return whole


STAGES: dict[str, Callable[..., str]] = {
    "world": program.world,
    "annotate": program.annotate,
    "entropies": program.entropies,
    "distances": _spelled_out(program.distances, DistanceOptions),
    "select": program.select,
    "curves": program.curves,
}


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(f"{program.__doc__}\npython -m crucible.cotp STAGE --help")
        return 0 if argv else arguments.USER_ERROR
    stage = STAGES.get(argv[0])
    if stage is None:
        print(f"error: no stage {argv[0]}{nearest(argv[0], STAGES)}; stages: {', '.join(STAGES)}", file=sys.stderr)
        return arguments.USER_ERROR
    return arguments.run(stage, argv[1:] or ["--help"], usage=f"python -m crucible.cotp {argv[0]} name=value ...")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
