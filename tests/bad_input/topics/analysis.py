"""The scripts of analysis/."""

from __future__ import annotations

from tests.bad_input.case import Case

CASES = [
    Case(
        name="no such script option",
        command="analysis/compare.py a=x b=y c=z",
        sees="unknown option c; options: a, b, metrics, window, level, out",
    ),
    Case(name="an option without =", command="analysis/compare.py runs", sees="'runs': options are written name=value"),
    Case(name="an option twice", command="analysis/table.py table=a table=b", sees="table is given twice"),
    Case(name="what is needed is missing", command="analysis/compare.py a=x", sees="missing b=..."),
    Case(
        name="no such run",
        command="analysis/compare.py a=nowhere b=nowhere",
        sees="no runs found at nowhere: . has no nowhere",
    ),
    Case(
        name="text for a number",
        command="analysis/compare.py a=x b=y window=wide",
        sees="window=wide: a number is needed",
    ),
    Case(
        name="no such table",
        command="analysis/table.py table=ce_gppo/nothing runs=runs",
        sees='no table ce_gppo/nothing in {root}/analysis/tables (did you mean "ce_gppo/main"?)',
    ),
    Case(
        name="no such figure",
        command="analysis/figures.py figure=ce_gppo/nothing runs=runs",
        sees='no figure ce_gppo/nothing in {root}/analysis/figures (did you mean "ce_gppo/exchange"?)',
    ),
    Case(
        name="no such sweep",
        command="analysis/report.py sweep=ce_gppo/nothing",
        sees='sweep=ce_gppo/nothing: no file {root}/sweeps/ce_gppo/nothing.yaml (did you mean "ce_gppo/figure6"?)',
    ),
    Case(
        name="no runs to draw",
        command="analysis/figures.py figure=ce_gppo/entropy runs=runs",
        sees="no runs found at runs: . has no runs",
    ),
    Case(name="answers of no run", command="analysis/rollouts.py run=nowhere", sees="no run directory nowhere"),
    Case(
        name="answers of a run without samples",
        command="analysis/rollouts.py run=empty",
        sees="empty has no samples; runs store them every samples_every steps",
        files={"empty/config.yaml": "seed: 1\n"},
    ),
    Case(
        name="runs without metrics",
        command="analysis/compare.py a=a b=b",
        sees="nothing to compare: none of the 2 runs has metrics yet: /a (unknown), /b (unknown)",
        files={"a/config.yaml": "seed: 1\n", "b/config.yaml": "seed: 2\n"},
    ),
    Case(
        name="a confidence above 1",
        command="analysis/compare.py a=a b=b level=2",
        sees="level=2: must be above 0 and below 1",
    ),
    Case(
        name="a window that is no number",
        command="analysis/compare.py a=a b=b window=nan",
        sees="window=nan: a number is needed",
    ),
    Case(
        name="no value",
        command="analysis/rollouts.py run=",
        sees="run is empty: give a value",
    ),
    Case(
        name="a run that is a file",
        command="analysis/rollouts.py run=mine",
        sees="no run directory mine: it is a file",
        files={"mine": ""},
    ),
    Case(
        name="a negative number of prompts",
        command="analysis/rollouts.py run=mine limit=-1",
        sees="limit=-1: must be at least 0",
    ),
    Case(
        name="a sample without its prompt",
        command="analysis/rollouts.py run=mine",
        sees="mine/samples/step-000001.jsonl: sample 1 cannot be read: it has no 'prompt'",
        files={"mine/samples/step-000001.jsonl": '{"completion": "x"}\n'},
    ),
    Case(
        name="a reward that is a word",
        command="analysis/rollouts.py run=mine",
        sees="mine/samples/step-000001.jsonl: sample 1 cannot be read: could not convert string to float: 'much'",
        files={"mine/samples/step-000001.jsonl": '{"prompt": "p", "completion": "x", "reward": "much"}\n'},
    ),
    Case(
        name="samples that are noise",
        command="analysis/rollouts.py run=mine",
        sees="mine/samples/step-000001.jsonl holds no sample that can be read",
        files={"mine/samples/step-000001.jsonl": b"\xff\xfe[1]"},
    ),
    Case(
        name="a figure of unfinished runs",
        command="analysis/figures.py figure=ce_gppo/entropy runs=runs",
        sees=(
            "figure=ce_gppo/entropy: nothing to draw: none of the 1 runs is finished (runs/a is unknown); "
            "unfinished=true draws them as they are"
        ),
        files={"runs/a/config.yaml": "seed: 1\n"},
    ),
    Case(
        name="a figure in no known format",
        command="analysis/figures.py figure=ce_gppo/entropy formats=gif",
        sees="formats=gif: one of png, svg, pdf",
    ),
    Case(
        name="a file where a folder goes",
        command="analysis/collect.py runs=runs out=mine/x.json",
        sees="cannot write mine/x.json: a part of the path is a file, not a folder",
        files={"mine": "", "runs/a/config.yaml": "seed: 1\n"},
    ),
    Case(
        name="a table of an unfinished run",
        command="analysis/runs_table.py runs/a",
        sees="runs/a: no evaluation before and after training; finish the run first (same command)",
        files={"runs/a/config.yaml": "seed: 1\n"},
    ),
    Case(
        name="a pattern that is none",
        command="analysis/audit_verifier.py reward=gsm8k data=q.jsonl 'keep=('",
        sees="keep=(: no regular expression: missing ), unterminated subpattern at position 0",
        files={"q.jsonl": '{"question": "1+1", "answer": "2"}\n'},
    ),
    Case(
        name="audits that are not there",
        command="analysis/audit_verifier.py show=nowhere.json",
        sees="show=nowhere.json: no such file",
    ),
    Case(
        name="audits that are none",
        command="analysis/audit_verifier.py show=mine.json",
        sees="mine.json holds no audits, as out= writes them",
        files={"mine.json": "[1]"},
    ),
    Case(
        name="no rows to audit",
        command="analysis/audit_verifier.py reward=gsm8k data=q.jsonl rows=0",
        sees="rows=0: must be at least 1",
    ),
]
