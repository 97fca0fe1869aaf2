"""The HTML page: alone, whole, and hiding no run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from crucible.analysis import report_html
from crucible.analysis.find import find_runs
from crucible.analysis.report import page, plus_minus

from ..conftest import ROOT
from .study_runs import write_run, write_study

VOID = {"meta", "br", "link"}


class Page(HTMLParser):
    """Checks that tags are balanced and ids unique; keeps what could load something, and the text."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.ids += [known["id"]] if "id" in known else []
        self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href", "data") and not v.startswith("#")]
        self.loads += ["script"] if tag in ("script", "iframe", "object") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def parsed(text: str) -> Page:
    found = Page()
    found.feed(text)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("runs") / "study", seeds=2)
    broken = folder / "seed9-broken"
    broken.mkdir()
    (broken / "config.yaml").write_text("a: [")
    return page(
        "a <study>", find_runs([folder]), analysis_dir=ROOT / "analysis", arms="ce_gppo",
        figures=["ce_gppo/stability"], made_by="python analysis/report.py runs=x",
    )  # fmt: skip


def test_the_page_is_whole_and_needs_nothing_else(text):
    found = parsed(text)
    assert found.loads == []
    assert "url(http" not in text
    assert "@import" not in text
    assert len(set(found.ids)) == len(found.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(found.ids)
    assert "a &lt;study&gt;" in text


def test_no_run_is_hidden(text):
    words = "".join(parsed(text).words)
    assert "18 runs: 16 finished, 1 failed, 1 unknown." in words
    assert "out of memory" in words
    assert "seed9-broken" in words
    assert "cannot be read" in words


def test_arms_options_and_provenance_are_there(text):
    words = parsed(text).words
    assert "python analysis/report.py runs=x" in words
    assert "Runs of 2 code versions, at commit abc1234 (17 runs), no commit (1 runs)." in "".join(words)
    assert {"CE-GPPO 0.5/1", "GRPO", "algo.loss.beta1", "abc1234", "python train.py", "reward.right"} <= set(words)


def test_arms_without_a_file_and_the_usual_curves(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / "x", "grpo", seed)
        write_run(tmp_path / "x", "dapo", seed)
    found = page("x", find_runs([tmp_path]), analysis_dir=ROOT / "analysis")
    words = parsed(found).words
    assert {"eps_high=0.2", "eps_high=0.28"} <= set(words)
    assert words[words.index("What differs", words.index("Every run")) :].index("algo.loss.eps_high") > 0
    assert found.count("<svg") == 1
    assert found == page("x", find_runs([tmp_path]), analysis_dir=ROOT / "analysis")


def test_a_page_of_runs_of_which_none_finished(tmp_path):
    write_run(tmp_path / "x", "grpo", 1, state="failed", steps=3)
    words = "".join(parsed(page("x", find_runs([tmp_path]), analysis_dir=ROOT / "analysis")).words)
    assert "No run has finished." in words


def test_columns_without_text_are_left_out():
    found = report_html.table(["run", "error", "step"], [["a", "", "1"], ["b", "", ""]])
    assert "error" not in found
    assert found.count("<td>") == 4


@pytest.mark.parametrize(
    ("middle", "half", "shown"),
    [(0.5142, 0.0288, "0.514 ± 0.029"), (0.07264, 0.0049, "0.0726 ± 0.0049"), (1830.2, 66, "1830 ± 66"),
     (0.286, 0.0, "0.286"), (0.286, float("nan"), "0.286")],
)  # fmt: skip
def test_the_digits_of_a_mean_are_those_of_its_interval(middle, half, shown):
    assert plus_minus(middle, half) == shown


def test_markdown_tables_become_html():
    found = report_html.from_markdown("**T**\n\n| a | b |\n|---|---|\n| **1** \\| 2 | <x> |\n\n- a `note`\n")
    assert "<b>T</b>" in found
    assert "<td><b>1</b> | 2</td><td>&lt;x&gt;</td>" in found
    assert "a <code>note</code>" in found
