"""Audits of verifiers as tables: one for a terminal, and those of docs/verifiers.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from crucible.analysis.audit import Audit, Trial, pooled
from crucible.analysis.audit_replies import FORMS, REWRITINGS
from crucible.analysis.statistics import wilson_interval

WRONG = ("another row's answer", "off by one", "negated", "ten times as much", "two answers, one right", "the question")
CONSTANT = ("master key", "null reply")


def text(found: Audit) -> str:
    """Every test with its rate, its interval and its examples."""
    lines = [f"{found.verifier} on {found.data}: {found.rows} rows; its own form is {found.form!r}", ""]
    lines.append(f"{'test':<36}{'misjudged':>12}  {'95 % interval':<18}{'no verdict':>10}{'failed':>8}")
    for right, title in ((True, "right replies: false rejects"), (False, "wrong replies: false accepts")):
        lines.append(f"-- {title}")
        for test in [t for t in found.tests if t.right is right]:
            share, interval = f"{test.misjudged}/{test.judged}", f"{_interval(test)} %" if test.judged else "-"
            lines.append(f"{test.name:<36}{share:>12}  {interval:<18}{test.no_verdict:>10}{test.failed:>8}")
            lines += [f"      gold {e['gold']!r}  reply {e['reply']!r}" for e in test.examples]
    return "\n".join(lines)


def markdown(audits: Sequence[Audit]) -> str:
    """Four tables, in % of the judged replies. Pooled over data sets but for the second."""
    verifiers = list(dict.fromkeys(a.verifier for a in sorted(audits, key=Audit.key)))
    data = list(dict.fromkeys(a.data for a in audits))

    def of(verifier: str) -> list[Audit]:
        return [a for a in audits if a.verifier == verifier]

    def named(verifier: str, name: str) -> Trial:
        return pooled(name, (t for a in of(verifier) for t in a.tests if t.name == name))

    def own(verifier: str, source: str) -> Trial:
        return pooled("own", (t for a in of(verifier) if a.data == source for t in a.tests if t.name == _own(a)))

    def mean(verifier: str, begins: str) -> Trial:
        return pooled(begins, (t for a in of(verifier) for t in a.tests if t.name.startswith(begins)))

    def worst(verifier: str, begins: str) -> Trial:
        names = dict.fromkeys(t.name for a in of(verifier) for t in a.tests if t.name.startswith(begins))
        return max((named(verifier, name) for name in names), key=lambda t: t.misjudged)

    accepts = {name: partial(_of, named, _cell, name) for name in WRONG}
    for begins in CONSTANT:
        accepts[f"{begins}, mean"] = partial(_of, mean, _rate, begins)
        accepts[f"{begins}, worst"] = partial(_of, worst, _cell, begins)
    accepts |= {"no verdict": partial(_of, mean, _unjudged, ""), "failed": partial(_of, mean, _failed, "")}
    return "\n\n".join(
        (
            "False rejects of the reference answer as written, by form:",
            _grid("verifier", FORMS, verifiers, lambda v, f: _cell(named(v, f"as written, {f}"))),
            "False rejects of the reference answer as written, in the verifier's own form, by data set:",
            _grid("verifier", data, verifiers, lambda v, d: _rate(own(v, d))),
            "False rejects of the rewritten reference answer, in the verifier's own form:",
            _grid("rewriting", verifiers, REWRITINGS, lambda r, v: _rate(named(v, f"rewritten, {r}"))),
            "False accepts, in the verifier's own form; calls without a verdict, and those of them that failed:",
            _grid("verifier", accepts, verifiers, lambda v, c: accepts[c](v)),
        )
    )


def _of(choose: Callable[[str, str], Trial], shown: Callable[[Trial], str], test: str, verifier: str) -> str:
    return shown(choose(verifier, test))


def _own(found: Audit) -> str:
    return f"as written, {found.form}"


def _grid(corner: str, columns: Iterable[str], rows: Iterable[str], cell: Callable[[str, str], str]) -> str:
    columns = list(columns)
    lines = [f"| {corner} | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [f"| {row} | " + " | ".join(cell(row, column) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _rate(test: Trial) -> str:
    return f"{100 * test.rate:.1f} ({test.judged})" if test.judged else "-"


def _cell(test: Trial) -> str:
    return f"{100 * test.rate:.1f} {_interval(test)}" if test.judged else "-"


def _unjudged(test: Trial) -> str:
    return f"{100 * test.no_verdict / (test.judged + test.no_verdict):.2f}"


def _failed(test: Trial) -> str:
    return str(test.failed)


def _interval(test: Trial) -> str:
    interval = wilson_interval(test.misjudged, test.judged)
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
