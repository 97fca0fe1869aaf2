"""How figures look: colours that survive colour blindness, lines and markers that survive grey print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Okabe & Ito 2008, "Color Universal Design", without its yellow, which is too light for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
UNDATED = {"png": {"Software": None}, "svg": {"Date": None}}
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FILLS = ("full", "none", "bottom")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo")
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "svg.hashsalt": "crucible",
    "svg.fonttype": "none",
}


def line(i: int) -> dict[str, Any]:
    """Colour and dash of the i-th series of a figure: 49 different pairs."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": LINES[(i + i // len(COLOURS)) % len(LINES)]}


def line_with_marker(i: int) -> dict[str, Any]:
    return line(i) | mark(i)


def mark(i: int) -> dict[str, Any]:
    """Colour and marker alone; the second seven are hollow and the third half full: in grey dashes come again."""
    fill = FILLS[i // len(COLOURS) % len(FILLS)]
    colour = COLOURS[i % len(COLOURS)]
    face = {"markerfacecolor": "white" if fill == "none" else colour, "markerfacecoloralt": "white"}
    return {"color": colour, "marker": marker(i), "fillstyle": "full" if fill == "none" else fill, **face}


def marker(i: int) -> str:
    return MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]


@contextmanager
def drawing() -> Iterator[Any]:
    """matplotlib.pyplot without a display, under `SETTINGS`; every figure is closed at the end."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(SETTINGS):
        try:
            yield pyplot
        finally:
            pyplot.close("all")


def save(figure: Any, stem: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """`stem`.png (150 dpi) and `stem`.svg, each whole or not at all. The same figure gives the same bytes."""
    from crucible.rundir.atomic import replacing

    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in formats]
    for path, kind in zip(paths, formats, strict=True):
        with replacing(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=150, metadata=UNDATED.get(kind))
    return paths
