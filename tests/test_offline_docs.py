"""docs/offline.md and docs/metrics.md name what there is."""

from __future__ import annotations

import re

import pytest

from crucible.config.catalogue import axes
from crucible.config.methods import pieces
from crucible.rundir import read_metrics
from tests.conftest import ROOT

GIVEN = [o.name for o in axes(ROOT)["algo"] if {"supervised", "preference"} & pieces(ROOT, o.name).keys()]
PAGE = (ROOT / "docs" / "offline.md").read_text()


def test_the_page_names_every_algorithm_and_no_other():
    rows = re.findall(r"^\| ([\w, ]+) \| (?:demonstrations|pairs|labelled answers) \|", PAGE, flags=re.MULTILINE)
    assert sorted(name for row in rows for name in row.split(", ")) == sorted(GIVEN)


def test_the_page_names_every_column_that_holds_answers_to_learn_from():
    from crucible.data.questions import QuestionOptions

    columns = {key for key in QuestionOptions.__annotations__ if key.endswith("_column")}
    learned = {"completion_column", "chosen_column", "rejected_column", "label_column", "weight_column"}
    assert learned <= columns
    assert all(f"data.{column}=" in PAGE for column in learned)


@pytest.mark.parametrize(
    "algo", ["asft", "kto", "orpo", *(pytest.param(a, marks=pytest.mark.slow) for a in ("psft", "wpo", "bco"))]
)
def test_every_metric_of_such_a_run_is_documented(small_run, algo):
    text = (ROOT / "docs" / "metrics.md").read_text()
    named = set(re.findall(r"`([a-z]+/[^`\s]+)`", text)) - {"supervised/<name>", "preference/<name>"}
    patterns = [
        re.compile(re.sub(r"<\w+>", "[^/]+", re.escape(n).replace(r"\<", "<").replace(r"\>", ">")).replace(r"\*", ".+"))
        for n in named
    ]
    patterns += [re.compile(r"eval/[^/]+/((avg|pass|maj|attempts)@\d+(_low|_high)?|(right|votes)_of_\d+)")]
    lists = re.findall(r"`(?:supervised|preference)/<name>` \| [^|]*", text)
    reported = {name for row in lists for name in re.findall(r"`(\w+)`", row)}
    logged = {name for row in read_metrics(small_run(f"algo={algo}", "steps=1")) for name in row if "/" in name}
    assert len(logged) > 15
    unknown = [name for name in sorted(logged) if not any(p.fullmatch(name) for p in patterns)]
    assert not [name for name in unknown if name.rpartition("/")[2] not in reported]
