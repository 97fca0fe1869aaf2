"""Completions side by side: for the terminal (rich) and as one HTML page that needs nothing else.

Either way control characters are shown and do nothing: see crucible.visible.
"""

from __future__ import annotations

import html
import io
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from crucible.analysis.rollouts import Group, Reading, Sample
from crucible.visible import visible

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;color:#1a1a1a}
table{border-collapse:collapse;width:100%;table-layout:fixed;margin:0 0 1.6rem}
th,td{border:1px solid #ccc;padding:.35rem .5rem;vertical-align:top;text-align:left;overflow-wrap:anywhere}
th{background:#f3f3f3} pre{margin:0;white-space:pre-wrap;font:13px/1.4 ui-monospace,monospace}
.facts{font-size:12px;color:#444} .right{border-left:5px solid #0072B2} .wrong{border-left:5px solid #D55E00}
"""


def headline(reading: Reading) -> str:
    """How many samples are shown, of how many, and how the columns are joined."""
    shown = sum(len(cell) for group in reading.groups for cell in group.cells)
    text = f"{shown} of {reading.stored} samples shown, {reading.kept} pass the filters"
    if not reading.aligned:
        text += "; the columns have no prompt in common and stand side by side by order"
    return text


def facts(x: Sample) -> str:
    """Verdict, reward, components and ending in one line."""
    parts = [] if x.success is None else ["right" if x.success else "wrong"]
    parts += [] if x.reward is None else [f"reward {x.reward:+.3f}"]
    parts += [f"{name} {value:+.3f}" for name, value in x.components.items()]
    return "  ".join([*parts, *(["cut off"] if x.finish_reason == "length" else [])])


def as_text(reading: Reading, *, width: int | None = None, colour: bool = False) -> str:
    """Tables for a terminal of `width` columns (default: its own, or 160 into a pipe)."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        highlight=False,
        markup=False,
        force_terminal=colour,
        no_color=not colour,
        soft_wrap=False,
    )
    for group in reading.groups:
        console.print(_table(reading, group))
    console.print(headline(reading))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(reading: Reading, group: Group) -> Any:
    from rich.box import SQUARE
    from rich.table import Table
    from rich.text import Text

    shared = len(set(filter(None, group.prompts))) == 1
    title = Text(visible(next(filter(None, group.prompts)))) if shared else None
    table = Table(title=title, title_justify="left", box=SQUARE, expand=True, show_lines=True)
    for source, prompt in zip(reading.sources, group.prompts, strict=True):
        heading = source.name if shared else f"{source.name}\n{prompt}"
        table.add_column(Text(visible(heading)), ratio=1, overflow="fold")
    for row in itertools.zip_longest(*map(distinct, group.cells)):
        table.add_row(*(_cell(*entry) if entry else Text("") for entry in row))
    return table


def distinct(cell: Sequence[Sample]) -> list[tuple[Sample, int]]:
    """The different completions of a cell, with how often each occurs, in order of their first."""
    counts = Counter((x.completion, facts(x)) for x in cell)
    first: dict[tuple[str, str], Sample] = {}
    for x in cell:
        first.setdefault((x.completion, facts(x)), x)
    return [(x, counts[key]) for key, x in first.items()]


def _cell(x: Sample, times: int) -> Any:
    from rich.text import Text

    style = "dim" if x.success is None else "blue" if x.success else "red"
    return Text.assemble((visible(x.completion), ""), "\n", (visible(_note(x, times)), style))


def _note(x: Sample, times: int) -> str:
    return facts(x) + (f"  ({times} times)" if times > 1 else "")


def as_html(reading: Reading) -> str:
    """The same as one page; every text of prompts and completions is escaped."""
    title = "Completions: " + ", ".join(s.name for s in reading.sources)
    body = "\n".join(_html_group(reading, group) for group in reading.groups)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>Completions</h1>\n<p>{html.escape(headline(reading))}</p>\n"
        f"{body}\n</body></html>\n"
    )


def _html_group(reading: Reading, group: Group) -> str:
    shared = len(set(filter(None, group.prompts))) == 1
    heads = "".join(
        f"<th>{html.escape(s.name)}{'' if shared else f'<pre>{html.escape(visible(p))}</pre>'}</th>"
        for s, p in zip(reading.sources, group.prompts, strict=True)
    )
    rows = "\n".join(
        f"<tr>{''.join(_html_cell(*entry) if entry else '<td></td>' for entry in row)}</tr>"
        for row in itertools.zip_longest(*map(distinct, group.cells))
    )
    title = f"<pre><b>{html.escape(visible(next(filter(None, group.prompts))))}</b></pre>" if shared else ""
    return f"{title}<table><tr>{heads}</tr>\n{rows}</table>"


def _html_cell(x: Sample, times: int) -> str:
    kind = "" if x.success is None else "right" if x.success else "wrong"
    text, note = html.escape(visible(x.completion)), html.escape(visible(_note(x, times)))
    return f'<td class="{kind}"><pre>{text}</pre><div class="facts">{note}</div></td>'
