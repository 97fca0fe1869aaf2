"""The reasoning potential of runs, Phi (CoTP, arXiv 2509.21124), out of the right answers of each problem."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from crucible.analysis.evaluation import Evaluation, evaluations, powers_up_to
from crucible.analysis.runs import Run
from crucible.analysis.statistics import Interval, mean_interval
from crucible.analysis.statistics.attempts import (
    attempts_interval,
    expected_attempts,
    geometric_pass_at_k,
    median_attempts,
)
from crucible.errors import UserError

Phase = Literal["before", "after", "both"]


@dataclass(frozen=True, slots=True)
class Potential:
    """Phi of one policy on one data set, and what follows from it.

    `unsolved`: share of problems with no right answer among n, whose expected attempts are infinite; `median`: of the
    expected attempts 1/Phi over problems (infinite from half of them unsolved on); `attempts`: E[min(K, n)]; `curve`:
    unbiased pass@k; `geometric`: mean of 1 - (1 - c/n)^k, which the identity promises for known Phi. With c/n in its
    place it is biased downwards (Jensen), the more the nearer k is to n: that gap is of the estimate, not of the model.
    """

    run: str
    data: str
    phase: str
    step: int
    n: int
    problems: int
    phi: Interval
    unsolved: float
    median: float
    attempts: Interval
    curve: dict[int, Interval]
    geometric: dict[int, float]


def potential_of(name: str, found: Evaluation) -> Potential:
    """Of one evaluation. Errors: UserError where it has no problems."""
    samples = np.full(len(found.right), found.n)
    share = np.asarray(found.right) / found.n
    ks = [1, *powers_up_to(found.n)]
    return Potential(
        run=name,
        data=found.data,
        phase=found.phase,
        step=found.step,
        n=found.n,
        problems=len(found.right),
        phi=found.avg(),
        unsolved=float(np.isinf(expected_attempts(samples, found.right)).mean()),
        median=median_attempts(samples, found.right),
        attempts=attempts_interval(found.right, found.n),
        curve={k: mean_interval(found.by_problem(k)) for k in ks},
        geometric={k: float(geometric_pass_at_k(share, k).mean()) for k in ks},
    )


def potentials(runs: Iterable[Run], phase: Phase = "both", data: str | None = None) -> list[Potential]:
    """Of the evaluations of runs, before and after training. Errors: UserError where no run has any."""
    found = [
        potential_of(run.name, evaluation)
        for run in runs
        for evaluation in evaluations(run.rows("eval"))
        if evaluation.phase in (("before", "after") if phase == "both" else (phase,))
        and (data is None or evaluation.data == data)
    ]
    if not found:
        raise UserError("no evaluation with right answers by problem; nothing to take the potential of")
    return found


def as_text(found: Sequence[Potential]) -> str:
    """A Markdown table: Phi, expected attempts, and pass@k."""
    ks = sorted({k for p in found for k in p.curve if k > 1})
    head = [
        "run",
        "data",
        "phase",
        "Phi = avg@n",
        "unsolved",
        "median 1/Phi",
        "E[min(K, n)]",
        *(f"pass@{k}" for k in ks),
    ]
    rows = [
        [
            p.run, p.data, p.phase, f"{p.phi} (n={p.n})", f"{p.unsolved:.1%}", _number(p.median), str(p.attempts),
            *(str(p.curve[k]) if k in p.curve else "" for k in ks),
        ]
        for p in found
    ]  # fmt: skip
    lines = ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]
    return "\n".join([
        *lines,
        "",
        "Phi is avg@n under another name; intervals are 95 % over problems. The expected attempts of a problem that",
        "was never solved are infinite, so Phi is averaged and attempts are not: their median, and their mean when one",
        "gives up after n.",
    ])  # fmt: skip


def as_rows(found: Sequence[Potential]) -> list[dict[str, Any]]:
    """One flat row for each k of each evaluation."""
    return [
        {
            "run": p.run, "data": p.data, "phase": p.phase, "step": p.step, "n": p.n, "problems": p.problems,
            "phi": p.phi.value, "phi_low": p.phi.low, "phi_high": p.phi.high, "unsolved": p.unsolved,
            "median_attempts": p.median, "attempts": p.attempts.value, "attempts_low": p.attempts.low,
            "attempts_high": p.attempts.high, "k": k, "pass_at_k": p.curve[k].value, "pass_at_k_low": p.curve[k].low,
            "pass_at_k_high": p.curve[k].high, "geometric": p.geometric[k],
        }
        for p in found
        for k in p.curve
    ]  # fmt: skip


def as_csv(found: Sequence[Potential]) -> str:
    rows = as_rows(found)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_jsonl(found: Sequence[Potential]) -> str:
    """Infinite numbers are written as the text "inf", since JSON has none."""
    rows = [{k: "inf" if v == math.inf else v for k, v in row.items()} for row in as_rows(found)]
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _number(value: float) -> str:
    return "infinite" if math.isinf(value) else f"{value:.2f}"
