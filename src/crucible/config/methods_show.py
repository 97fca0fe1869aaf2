"""The catalogue of methods as a table, as one entry in full, and as a page of Markdown."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from crucible.config.methods_entry import ORIGINS, Method

PAPER = "https://arxiv.org/abs/"


def table(found: Sequence[Method]) -> str:
    """Plain text, one line a method, for pipes."""
    rows = [(m.axis, m.name, _paper(m), m.summary + _studies(m)) for m in found]
    widths = [max(len(row[i]) for row in rows) for i in range(3)] if rows else []
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
    return "\n".join([*lines, counted(found)])


def print_table(found: Sequence[Method]) -> None:
    """The same for a terminal: wrapped to its width, a rule between axes."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading, style in (("axis", "dim"), ("name", "bold cyan"), ("arXiv", "green"), ("what it is", "")):
        grid.add_column(heading, style=style, no_wrap=heading != "what it is")
    for axis, group in groupby(found, key=lambda m: m.axis):
        for number, method in enumerate(group):
            grid.add_row(axis if number == 0 else "", method.name, _paper(method), method.summary + _studies(method))
        grid.add_section()
    console = Console(width=shutil.get_terminal_size().columns, highlight=False)
    console.print(grid)
    console.print(counted(found), style="dim")


def _run(found: Sequence[Method]) -> int:
    return sum(bool(method.ran) for method in found)


def counted(found: Sequence[Method]) -> str:
    n = len(found)
    return f"\n{n} method{'' if n == 1 else 's'}; one in full: python train.py methods=NAME"


def detail(method: Method) -> str:
    """Everything about one method, in plain text."""
    parts = [f"{method.spelling}\n{method.summary}"]
    if method.pieces:
        parts.append("Made of\n" + _indented(_aligned(method.pieces.items())))
    if method.docstring:
        parts += [_indented(method.formula), method.body]
    if method.papers:
        parts.append("\n".join(PAPER + paper for paper in method.papers))
    parts.append(method.differs)
    if method.formula_from:
        parts.append(f"Formula from\n  {method.formula_from}")
    if method.defaults:
        parts.append("Defaults\n" + _indented(_aligned((f"{s.path}={s.value}", s.comment) for s in method.defaults)))
    if method.signature and method.signature.needs:
        parts.append("Needs\n" + _indented(_needs(method)))
    if method.launch:
        parts.append("Try\n" + _indented("\n".join(method.launch)))
    if method.ran:
        parts.append("Run in\n" + _indented(_aligned((f"{r.runs} runs", r.page.as_posix()) for r in method.ran)))
    parts.append("Files\n" + _indented("\n".join(_files(method))))
    return "\n\n".join(part for part in parts if part)


def markdown(found: Sequence[Method]) -> str:
    """The page docs/methods.md."""
    lines = [
        "# Methods",
        "",
        "Made from the code by `python train.py methods write=docs/methods.md`; a test keeps the two alike. In a",
        "terminal: `python train.py methods`, `methods search=WORDS`, `methods axis=entropy`, `methods=NAME`.",
        "",
        "A preset (`algo=`) is a choice of pieces; every piece can be swapped on the command line, and an entropy",
        "control goes with any of them. Each option is trained two steps by `tests/test_every_method.py`; the first",
        "test named for a piece holds an oracle of its own: value and gradient, computed in another way. Studies are",
        "those whose results are stored under `docs/studies/results`; what does not name one was run in none.",
        "Of a reward the page says what its formula was taken from, and the tests that show it on worked numbers.",
    ]
    by_axis = [(axis, list(group)) for axis, group in groupby(found, key=lambda m: m.axis)]
    lines += ["", "| axis | options | run in a study |", "|---|---|---|"]
    lines += [f"| [`{axis}`](#{_anchor(axis)}) | {len(group)} | {_run(group)} |" for axis, group in by_axis]
    for axis, group in by_axis:
        lines += ["", f"## {axis}"]
        if any(method.formula_from for method in group):
            lines += ["", *_origins(group)]
        for method in group:
            lines += ["", *_section(method)]
    return "\n".join(lines) + "\n"


def _origins(group: Sequence[Method]) -> list[str]:
    """What formulas come from: the kinds, then each method with its paper, its origin and its first test."""
    lines = [f"- {kind}: {meaning}" for kind, meaning in ORIGINS.items()]
    lines += ["", "| name | paper | formula from | differs | shown by |", "|---|---|---|---|---|"]
    for m in group:
        paper = f"[{_paper(m)}]({PAPER}{_paper(m)})" if m.papers else ""
        test = f"[{m.tests[0].name}](../{m.tests[0].as_posix()})" if m.tests else ""
        differs = "yes" if m.differs else ""
        lines.append(f"| [`{m.name}`](#{_anchor(m.spelling)}) | {paper} | {m.formula_from} | {differs} | {test} |")
    return lines


def _section(method: Method) -> list[str]:
    lines = [f"### {method.spelling}", "", method.summary]
    if method.pieces:
        lines += ["", " · ".join(f"{axis} `{option}`" for axis, option in method.pieces.items() if option != "none")]
    if method.docstring:
        lines += ["", "```text", method.formula, "```"]
        if method.body:
            lines += ["", *_text(method.body)]
    if method.differs:
        lines += ["", *_text(method.differs)]
    if method.formula_from:
        lines += ["", f"Formula from: {method.formula_from}."]
    if method.defaults:
        lines += ["", "Defaults: " + ", ".join(f"`{s.path}={s.value}`" for s in method.defaults if s.value) + "."]
    if method.signature and method.signature.needs:
        lines += ["", "Needs: " + _needs(method).replace("\n", "; ") + "."]
    if method.ran:
        told = (f"[{r.study}]({_from_docs(r.page)}) ({r.runs} runs)" for r in method.ran)
        lines += ["", f"Run in {', '.join(told)}."]
    sources = [f"[{paper}]({PAPER}{paper})" for paper in method.papers]
    lines += ["", " · ".join([*sources, *(f"[{name}](../{name})" for name in _files(method))])]
    return lines


def _from_docs(page: Path) -> str:
    return page.relative_to("docs").as_posix()


def _text(block: str) -> list[str]:
    """Prose of a docstring; lines set apart by indentation stay as they are."""
    lines: list[str] = []
    for line in block.splitlines():
        lines.append(f"    {line.strip()}" if line.startswith("    ") else line.replace("<", "\\<").replace("*", "\\*"))
    return lines


def _needs(method: Method) -> str:
    assert method.signature is not None
    needs = dict(method.signature.needs)
    reason = needs.pop("because", "")
    told = [f"{k} {', '.join(map(str, v)) if isinstance(v, list | tuple) else v}" for k, v in needs.items()]
    return "\n".join([*told, *([reason] if reason else [])])


def _files(method: Method) -> list[str]:
    source = [_source(method)] if method.signature and not method.pieces else []
    return [method.file.as_posix(), *source, *(test.as_posix() for test in method.tests)]


def _source(method: Method) -> str:
    """The path of the source from the repository's root."""
    assert method.signature is not None
    parts = method.signature.file.parts
    return "/".join(("src", *parts[len(parts) - parts[::-1].index("crucible") - 1 :]))


def _studies(method: Method) -> str:
    """The end of a line of the table."""
    return f" [run in {', '.join(r.study for r in method.ran)}]" if method.ran else ""


def _paper(method: Method) -> str:
    return method.papers[0] if method.papers else ""


def _anchor(heading: str) -> str:
    return heading.replace("/", "").replace("=", "")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())


def _aligned(pairs: Iterable[tuple[str, str]]) -> str:
    rows = list(pairs)
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in rows)
