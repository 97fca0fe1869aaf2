"""Figures of a paper: every figure file of the repository draws, from data, with nothing covered."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from crucible.analysis import style
from crucible.analysis.arms import Arm, assign
from crucible.analysis.bands import mean_and_half
from crucible.analysis.entropy_fit import fit
from crucible.analysis.figure_curves import curves
from crucible.analysis.figure_definition import KINDS, figure_names, read_figure
from crucible.analysis.find import find_runs
from crucible.analysis.measured import Measured, measured
from crucible.analysis.paper_figures import draw_figure, figure_of
from crucible.errors import UserError

from ..conftest import ROOT
from . import small_runs
from .study_runs import write_study

EVERY = figure_names(ROOT / "analysis")
FIGURES = [name for name in EVERY if name.startswith("ce_gppo/")]  # others: tests/analysis/verification


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return find_runs([write_study(tmp_path_factory.mktemp("runs") / "study", seeds=2)])


def drawn(name, runs, check):
    """`check(figure, notes)` while the figure exists."""
    definition = read_figure(name, ROOT / "analysis")
    arms, _ = assign(definition.arms, [r for r in runs if r.state == "finished"])
    with style.drawing() as pyplot:
        return check(*figure_of(pyplot, definition, arms))


def test_there_are_figures_and_together_they_use_every_kind():
    used = {panel.kind for name in EVERY for panel in read_figure(name, ROOT / "analysis").panels}
    assert used == set(KINDS)


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_of_every_figure_shows_something(name, runs):
    def check(figure, notes):
        for axes in figure.axes:
            assert axes.lines or axes.collections or axes.patches, axes.get_title(loc="left")
            assert axes.get_title(loc="left")
        assert not [n for n in notes if "no run has" in n]

    drawn(name, runs, check)


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_covers_another(name, runs):
    def check(figure, notes):
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        legends = [legend.get_window_extent(renderer) for legend in figure.legends]
        panels = [axes.get_tightbbox(renderer) for axes in figure.axes]
        boxes = [*legends, *panels]
        for i, one in enumerate(boxes):
            for other in boxes[i + 1 :]:
                overlap = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
                assert min(overlap) < 1.0, (name, one, other)  # pixels
        for axes in figure.axes:
            left, right = axes._left_title.get_window_extent(renderer), axes._right_title.get_window_extent(renderer)
            assert not axes._right_title.get_text() or left.x1 < right.x0

    drawn(name, runs, check)


def test_curves_are_the_means_over_seeds(runs):
    def check(figure, notes):
        (line,) = [x for x in figure.axes[0].lines if x.get_label() == "GRPO (2)"]
        mine = [Measured(r).curve("policy/entropy").mean for r in runs if r.path.endswith(("seed1-grpo", "seed2-grpo"))]
        assert np.mean(mine, axis=0) == pytest.approx(line.get_ydata())

    drawn("ce_gppo/entropy", runs, check)


def test_series_differ_without_colour(runs):
    def check(figure, notes):
        for axes in figure.axes:
            looks = [(str(x.get_linestyle()), x.get_marker(), x.get_markerfacecolor() == "white") for x in axes.lines]
            assert len(set(looks)) == len(looks)

    drawn("ce_gppo/entropy", runs, check)
    assert len({(style.line(i)["color"], str(style.line(i)["linestyle"])) for i in range(49)}) == 49
    looks = [(str(style.line(i)["linestyle"]), *(style.mark(i)[k] for k in ("marker", "fillstyle"))) for i in range(21)]
    hollow = [style.mark(i)["markerfacecolor"] == "white" for i in range(21)]
    assert len(set(zip(looks, hollow, strict=True))) == 21  # also in grey


def test_what_cannot_be_negative_has_no_axis_below_zero(tmp_path):
    """Three seeds whose interval reaches below 0, of a metric that is positive; and one that is really negative."""
    for seed, value in ((1, 0.0), (2, 0.0), (3, 0.01)):
        small_runs.write_run(tmp_path / "e" / f"s{seed}", seed=seed,
                             curves={"policy/kl_old": [value] * 4, "reward/mean": [value - 0.005] * 4})  # fmt: skip
    arm = Arm("a", "A", {}, 0, runs=tuple(find_runs(tmp_path)))
    with style.drawing() as pyplot:
        for metric, expected in (("policy/kl_old", True), ("reward/mean", False)):
            axes = pyplot.figure().add_subplot()
            curves(axes, [arm], lambda arm: measured(arm.runs), metric=metric, title="", y="")
            assert bool(axes.get_ylim()[0] == 0) is expected


def test_the_fit_is_that_of_all_points(runs):
    shown = read_figure("ce_gppo/exchange", ROOT / "analysis").panels[0].show
    arms, _ = assign(
        read_figure("ce_gppo/exchange", ROOT / "analysis").arms, [r for r in runs if r.state == "finished"]
    )
    points = [Measured(run).exchange() for key in shown for run in arms[key].runs]
    expected = fit([h for p in points for h in p[0]], [r for p in points for r in p[1]])

    def check(figure, notes):
        assert f"all arms: {expected}" in notes

    drawn("ce_gppo/exchange", runs, check)


def test_files_are_the_same_again_and_say_which_runs(runs, tmp_path):
    definition = read_figure("ce_gppo/stability", ROOT / "analysis")
    first = draw_figure(definition, runs, tmp_path / "a" / "figure")
    again = draw_figure(definition, runs, tmp_path / "b" / "figure")
    assert [f.suffix for f in first.files] == [".png", ".svg", ".json"]
    assert [f.read_bytes() for f in first.files] == [f.read_bytes() for f in again.files]
    assert ElementTree.parse(first.files[1]).getroot().tag.endswith("svg")
    assert b"date" not in first.files[1].read_bytes()
    side = json.loads(first.files[2].read_text())
    assert [run["seed"] for run in side["arms"]["grpo"]] == [1, 2]
    assert side["arms"]["grpo"][0]["commit"] == "abc1234"
    assert any("seed3-grpo is failed" in note for note in side["notes"])


def test_unfinished_runs_are_drawn_when_asked(runs, tmp_path):
    definition = read_figure("ce_gppo/stability", ROOT / "analysis")
    found = draw_figure(definition, runs, tmp_path / "f", formats=("svg",), unfinished=True)
    assert not [n for n in found.notes if "left out" in n]
    assert "GRPO (3)" in found.files[0].read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("panels: []", "at least one"),
        ("arms: x\npanels: [{kind: dots}]", "needs value, title, x"),
        ("arms: x\npanels: [{kind: curve}]", r'did you mean "curves"'),
        ("arms: x\npanels: [{kind: curves, metric: a, title: b, y: c, smoth: 3}]", r'did you mean "smooth"'),
        ("arms: x\nshow: [gppo]\npanels: [{kind: accuracy}]", r'no arm gppo \(did you mean "grpo"'),
        ("arms: y\npanels: [{kind: accuracy}]", "no arms y"),
        ("arm: x", r'did you mean "arms"'),
    ],
)
def test_figure_files_are_checked(tmp_path, text, message):
    (tmp_path / "arms").mkdir()
    (tmp_path / "arms" / "x.yaml").write_text("grpo: {where: {seed: 1}}\n")
    (tmp_path / "figures" / "p").mkdir(parents=True)
    (tmp_path / "figures" / "p" / "f.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_figure("p/f", tmp_path)


def test_unknown_figures_have_a_nearest_name():
    with pytest.raises(UserError, match=r'no figure ce_gppo/entropie .*did you mean "ce_gppo/entropy"'):
        read_figure("ce_gppo/entropie", ROOT / "analysis")


def test_bands_are_drawn_from_three_seeds_on(runs):
    definition = read_figure("ce_gppo/stability", ROOT / "analysis")
    arms, _ = assign(definition.arms, runs)  # with the third, unfinished run of GRPO
    with style.drawing() as pyplot:
        figure, _ = figure_of(pyplot, definition, arms)
        bands = figure.axes[1].collections
        assert len(bands) == 1
        (line,) = [x for x in figure.axes[1].lines if x.get_label() == "GRPO (3)"]
        assert len(line.get_xdata()) == 5  # as far as all three have got
        values = [Measured(run).curve("policy/grad_norm").mean[:5] for run in arms["grpo"].runs]
        mean, half = mean_and_half(values)
        assert set(bands[0].get_paths()[0].vertices[:, 1]) >= set(mean - half) | set(mean + half)


def test_a_panel_without_data_says_so():
    def check(figure, notes):
        empty = [t.get_text() for axes in figure.axes for t in axes.texts]
        assert empty == ["no runs with these metrics"] * 2

    drawn("ce_gppo/stability", [], check)
