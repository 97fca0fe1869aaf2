"""HTML that needs nothing but itself: tables, folded parts, figures as inline SVG, Markdown tables."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any

STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;margin:2rem auto;max-width:84rem;padding:0 1.2rem}
h1{font-size:1.5rem;margin-bottom:.3rem} h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #ddd}
nav a{margin-right:1rem} .wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid #e2e2e2;padding:.25rem .7rem .25rem 0;text-align:left;vertical-align:top}
td{white-space:nowrap}
th{border-bottom:1px solid #888;font-weight:600} td.long{white-space:normal;min-width:18rem}
.failed,.dead,.missing,.unknown{color:#B34700;font-weight:600} summary{cursor:pointer;margin:.4rem 0}
svg{max-width:100%;height:auto} .notes{font-size:12px;color:#555}
"""
STATES = ("failed", "dead", "missing", "unknown")
LONG = 48  # characters from which a cell may wrap


def page(title: str, sections: Sequence[tuple[str, str]]) -> str:
    """A whole document; sections are (heading, HTML)."""
    links = " ".join(f'<a href="#s{i}">{html.escape(name)}</a>' for i, (name, _) in enumerate(sections))
    body = "\n".join(f'<h2 id="s{i}">{html.escape(name)}</h2>\n{text}' for i, (name, text) in enumerate(sections))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">\n<style>{STYLE}</style></head>\n'
        f"<body><h1>{html.escape(title)}</h1>\n<nav>{links}</nav>\n{body}\n</body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are text, and escaped; a run's state gets its colour."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "\n".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _cell(text: str) -> str:
    kind = text if text in STATES else "long" if len(text) > LONG else ""
    return f'<td class="{kind}">{html.escape(text)}</td>' if kind else f"<td>{html.escape(text)}</td>"


def folded(summary: str, text: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>{text}</details>"


def notes(lines: Sequence[str]) -> str:
    return "".join(f'<div class="notes">{html.escape(line)}</div>' for line in lines)


def svg(figure: Any, prefix: str) -> str:
    """A figure as an <svg> element; its ids get `prefix`, so that several fit into one page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(?<= id=")([^"]+)', rf"{prefix}\1", text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    return re.sub(r'(?<=href="#)([^"]+)', rf"{prefix}\1", text)


def from_markdown(text: str) -> str:
    """Tables, lists, bold and paragraphs of our own Markdown as HTML."""
    parts: list[str] = []
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]])
            continue
        if rows:
            parts.append(_markdown_table(rows))
            rows = []
        if line.startswith("- "):
            parts.append(f'<div class="notes">{_inline(line[2:])}</div>')
        elif line.strip():
            parts.append(f"<p>{_inline(line)}</p>")
    return "\n".join(parts)


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
    body = "\n".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[2:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _inline(text: str) -> str:
    escaped = html.escape(text)
    escaped = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escaped)
