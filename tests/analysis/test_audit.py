"""The audit counts what it should, its replies are what they say, and the document's table is its data's."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import torch

from crucible.analysis.audit import Audit, PlainAnswers, Trial, audit, judged, pooled
from crucible.analysis.audit_replies import (
    FORMS,
    MASTER_KEYS,
    NULL_REPLIES,
    REWRITINGS,
    Reply,
    as_written,
    rewritten,
    wrong,
)  # fmt: skip
from crucible.analysis.audit_tables import markdown
from crucible.rewards.exact import Exact
from crucible.types import Outcomes, Prompt, Scores
from tests.conftest import ROOT

RESULTS = ROOT / "docs" / "results" / "verifier_audit.json"
GOLDS = ["12", "1/2", "\\frac{3}{4}", "1,234", "Evelyn", "(1, 2)"]
PROMPTS = [Prompt(id=str(i), text=f"Q{i}?", reference={"answer": g}) for i, g in enumerate(GOLDS)]
BOXED = FORMS["boxed"]


class Says:
    """A verifier by a function of (gold, text): a number, None for no verdict, "broke" for an error."""

    needs = ("answer",)

    def __init__(self, says):
        self.says = says

    def __call__(self, prompts, completions, context):
        found = [self.says(p.reference["answer"], c.text) for p, c in zip(prompts, completions, strict=True)]
        kinds = torch.tensor([{None: 1, "broke": 3}.get(v, 0) for v in found], dtype=torch.int8)
        total = torch.tensor([0.0 if v in (None, "broke") else float(v) for v in found])
        return Scores(total, {"says": total}, valid=kinds == 0, outcomes={"says": Outcomes(kinds, total * 0)})


def these(found, begins):
    return pooled(begins, (t for t in found.tests if t.name.startswith(begins)))


def test_counts_by_hand():
    replies = [Reply(0, "a", True, t) for t in ("yes", "no", "?", "!")] + [Reply(1, "b", False, "yes")]
    verdicts = {"yes": 1.0, "no": 0.4, "?": None, "!": "broke"}
    a, b = judged(Says(lambda gold, text: verdicts[text]), PROMPTS, replies, 0.5, 3)
    assert (a.judged, a.misjudged, a.no_verdict, a.failed) == (2, 1, 2, 1)
    assert a.rate == 0.5
    assert a.examples == [{"gold": "12", "reply": "no"}]
    assert (b.judged, b.misjudged) == (1, 1)


def test_a_verifier_that_accepts_everything_and_one_that_accepts_nothing():
    yes = audit(Says(lambda gold, text: 1), PROMPTS, verifier="yes", data="d")
    no = audit(Says(lambda gold, text: 0), PROMPTS, verifier="no", data="d")
    assert all(t.misjudged == (0 if t.right else t.judged) for t in yes.tests)
    assert all(t.misjudged == (t.judged if t.right else 0) for t in no.tests)
    assert these(yes, "master key").judged == len(MASTER_KEYS) * len(PROMPTS)
    assert these(yes, "null reply").judged == len(NULL_REPLIES) * len(PROMPTS)


def test_the_form_a_verifier_accepts_most_of_is_its_own():
    found = audit(Says(lambda gold, text: text == f"#### {gold}"), PROMPTS, verifier="marked", data="d")
    assert found.form == "marked"
    written = {t.name: t.rate for t in found.tests if t.name.startswith("as written")}
    assert written["as written, marked"] == 0.0
    assert written["as written, boxed"] == 1.0
    assert these(found, "off by one").misjudged == 0


def test_the_plain_checker():
    found = audit(Exact(task=PlainAnswers()), PROMPTS, verifier="exact", data="d")
    assert these(found, "as written, boxed").misjudged == 0
    assert these(found, "rewritten, fraction").misjudged == 0
    assert these(found, "rewritten, unit").misjudged > 0  # it understands no unit
    assert sum(t.misjudged for t in found.tests if not t.right) == 0


@pytest.mark.parametrize(
    ("name", "gold", "changed"),
    [
        ("decimal", "12", "12.0"), ("decimal", "1/8", "0.125"), ("decimal", "1/3", None), ("decimal", "-0.5", None),
        ("decimal", "-1/2", "-0.5"), ("whole number", "52.0", "52"), ("whole number", "52", None),
        ("fraction", "0.25", "\\frac{1}{4}"), ("fraction", "-1.5", "-\\frac{3}{2}"), ("fraction", "3", None),
        ("thousands", "1234", "1,234"), ("thousands", "999", None), ("unit", "5", "5 dollars"), ("unit", "x", None),
        ("percent", "50%", "50\\%"), ("percent", "50", None), ("\\dfrac", "\\frac{1}{2}", "\\dfrac{1}{2}"),
        ("without \\left", "\\left(1, \\leftarrow\\right)", "(1, \\leftarrow)"), ("spaced", "(1,-2)", "(1, -2)"),
        ("spaced", "(a,b)", "(a, b)"), ("spaced", "10,\\!080", None), ("spaced", "1,234", None),
        ("without \\text", "\\text{Evelyn}", "Evelyn"), ("set reversed", "1, 2", "2, 1"),
        ("set reversed", "\\{1,2\\}", "\\{2, 1\\}"), ("set reversed", "(1,2)", None), ("set reversed", "1,234", None),
    ],
)  # fmt: skip
def test_rewritings(name, gold, changed):
    assert REWRITINGS[name](gold) == changed


def test_right_replies_are_right_and_wrong_ones_wrong():
    """By an oracle that knows the values of these six answers."""
    values = {"12": 12, "1/2": 0.5, "\\frac{3}{4}": 0.75, "1,234": 1234}
    for reply in rewritten(PROMPTS, "line"):
        gold, said = GOLDS[reply.row], reply.text.removeprefix("Answer: ")
        if gold in values and reply.test.split(", ")[1] in ("decimal", "whole number", "thousands"):
            assert float(said.replace(",", "")) == values[gold]
    for reply in wrong(PROMPTS, "line"):
        gold, said = GOLDS[reply.row], reply.text.removeprefix("Answer: ")
        if reply.test in ("off by one", "negated", "ten times as much"):
            top, _, bottom = said.partition("/")
            assert abs(float(top) / float(bottom or 1) - values[gold]) > 0.4
        assert said != gold
    assert {r.text for r in as_written(PROMPTS[:1])} == {template.format("12") for template in FORMS.values()}


def test_another_rows_answer_is_another_answer():
    same = [Prompt(id=str(i), text="", reference={"answer": g}) for i, g in enumerate(["1/2", "0.5", "$0.5$", "3"])]
    others = {r.row: r.text for r in wrong(same, "line") if r.test == "another row's answer"}
    assert others == {0: "Answer: 3", 1: "Answer: 3", 2: "Answer: 3", 3: "Answer: 1/2"}


def test_json_and_back_and_the_table():
    tests = [
        Trial("as written, boxed", True, 100, 10), Trial("rewritten, unit", True, 50, 0, 5, 2),
        Trial("another row's answer", False, 100, 1), Trial("master key ' '", False, 100, 0),
        Trial("master key '.'", False, 100, 8), Trial("null reply ''", False, 90, 0),
    ]  # fmt: skip
    found = Audit("v", "d", 100, "boxed", tests)
    again = Audit.of_json(json.loads(json.dumps(found.as_json())))
    assert again == found
    table = markdown([found, Audit("v", "e", 100, "line", [Trial("as written, line", True, 100, 20)])])
    low, high = wilson(10, 100)
    assert f"| v | 10.0 [{100 * low:.1f}, {100 * high:.1f}] | - | - | 20.0 [13.3, 28.9] | - |" in table
    assert "| v | 10.0 (100) | 20.0 (100) |" in table  # each data set in the verifier's own form there
    assert "| unit | 0.0 (50) |" in table
    keys = "4.0 (200) | 8.0 [4.1, 15.0] | 0.0 (90) | 0.0 [0.0, 4.1]"  # mean and worst
    assert f"| v | 1.0 [0.2, 5.4] | - | - | - | - | - | {keys} | 0.78 | 2 |" in table


def wilson(c, n, z=1.959963984540054):
    centre, half = (c + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(c * (n - c) / n + z * z / 4)
    return centre - half, centre + half


def test_the_documents_table_is_that_of_its_data():
    audits = [Audit.of_json(record) for record in json.loads(RESULTS.read_text())]
    assert audits
    document = (ROOT / "docs" / "verifiers.md").read_text()
    for line in markdown(audits).splitlines():
        assert line in document.splitlines()


def test_the_verifiers_of_any_answer_accept_the_reference_answers_in_their_own_form():
    """The others read numbers alone, or (exact, on OlympiadBench) are told in the document."""
    for record in json.loads(RESULTS.read_text()):
        found = Audit.of_json(record)
        best = next(t for t in found.tests if t.name == f"as written, {found.form}")
        if found.verifier.startswith(("math_verify", "dapo_math")):
            assert best.rate <= 0.01, f"{found.verifier} on {found.data}: {best}"


@pytest.mark.slow
def test_the_command(tmp_path):
    data, out = tmp_path / "mine" / "q.jsonl", tmp_path / "audit.json"
    data.parent.mkdir()
    rows = [{"a": "How many", "b": f"is {n}?", "gold": f"{n} (apples)"} for n in range(3, 9)]
    data.write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, ROOT / "analysis" / "audit_verifier.py"]
    asked = ["reward=gsm8k", "option=method=flexible,compare=value", f"data={data}", "question=a,b", "answer=gold",
             r"keep=(\S+) \(", f"out={out}", "rows=5"]  # fmt: skip
    told = subprocess.run([*command, *asked], capture_output=True, text=True, check=True, timeout=120).stdout
    assert "gsm8k method=flexible compare=value on mine: 5 rows" in told
    (record,) = json.loads(out.read_text())
    assert record["tests"]["as written, boxed"] == [1, 5, 0, 0, 0]
    assert record["tests"]["the question"] == [0, 5, 5, 0, 0]  # the question says it
    table = subprocess.run([*command, f"show={out}"], capture_output=True, text=True, check=True, timeout=120).stdout
    assert "| gsm8k method=flexible compare=value | 0.0 [0.0, 43.4] |" in table
