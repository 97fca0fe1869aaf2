"""HTML that needs nothing but itself: tables, folded parts, figures as inline SVG, Markdown tables."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any

STYLE = """
:root{color-scheme:light dark;--text:#1a1a1a;--soft:#555;--page:#fff;--line:#e2e2e2;--strong:#888;--link:#0072b2;
--bad:#b34700}
@media (prefers-color-scheme:dark){:root{--text:#e4e4e4;--soft:#a8a8a8;--page:#17181a;--line:#35373b;--strong:#777;
--link:#7cc4f0;--bad:#ff9d5c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);margin:2rem auto;max-width:84rem;
padding:0 1.2rem}
a{color:var(--link)} code{font-size:.9em;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin-bottom:.3rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line)}
nav{margin-top:.6rem} nav a{margin-right:1rem} .wide{overflow-x:auto} .wide+.wide{margin-top:1.2rem}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top}
td{white-space:nowrap} td:first-child,th:first-child{position:sticky;left:0;background:var(--page)}
th{border-bottom:1px solid var(--strong);font-weight:600;vertical-align:bottom}
td.long{white-space:normal;min-width:18rem;overflow-wrap:anywhere}
.failed,.dead,.missing,.unknown{color:var(--bad);font-weight:600} summary{cursor:pointer;margin:.4rem 0}
figure{margin:0;padding:.6rem;background:#fff;border-radius:4px;overflow-x:auto}
svg{max-width:100%;height:auto} .notes{font-size:12px;color:var(--soft)}
@media print{:root{color-scheme:light;--text:#000;--soft:#333;--page:#fff;--line:#bbb;--link:#000;--bad:#000}
@page{size:A4 landscape;margin:12mm} body{font-size:11px;max-width:none;margin:0;padding:0} nav{display:none}
table,.notes{font-size:8.5px} td{white-space:normal;overflow-wrap:anywhere}
.wide,figure{overflow:visible} figure{padding:0}
td.long{min-width:0} td:first-child,th:first-child{position:static}
h2{break-after:avoid} tr,figure{break-inside:avoid} details::details-content{content-visibility:visible;height:auto}}
"""
STATES = ("failed", "dead", "missing", "unknown")
LONG = 48  # characters from which a cell may wrap


def page(title: str, sections: Sequence[tuple[str, str]], *, origin: str) -> str:
    """A whole document; sections are (heading, HTML), `origin` a line of text below the title."""
    links = " ".join(f'<a href="#s{i}">{html.escape(name)}</a>' for i, (name, _) in enumerate(sections))
    body = "\n".join(f'<h2 id="s{i}">{html.escape(name)}</h2>\n{text}' for i, (name, text) in enumerate(sections))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">\n<style>{STYLE}</style></head>\n'
        f'<body><h1>{html.escape(title)}</h1>\n<div class="notes">{_inline(origin)}</div>\n<nav>{links}</nav>\n'
        f"{body}\n</body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are text, and escaped; a run's state gets its colour. Columns without any text are left out."""
    kept = [i for i in range(len(head)) if i == 0 or any(row[i] for row in rows)]
    head, rows = [head[i] for i in kept], [[row[i] for i in kept] for row in rows]
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
    """A figure as an <svg> element on white; its ids get `prefix`, so that several fit into one page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(?<= id=")([^"]+)', rf"{prefix}\1", text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    text = re.sub(r'(?<=href="#)([^"]+)', rf"{prefix}\1", text)
    return f"<figure>{text}</figure>"


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
