"""docs/errors.md, from the cases.

python -m tests.bad_input.page docs/errors.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from crucible.visible import visible
from tests.bad_input.case import Case
from tests.bad_input.given import Given
from tests.bad_input.topics import CASES, TOPICS

INTRODUCTION = """\
# What goes wrong, and what you see

{number} bad inputs, each tried by a test that demands just this: the lines below on stderr, each behind `error: `, exit
code 2, no traceback, and no file made or changed but in the cache, unless the run had begun. `...` stands for text
that grows with the laboratory (lists of what there is), `{{here}}` for the folder the command is run in. Options that
only make a run small are left out of the commands.

Made by `python -m tests.bad_input.page docs/errors.md`; a test keeps page and cases alike. For the traceback behind a
line: `CRUCIBLE_TRACEBACK=1`.
"""


def page() -> str:
    parts = [INTRODUCTION.format(number=len(CASES))]
    for topic in TOPICS:
        rows = [_row(case) for case in topic.CASES]
        parts.append(
            f"\n## {(topic.__doc__ or '').strip()}\n\n| | what is typed | what you see |\n|---|---|---|\n"
            + "\n".join(rows)
        )
    return "\n".join(parts) + "\n"


def _row(case: Case) -> str:
    typed = [_code(visible(case.command))]
    if isinstance(case.given, Given):
        typed.append(f"given {case.given.words}")
    typed += [
        f"{_code(name)} {'not set' if value is None else '= ' + _code(value)}" for name, value in case.env.items()
    ]
    typed += [f"a file {_code(name)}" for name in case.files]
    seen = "<br>".join(_code(line) for line in case.sees.replace("{root}/", "").replace("{root}", "").splitlines())
    after = " and the run fails" if case.started else " and the run goes on, exit code 0" if case.goes_on else ""
    return f"| {case.name} | {'; '.join(typed)} | {seen}{after} |"


def _code(text: str) -> str:
    """As code in a cell of a table: no bar may end the cell, and a backtick needs a longer fence."""
    fence = "``" if "`" in text else "`"
    pad = " " if fence == "``" else ""
    return f"{fence}{pad}{text.replace('|', chr(92) + '|')}{pad}{fence}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
