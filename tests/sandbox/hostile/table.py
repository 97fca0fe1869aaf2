"""All hostile programs, and the table of them in docs/sandbox.md.

python -m tests.sandbox.hostile.table      writes it
"""

from __future__ import annotations

from pathlib import Path

from tests.sandbox.hostile.escapes import ESCAPES
from tests.sandbox.hostile.forgeries import FORGERIES
from tests.sandbox.hostile.resources import RESOURCES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sandbox.md"
BEGIN, END = "<!-- hostile programs: begin -->\n", "<!-- hostile programs: end -->\n"
HOSTILE = [*RESOURCES, *ESCAPES, *FORGERIES]


def markdown() -> str:
    rows = [f"| `{h.name}` | {h.kind} | {h.tries} |\n" for h in HOSTILE]
    return "".join([f"{len(HOSTILE)} programs.\n\n| program | judged as | what it tries |\n|---|---|---|\n", *rows])


def updated(page: str) -> str:
    """The page with the table of today."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + markdown() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text()))
