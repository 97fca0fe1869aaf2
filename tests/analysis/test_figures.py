"""Figures come from metrics alone, and say nothing where metrics are missing."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from crucible.analysis import panels, style
from crucible.analysis.curves import running_mean, window_of
from crucible.analysis.figures import FIGURES, draw_run_figures
from crucible.analysis.find import one_run
from crucible.analysis.measured import Measured
from crucible.analysis.rows import series
from crucible.errors import UserError

from .runs import make_run, update_rows


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "exp" / "a")


def png_size(content: bytes) -> tuple[int, int]:
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


def test_every_figure_and_the_overview(path):
    written = draw_run_figures(path, formats=("png",))
    assert [p.name for p in written] == [*(f"{name}.png" for name in FIGURES), "overview.png"]
    assert {p.parent for p in written} == {path / "figures"}
    assert {png_size(p.read_bytes()) for p in written[:-1]} == {(780, 510)}  # 5.2 x 3.4 inches at 150 dpi


def test_missing_metrics_leave_figures_out(tmp_path):
    rows = [{k: v for k, v in r.items() if k in ("kind", "step", "update", "policy/entropy")} for r in update_rows(1)]
    written = draw_run_figures(make_run(tmp_path / "a", rows=[{**rows[0], "policy/kl_old": float("nan")}]))
    assert [p.name for p in written] == ["entropy.png", "entropy.svg", "overview.png", "overview.svg"]
    for file in (p for p in written if p.suffix == ".svg"):
        assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert "nats per token" in (tmp_path / "a" / "figures" / "entropy.svg").read_text()


def test_no_metrics_no_figures(tmp_path):
    assert draw_run_figures(make_run(tmp_path / "a", rows=[])) == []
    assert not (tmp_path / "a" / "figures").exists()
    with pytest.raises(UserError, match=r"no run directory"):
        draw_run_figures(tmp_path / "b")


def drawn(panel, path):
    """What a panel draws: label -> (x, y) of each line, the collections, and the axes."""
    with style.drawing() as pyplot:
        axes = pyplot.figure().add_subplot()
        assert panel(axes, Measured(one_run(path)))
        lines = {x.get_label(): x.get_xydata() for x in axes.get_lines() if not x.get_label().startswith("_")}
        return lines, list(axes.collections), axes


def test_the_accuracy_figure_shows_the_rows(path):
    lines, bands, axes = drawn(panels.accuracy, path)
    rows = one_run(path).rows("eval")
    steps, values = series(rows, "eval/chain/avg@8")
    assert lines["held-out avg@8"].T.tolist() == [steps, values]
    assert set(lines) == {"held-out avg@8", "held-out pass@8", "training rollouts"}
    assert len(bands) == 2
    assert set(series(rows, "eval/chain/avg@8_low")[1]) <= set(bands[0].get_paths()[0].vertices[:, 1])
    assert axes.get_ylabel() == "share right"


def test_exact_and_sampled_entropy_are_told_apart(path):
    lines, _, _ = drawn(panels.entropy, path)
    assert set(lines) == {"exact", "estimated from samples"}
    assert lines["exact"][:, 1] == pytest.approx([0.6 * 0.97**s for s in range(1, 13)])


def test_series_differ_in_more_than_colour(path):
    for panel in (panels.reward, panels.accuracy, panels.preserved):
        with style.drawing() as pyplot:
            axes = pyplot.figure().add_subplot()
            panel(axes, Measured(one_run(path)))
            dashes = [str(x.get_linestyle()) for x in axes.get_lines()]
            assert len(set(dashes)) == len(dashes)


def test_time_is_stacked(path):
    _, areas, _ = drawn(panels.time, path)
    tops = [a.get_paths()[0].vertices[:, 1].max() for a in areas]
    assert tops == pytest.approx([1.2, 1.5, 3.6])


def test_running_mean():
    assert running_mean(np.array([1.0, 2.0, 6.0]), 1).tolist() == [1, 2, 6]
    assert running_mean(np.array([1.0, 2.0, 6.0]), 3) == pytest.approx([1.5, 3, 4])
    assert running_mean(np.full(50, 2.5), 5) == pytest.approx(np.full(50, 2.5))
    assert [window_of(n) for n in (1, 40, 41, 100, 1000)] == [1, 1, 3, 5, 51]


def test_the_same_run_gives_the_same_bytes(tmp_path):
    rows = [{k: v for k, v in r.items() if k in ("kind", "step", "update", "policy/loss")} for r in update_rows(1)]
    run = make_run(tmp_path / "a", rows=rows)
    first = {p: p.read_bytes() for p in draw_run_figures(run)}
    assert {p: p.read_bytes() for p in draw_run_figures(run)} == first
