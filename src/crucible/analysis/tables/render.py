"""A built table as Markdown, LaTeX (booktabs) or CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence

from crucible.analysis.tables.build import Built
from crucible.analysis.tables.notes import notes
from crucible.analysis.tables.text import difference_text, value_text

CSV = ("row", "column", "paper", "paper_source", "value", "low", "high", "seeds", "problems", "error_over_problems",
       "interval", "difference", "difference_low", "difference_high", "p", "p_holm", "test", "p_over_problems", "best",
       "not_distinguishable_from_best", "runs", "missing")  # fmt: skip
_LATEX = {"\\": r"\textbackslash{}", "~": r"$\sim$", "^": r"\^{}", "<": "$<$", ">": "$>$", "–": "--", "-": "$-$"}
_LATEX |= {c: f"\\{c}" for c in "&%$#_{}"}


FITTING = "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%"
Grid = tuple[list[str], list[list[str]]]  # head, rows


def markdown(built: Built) -> str:
    lines = [f"**{built.definition.title or built.definition.name}**", ""]
    for head, body in _grids(built, bold=lambda text: f"**{text}**"):
        lines += [_line(head), "|" + "---|" * len(head), *map(_line, body), ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes(built))]) + "\n"


def latex(built: Built) -> str:
    """A float for the values and one for the differences, each made smaller where it is wider than the text."""
    title = _tex(built.definition.title or built.definition.name)
    remarks = ["\\begin{flushleft}\\footnotesize", *(f"{_tex(note)}\\\\" for note in notes(built)), "\\end{flushleft}"]
    parts = ["% needs \\usepackage{booktabs,graphicx}"]
    grids = _grids(built, bold=lambda text: f"\x01{text}\x02")
    for i, (head, body) in enumerate(grids):
        of = f": differences to {_tex(built.definition.baseline or '')}" if i else ""
        parts += ["\\begin{table}", "\\centering", "\\small", f"\\caption{{{title}{of}}}", FITTING]
        parts += [f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", "\\toprule", _tex_line(head), "\\midrule"]
        parts += [*(f"{_tex_line(line)}[2pt]" for line in body), "\\bottomrule", "\\end{tabular}}"]
        parts += [*(remarks if i == len(grids) - 1 else []), "\\end{table}", ""]
    return "\n".join(parts)


def as_csv(built: Built) -> str:
    """One line a cell, unrounded, in the units of the metrics (shares, not percent)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV)
    for row, cells, paper in zip(built.definition.rows, built.cells, built.paper, strict=True):
        for column, cell, number in zip(built.definition.columns, cells, paper, strict=True):
            e, d = cell.estimate, cell.against
            outcomes = cell.scores[0].outcomes if cell.scores else None
            writer.writerow([
                row.name, column.name, number.value if number else "", number.source if number else "",
                *((e.value, e.low, e.high) if e else ("", "", "")), len(cell.scores),
                "" if outcomes is None else len(outcomes),
                "" if math.isnan(cell.error_over_problems) else cell.error_over_problems, e.method if e else "",
                *((d.interval.value, d.interval.low, d.interval.high, d.p, cell.p_corrected, d.method)
                  if d else ("",) * 6),
                cell.by_problem.p if cell.by_problem else "", cell.best, cell.tied,
                " ".join(score.run.name for score in cell.scores), cell.missing,
            ])  # fmt: skip
    return text.getvalue()


def _grids(built: Built, bold: Callable[[str], str]) -> list[Grid]:
    """The values with the paper's numbers; and the differences to the baseline, where there is one."""
    columns, rows = built.definition.columns, built.definition.rows
    printed = [any(paper[j] is not None for paper in built.paper) for j in range(len(columns))]
    head, body = [""], [[row.name] for row in rows]
    for j, column in enumerate(columns):
        head += [f"{column.name}, paper"] if printed[j] else []
        head.append(f"{column.name}{' (%)' if column.percent else ''}")
        for i, line in enumerate(body):
            number, cell = built.paper[i][j], built.cells[i][j]
            line += [number.value if number else "–"] if printed[j] else []
            text = value_text(cell, column)
            line.append(bold(text) if cell.best else f"{text} ~" if cell.tied else text)
    grids = [(head, body)]
    if built.tests:
        others = [i for i, row in enumerate(rows) if row.name != built.definition.baseline]
        texts = [[difference_text(built.cells[i][j], c) for j, c in enumerate(columns)] for i in others]
        title = f"minus {built.definition.baseline}"
        names = [f"{c.name}{' (points)' if c.percent else ''}" for c in columns]
        grids.append(([title, *names], [[rows[i].name, *line] for i, line in zip(others, texts, strict=True)]))
    return grids


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _tex(text: str) -> str:
    escaped = re.sub(r"[\\~^<>–&%$#_{}]|(?<![\w-])-(?=\d)", lambda m: _LATEX[m[0]], text)
    return escaped.replace("\x01", "\\textbf{").replace("\x02", "}")


def _tex_cell(text: str) -> str:
    """What follows a value, its interval and n or p, goes in small print below it."""
    value, bracket, rest = text.partition(" [")
    if not bracket:
        return _tex(text)
    bold = "\x02" if value.startswith("\x01") else ""
    small = _tex(f"[{rest}".replace("\x02", ""))
    return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{_tex(value + bold)}\\{{\scriptsize {small}}}\end{{tabular}}"


def _tex_line(cells: Sequence[str]) -> str:
    return " & ".join(map(_tex_cell, cells)) + r" \\"
