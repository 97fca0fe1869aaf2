"""One number a run, written as text: what figures and claims compare.

final(policy/entropy)      mean over the last tenth of the steps
first(policy/entropy)      the first step
change(policy/entropy)     final - first
ratio(policy/entropy)      final / first
early(policy/entropy)      mean over the second tenth of the steps - mean over the first
mean(policy/grad_norm)     mean over all steps; also max, min
final(a) / final(b)        is written final(a / b)
accuracy                   avg@n of the last evaluation; accuracy_before, accuracy_best, accuracy_drop
                           (best - last), accuracy_gain (last - first)
pass@4                     pass@k of the last evaluation, out of right answers by problem; pass@4_before: of the first
evaluated(data/recall)     a metric of the last evaluation; evaluated_before(...): of the first
gained(data/recall)        last - first
evaluated(a - b)           the difference of two metrics of the same evaluation
reward_gap                 mean reward - avg@n of the last evaluation: rewarded minus true success, for rewards that
                           mean success (0 to 1)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from crucible.analysis.curves import Curve
from crucible.analysis.measured import Measured, Score
from crucible.analysis.rows import is_number
from crucible.errors import UserError, nearest

CALL = re.compile(r"(?P<name>\w+)\((?P<metric>[^()]+)\)")


def final(curve: Curve) -> float:
    """Mean over the last tenth of the steps the run made."""
    begin = curve.steps[-1] - 0.1 * curve.steps[-1]
    return float(curve.mean[curve.steps > begin].mean())


def early(curve: Curve) -> float:
    """Second tenth of the steps minus the first."""
    tenth = curve.steps[-1] / 10
    first, second = curve.steps <= tenth, (curve.steps > tenth) & (curve.steps <= 2 * tenth)
    if not first.any() or not second.any():
        return float("nan")
    return float(curve.mean[second].mean() - curve.mean[first].mean())


OVER_CURVE: dict[str, Callable[[Curve], float]] = {
    "final": final,
    "first": lambda curve: float(curve.mean[0]),
    "change": lambda curve: final(curve) - float(curve.mean[0]),
    "ratio": lambda curve: final(curve) / float(curve.mean[0]),
    "early": early,
    "mean": lambda curve: float(curve.mean.mean()),
    "max": lambda curve: float(curve.mean.max()),
    "min": lambda curve: float(curve.mean.min()),
}
OVER_SCORES: dict[str, Callable[[list[Score]], float]] = {
    "accuracy": lambda scores: scores[-1].value,
    "accuracy_before": lambda scores: scores[0].value,
    "accuracy_best": lambda scores: max(s.value for s in scores),
    "accuracy_drop": lambda scores: max(s.value for s in scores) - scores[-1].value,
    "accuracy_gain": lambda scores: scores[-1].value - scores[0].value,
}
PASS = re.compile(r"pass@(?P<k>\d+)(?P<before>_before)?")
EVALUATED = {"evaluated": -1, "evaluated_before": 0}
GAP = "reward_gap"


def reward_gap(run: Measured) -> float | None:
    """Rewarded minus true success on the held-out problems at the end; None where one of them was not measured."""
    if not run.scores:
        return None
    last = run.scores[-1]
    rewards = [row.get(f"eval/{last.data}/reward") for row in run.rows if row.get("step") == last.step]
    known = [float(value) for value in rewards if value is not None and is_number(value) and math.isfinite(value)]
    return known[-1] - last.value if known else None


def scalar(run: Measured, text: str) -> float | None:
    """The number of a run, None where the run has no such metric. Errors: UserError for a text that means nothing."""
    if text in OVER_SCORES:
        return OVER_SCORES[text](run.scores) if run.scores else None
    if text == GAP:
        return reward_gap(run)
    if match := PASS.fullmatch(text.strip()):
        return _pass_at(run, int(match["k"]), first=bool(match["before"]))
    match = CALL.fullmatch(text.strip())
    if match is not None and match["name"] in EVALUATED:
        return _evaluated(run, match["metric"].strip(), EVALUATED[match["name"]])
    if match is not None and match["name"] == "gained":
        first, last = (_evaluated(run, match["metric"].strip(), at) for at in (0, -1))
        return None if first is None or last is None else last - first
    if match is None or match["name"] not in OVER_CURVE:
        known = [*OVER_SCORES, GAP, "pass@K", *(f"{name}(METRIC)" for name in (*OVER_CURVE, *EVALUATED, "gained"))]
        raise UserError(f"{text!r} is no value of a run: one of {', '.join(known)}{nearest(text, OVER_SCORES)}")
    curve = run.curve(match["metric"].strip())
    value = float("nan") if curve is None else OVER_CURVE[match["name"]](curve)
    return value if math.isfinite(value) else None


def _pass_at(run: Measured, k: int, *, first: bool) -> float | None:
    """pass@k over the problems of the first or the last evaluation; None where it has too few samples."""
    found = [e for e in run.evaluations if e.n >= k]
    return float(found[0 if first else -1].by_problem(k).mean()) if found else None


def _evaluated(run: Measured, metric: str, at: int) -> float | None:
    names = metric.split(" - ")
    rows = [[row[name] for name in names] for row in run.rows if all(is_number(row.get(name)) for name in names)]
    if not rows:
        return None
    value = float(rows[at][0]) - sum(map(float, rows[at][1:]))
    return value if math.isfinite(value) else None
