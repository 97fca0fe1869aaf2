"""The parts of a study's document. Each is a function of the study and of words, and gives Markdown."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from crucible.analysis.bands import mean_and_half
from crucible.analysis.claim_tests import Part
from crucible.analysis.claims import ALPHA, Finding, Verdict
from crucible.analysis.entropy_fit import fit
from crucible.analysis.entropy_theorem import tabular_checks
from crucible.analysis.entropy_theorem_runs import agreement, pairs_of
from crucible.analysis.evaluation import evaluations
from crucible.analysis.frame import with_choices
from crucible.analysis.results import same
from crucible.analysis.runs import Run
from crucible.analysis.scalars import scalar
from crucible.analysis.statistics.power import detectable_difference_of_means
from crucible.analysis.study import Study
from crucible.analysis.verification import study_parts as verification_parts
from crucible.errors import UserError, nearest

MARKS: dict[Verdict, str] = {
    "held": "**held**",
    "did not hold": "**did not hold**",
    "undecided": "undecided",
    "not run": "not run",
}


def claims(study: Study) -> str:
    """A line for each claim: what was said, where, and the verdict."""
    rows = [[str(i), f.claim.says, f.claim.source, MARKS[f.verdict], _p(f.p)] for i, f in enumerate(study.findings, 1)]
    counts = Counter(f.verdict for f in study.findings)
    total = ", ".join(f"{counts[v]} {v}" for v in MARKS if counts[v])
    return table(["", "claim", "where", "here", "p (Holm)"], rows) + f"\n\n{len(rows)} claims: {total}."


def evidence(study: Study) -> str:
    """The test of every claim with its effects, intervals and numbers of runs."""
    return "\n\n".join(_evidence(i, finding) for i, finding in enumerate(study.findings, 1))


def verdict(study: Study, claim: str) -> str:
    """The verdict on one claim, by its id."""
    found = {f.claim.id: f for f in study.findings}
    if claim not in found:
        raise UserError(f"study {study.name} has no claim {claim}{nearest(claim, found)}")
    return MARKS[found[claim].verdict]


def count(study: Study, of: str) -> str:
    """How many claims have this verdict."""
    name = of.replace("_", " ")
    if name not in MARKS:
        raise UserError(f"no verdict {name!r}: one of {', '.join(MARKS)}")
    return str(sum(f.verdict == name for f in study.findings))


def arms(study: Study, *values: str) -> str:
    """A line an arm: number of seeds, and mean with 95 % interval of each value (`scalars`).

    An arm whose runs have none of the values is left out; one without runs says so.
    """
    rows = []
    for key, arm in study.arms.items():
        cells = [interval(_values(study, key, value)) for value in values] if arm.runs else ["" for _ in values]
        if any(cells) or not arm.runs:
            rows.append([arm.label, str(len(arm.runs)) if arm.runs else "not run", *cells])
    heads = [re.sub(r"^evaluated\((.*)\)$", r"\1", value) for value in values]
    return table(["arm", "seeds", *heads], rows)


def mean(study: Study, arm: str, value: str) -> str:
    """Mean of a value over an arm's seeds, with its interval."""
    if arm not in study.arms:
        raise UserError(f"no arm {arm}{nearest(arm, study.arms)}")
    found = _values(study, arm, value)
    return interval(found) if found else "not measured"


def option(study: Study, name: str, arm: str = "") -> str:
    """The value of an option in the runs (of an arm): a setting is read, not typed."""
    chosen = study.arms[arm].runs if arm else study.runs
    if not chosen:
        return "not run"
    values: list[Any] = []
    for run in chosen:
        value = with_choices(run.config).get(name)
        if not any(same(value, v) for v in values):
            values.append(value)
    if not values or values == [None]:
        known = {key for run in chosen for key in run.config}
        raise UserError(f"no run has the option {name}{nearest(name, known)}")
    return " or ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)


def problems(study: Study) -> str:
    """How many held-out problems, with how many samples each."""
    found = {(len(e.right), e.n) for run in study.runs for e in evaluations(run.rows("eval"))}
    return " or ".join(f"{right} problems with {n} samples each" for right, n in sorted(found))


def power(study: Study, value: str, a: str, b: str) -> str:
    """The smallest difference between two arms that their seeds would show four times in five (paired, uncorrected)."""
    from crucible.analysis.claim_tests import Values

    values = Values(study.arms, study.root)
    x, y = values.of(a, value), values.of(b, value)
    seeds = sorted(x.keys() & y.keys())
    if len(seeds) < 2:
        return "not known (fewer than two common seeds)"
    _, half = mean_and_half([x[s] - y[s] for s in seeds])
    from scipy import stats

    deviation = float(half) * math.sqrt(len(seeds)) / float(stats.t.ppf(0.975, len(seeds) - 1))
    return number(detectable_difference_of_means(deviation, len(seeds)))


def theorem(study: Study, *chosen: str) -> str:
    """The entropy theorem: tabular errors, and the agreement on the trained models of these arms (all)."""
    lines = ["| | relative error at each step size |", "|---|---|"]
    for rule in ("policy", "natural"):
        checks = tabular_checks(rule=rule)
        lines.append(f"| tabular softmax, {rule} gradient | " + ", ".join(
            f"{c.relative_error:.1g} at {c.eta:g}" for c in checks) + " |")  # fmt: skip
    lines += ["", "| trained model | correlation | slope | same sign | blocks | runs |", "|---|---|---|---|---|---|"]
    for metric in ("policy/covariance", "policy/covariance_natural"):
        runs = [m for key in (chosen or study.arms) for m in study.measured[key]]
        pairs = [p for m in runs if (p := pairs_of(m, metric)) is not None]
        try:
            a = agreement(pairs)
        except UserError:
            lines.append(f"| {metric} | not measured | | | | |")
            continue
        (r_low, r_high), (s_low, s_high) = a.correlation_interval, a.slope_interval
        lines.append(
            f"| {metric} | {a.correlation:.2f} [{r_low:.2f}, {r_high:.2f}] | {a.slope:.2g} [{s_low:.2g}, {s_high:.2g}] "
            f"| {a.same_sign:.0%} | {a.n} | {a.runs} |"
        )
    return "\n".join(lines)


def fits(study: Study, *chosen: str) -> str:
    """R = -a exp(H) + b arm by arm, over all evaluations of its runs."""
    rows = []
    for key in chosen or study.arms:
        points = [m.exchange() for m in study.measured[key]]
        h, r = ([v for p in points for v in p[side]] for side in (0, 1))
        if not h:
            continue
        try:
            f = fit(h, r)
        except UserError as error:
            rows.append([study.arms[key].label, str(error), "", "", "", ""])
            continue
        a, b = f"{f.a:.2f} ± {f.a_half:.2f}", f"{f.b:.2f} ± {f.b_half:.2f}"
        rows.append([study.arms[key].label, a, b, f"{f.ceiling:.2f}", f"{f.r_squared:.2f}", str(f.n)])
    return table(["arm", "a", "b", "ceiling b - a", "R²", "points"], rows)


def paper_table(study: Study, name: str) -> str:
    """A table of analysis/tables from the study's runs."""
    from crucible.analysis.tables.program import built_table
    from crucible.analysis.tables.render import markdown

    return markdown(built_table(name, runs=tuple(study.roots), analysis_dir=study.root / "analysis")).rstrip()


def figure(study: Study, name: str, caption: str = "") -> str:
    """The picture that analysis/study.py draws beside the document."""
    return f"![{caption or name}](figures/{name}.png)"


def runs(study: Study) -> str:
    """How many runs, of which code, and what was left out."""
    commits = Counter(str(run.facts.get("commit") or "unknown")[:10] for run in study.runs)
    code = Counter(str(run.facts.get("code_version") or "unknown") for run in study.runs)
    made_by = f"{_counted(commits, 'commit')}; {_counted(code, 'code version')}"
    lines = [f"- {len(study.runs)} finished runs: {made_by}"]
    lines += [f"- {run.name}: {run.state}{_reason(run)}, left out" for run in study.left_out]
    lines += [f"- {run.name}: in no arm" for run in study.others]
    return "\n".join(lines)


PARTS: dict[str, Callable[..., str]] = {
    "claims": claims, "evidence": evidence, "verdict": verdict, "count": count, "arms": arms, "mean": mean,
    "option": option, "problems": problems, "power": power, "theorem": theorem, "fits": fits, "table": paper_table,
    "figure": figure, "runs": runs, **verification_parts.PARTS,
}  # fmt: skip


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float, *, sign: bool = False) -> str:
    """Three significant digits, no exponent for what people read; counts whole."""
    if math.isnan(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:{'+' if sign else ''},.0f}"
    digits = 3 if size >= 0.1 or size == 0 else min(7, 2 - math.floor(math.log10(size)))
    return f"{value:{'+' if sign else ''}.{digits}f}"


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % t-interval over seeds."""
    if not values:
        return ""
    middle, half = (float(x) for x in mean_and_half(values))
    limits = "" if math.isnan(half) else f" [{number(middle - half)}, {number(middle + half)}]"
    return f"{number(middle)}{limits}"


def _values(study: Study, arm: str, value: str) -> list[float]:
    return [v for m in study.measured[arm] if (v := scalar(m, value)) is not None]


def _evidence(position: int, finding: Finding) -> str:
    claim, found = finding.claim, finding.evidence
    lines = [f"### {position}. {claim.says}", "", f"{claim.source}. Verdict: {MARKS[finding.verdict]}."]
    if found.missing:
        lines[-1] += f" ({'; '.join(found.missing)})"
    if found.note:
        lines += ["", found.note[0].upper() + found.note[1:] + "."]
    if found.parts:
        rows = [_part(part) for part in found.parts]
        lines += ["", table(["comparison", "effect, 95 % interval", "p", "test", "as claimed"], rows)]
        lines += ["", f"p of the claim {_p(found.p)}, corrected {_p(finding.p)} (level {ALPHA:g})."]
    if claim.caveat:
        lines += ["", f"Caveat: {claim.caveat}"]
    return "\n".join(lines)


def _part(part: Part) -> list[str]:
    i = part.difference.interval
    effect = number(i.value, sign=True)
    if not math.isnan(i.low):
        effect += f" [{number(i.low, sign=True)}, {number(i.high, sign=True)}]"
    return [part.what, effect, _p(part.difference.p), part.difference.method, "yes" if part.agrees else "no"]


def _p(p: float) -> str:
    return "" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def _counted(found: Counter[str], what: str) -> str:
    if len(found) == 1:
        return f"{what} {next(iter(found))}"
    return f"{what}s " + ", ".join(f"{name} ({n})" for name, n in found.most_common())


def _reason(run: Run) -> str:
    return f" ({run.facts['error']})" if run.facts.get("error") else ""
