"""Tests behind claims about verification: rates of verdicts over problems, and gains of arms against gains of others.

A rate is named {counts: file, suite: name, verifier: tests@1, difficulties: [4]} (the last one is optional); its
counts are committed beside the study, so the verdict on a claim can be made again.
"""

from __future__ import annotations

import math
from typing import Any

from crucible.analysis.claim_tests import Evidence, Part, Values, combined
from crucible.analysis.statistics.difference import paired_test, unpaired_test
from crucible.analysis.verification.counts import SuiteCounts
from crucible.analysis.verification.rates import compared
from crucible.analysis.verification.stored import stored, suite_of
from crucible.errors import UserError, nearest

KEYS = ("suite", "verifier", "difficulties")


def rates(values: Values, *, counts: str, rate: str, higher: dict[str, Any], lower: dict[str, Any]) -> Evidence:
    """A rate of `higher` is above that of `lower`: t over problems, paired where they are the same."""
    if not (values.root / counts).is_file():
        return Evidence(missing=(f"no {counts}",))
    suites = stored(counts, values.root)
    sides = [_side(suites, given) for given in (lower, higher)]
    found = compared(rate, *sides)
    if found is None:
        return Evidence(missing=(f"no {rate} of {_name(higher)} or {_name(lower)}",))
    part = Part(f"{rate}: {_name(higher)} - {_name(lower)}", found, found.interval.value > 0)
    if math.isnan(found.p) and found.interval.value:
        return Evidence((part,), exact=found.interval.value > 0, note="the same difference in every problem")
    return combined([part])


def gain_larger(values: Values, *, a: str, b: str, c: str, d: str, value: str) -> Evidence:
    """a - b is larger than c - d: an interaction. Paired by seed where all four arms have at least two in common."""
    if missing := values.missing([a, b, c, d], value):
        return Evidence(missing=missing)
    found = {arm: values.of(arm, value) for arm in (a, b, c, d)}
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in found.values())))
    if len(seeds) >= 2:
        gains = [[found[x][s] - found[y][s] for s in seeds] for x, y in ((c, d), (a, b))]
        difference = paired_test(*gains, unit="seeds")
    else:
        pairs = [
            [found[x][s] - found[y][s] for s in sorted(found[x].keys() & found[y].keys())] for x, y in ((c, d), (a, b))
        ]
        if not all(pairs):
            return Evidence(missing=("the arms have no seed in common",))
        difference = unpaired_test(*pairs, unit="seeds")
    names = [values.label(arm) for arm in (a, b, c, d)]
    what = f"{value}: ({names[0]} - {names[1]}) - ({names[2]} - {names[3]})"
    return combined([Part(what, difference, difference.interval.value > 0)])


def _side(suites: dict[str, SuiteCounts], given: dict[str, Any]) -> tuple[SuiteCounts, str, list[int] | None]:
    for key in given:
        if key not in KEYS:
            raise UserError(f"a rate has no {key}{nearest(key, KEYS)}; it is named by {', '.join(KEYS)}")
    if not {"suite", "verifier"} <= set(given):
        raise UserError(f"a rate is named by suite and verifier, not by {given}")
    return suite_of(suites, given["suite"]), given["verifier"], given.get("difficulties")


def _name(given: dict[str, Any]) -> str:
    at = given.get("difficulties")
    return f"{given['suite']} {given['verifier']}" + (f", difficulty {'/'.join(map(str, at))}" if at else "")
