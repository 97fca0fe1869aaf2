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
]
