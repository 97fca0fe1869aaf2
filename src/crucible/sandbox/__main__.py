"""python -m crucible.sandbox: what isolates programs on this machine, and which languages it has."""

from __future__ import annotations

import sys

from crucible.errors import UserError
from crucible.sandbox import Sandbox, languages


def main() -> None:
    with Sandbox() as box:
        for what, how in box.isolation().table().items():
            print(f"{what:24} {how}")
    print()
    for name in languages.names():
        print(f"{name:24} {_version(name)}")


def _version(name: str) -> str:
    language = languages.load(name)
    try:
        language.require()
    except UserError as error:
        return f"not here: {error}"
    if language.warm:
        return f"Python {sys.version.split()[0]}"
    with Sandbox(language=name) as box:
        session = box.session()
        try:
            session.start("program", command=language.version)
            execution = session.result()
        finally:
            session.close()
    said = (execution.stdout or execution.stderr).decode(errors="replace").strip()
    return said.split("\n")[0] if execution.ok else f"fails: {said[-200:]}"


if __name__ == "__main__":
    main()
