"""A study's document is what its results say, and nothing in it is typed."""

from __future__ import annotations

import re
import shutil

import pytest

from crucible.analysis.find import find_runs
from crucible.analysis.results import write_results
from crucible.analysis.study import PART, document, open_study, study_names
from crucible.analysis.study_parts import PARTS, interval, number
from crucible.errors import UserError

from ..conftest import ROOT
from .study_runs import write_study

STUDIES = ROOT / "docs" / "studies"
# What prose may say in figures: arXiv ids, file names.
NUMBER = re.compile(r"[+-]?\d+\.\d+(?:e[+-]\d+)?")
SPARED = re.compile(r"arXiv \d{4}\.\d{5}|`[^`]*`|\]\([^)]*\)")


@pytest.mark.slow
def test_every_document_of_the_repository_is_what_its_results_say():
    written = [p for p in STUDIES.glob("*.md") if not p.name.endswith(".template.md")]
    for path in written:
        assert document(open_study(path.stem, ROOT)) == path.read_text(encoding="utf-8"), path
    stored = {p.stem.partition("-")[0] for p in (STUDIES / "results").glob("*.json")}
    assert stored <= {p.stem for p in [*written, *(ROOT / "docs").glob("*.md")]}


@pytest.mark.parametrize("name", study_names(ROOT))
def test_no_result_is_typed_into_a_template(name):
    prose = SPARED.sub("", PART.sub("", (STUDIES / f"{name}.template.md").read_text()))
    assert re.findall(r"\d+\.\d+|\d+ ?%|\d{2,}", prose) == []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The repository's study over results made for the test."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOT / "analysis", root / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "docs" / "studies" / "results").mkdir(parents=True)
    (root / "tests" / "algorithms").mkdir(parents=True)
    shutil.copytree(ROOT / "tests" / "algorithms" / "losses", root / "tests" / "algorithms" / "losses")
    runs = find_runs([write_study(root / "runs" / "study", seeds=3)])
    write_results(root / "docs" / "studies" / "results" / "ce_gppo.json", runs, made_by="a test")
    return root


def with_template(root, text):
    (root / "docs" / "studies" / "ce_gppo.template.md").write_text(text)
    return document(open_study("ce_gppo", root))


@pytest.mark.slow
def test_stored_results_give_the_document_of_the_runs_themselves(study):
    text = "{{ claims }}\n{{ evidence }}\n{{ arms accuracy final(policy/entropy) }}\n{{ fits }}\n{{ theorem }}"
    stored = with_template(study, text)
    live = document(open_study("ce_gppo", study, [str(study / "runs")]))
    assert stored == with_template(study, text)
    in_words, in_numbers = [NUMBER.sub("#", t) for t in (stored, live)], [NUMBER.findall(t) for t in (stored, live)]
    assert in_words[0] == in_words[1]
    pairs = zip(*(map(float, numbers) for numbers in in_numbers), strict=True)
    assert [a for a, b in pairs if a != pytest.approx(b, rel=0.02, abs=2e-3)] == []  # files keep five digits


@pytest.mark.slow
def test_every_part_gives_text(study):
    calls = {
        "verdict": "verdict entropy_signs", "count": "count not_run", "arms": "arms accuracy",
        "mean": "mean grpo final(policy/entropy)", "option": "option steps", "power": "power accuracy grpo dapo",
        "table": "table ce_gppo/tiny", "figure": "figure ce_gppo/entropy 'a caption'",
    }  # fmt: skip
    table = (
        "arms: ce_gppo\ncolumns: {entropy: {metric: policy/entropy}}\nrows: {GRPO: {arm: grpo}, DAPO: {arm: dapo}}\n"
    )
    (study / "analysis" / "tables" / "ce_gppo" / "tiny.yaml").write_text(table)
    for name in [name for name in PARTS if not name.startswith("verdict_")]:  # these are made of counts
        text = with_template(study, f"{{{{ {calls.get(name, name)} }}}}")
        assert text.strip(), name
        assert "{{" not in text


def test_numbers_in_the_document_are_those_of_the_runs(study):
    entropy = with_template(study, "{{ mean grpo final(policy/entropy) }}")
    assert re.fullmatch(r"0\.03\d+ \[0\.03\d+, 0\.0[34]\d+\]", entropy)
    assert with_template(study, "{{ option algo.loss.eps_high dapo }}") == "0.28"
    assert with_template(study, "{{ problems }}") == "32 problems with 8 samples each"
    runs = with_template(study, "{{ runs }}")
    assert "24 finished runs" in runs
    assert "seed4-grpo: failed (out of memory), left out" in runs
    assert with_template(study, "{{ verdict ce_gppo_between }}") == "**held**"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ claim }}", r'no part .claim. \(did you mean "claims"'),
        ("{{ mean dapoo accuracy }}", r'did you mean "dapo"'),
        ("{{ option stesp }}", r'did you mean "steps"'),
        ("{{ verdict nothing_like_it }}", "no claim"),
        ("{{ mean }}", "missing"),
    ],
)
def test_templates_are_checked(study, text, message):
    with pytest.raises(UserError, match=message):
        with_template(study, text)


def test_a_study_without_results_says_so(study):
    with pytest.raises(UserError, match=r'no study ce_gpo.*did you mean "ce_gppo"'):
        open_study("ce_gpo", study)
    (study / "docs" / "studies" / "other.template.md").write_text("")
    shutil.copy(study / "analysis" / "claims" / "ce_gppo.yaml", study / "analysis" / "claims" / "other.yaml")
    with pytest.raises(UserError, match="no results"):
        open_study("other", study)


def test_how_numbers_are_written():
    assert [number(v) for v in (0.5, 0.05123, 0.000123456, 12.34567, 0.0)] == [
        "0.500", "0.0512", "0.000123", "12.346", "0.000",
    ]  # fmt: skip
    assert number(0.25, sign=True) == "+0.250"
    assert interval([1.0]) == "1.000"
    assert interval([]) == ""
