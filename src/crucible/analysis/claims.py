"""Claims of a paper as data, and what runs say of them: analysis/claims/<study>.yaml.

arms: ce_gppo
claims:
  - id: beta1_orders_entropy
    says: At beta2 = 1 the final entropy falls as beta1 grows.
    source: "arXiv 2509.20712 v5, Fig. 3"
    test: {kind: ordered, arms: [ce_gppo_0_1, ce_gppo_0.5_1, ce_gppo_1_1], value: final(policy/entropy)}

A claim is one hypothesis with one p-value; Holm's correction runs over the claims that could be tested. With a
corrected p below alpha a claim held, or did not hold where the evidence points the other way; otherwise it is
undecided at this power. A claim whose arms were not run says so.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crucible.analysis import claim_tests
from crucible.analysis.arms import Arm, read_arms, read_yaml
from crucible.analysis.claim_tests import Evidence, Values
from crucible.analysis.statistics.multiplicity import holm
from crucible.analysis.verification import claims as verification_claims
from crucible.errors import UserError, nearest

Verdict = Literal["held", "did not hold", "undecided", "not run"]
KEYS = ("id", "says", "source", "test", "caveat")
ALPHA = 0.05


def all_of(values: Values, *, tests: list[dict[str, Any]]) -> Evidence:
    """Several tests in one claim, all of which must be shown: {kind: ..., its options} each."""
    found = [KINDS[test["kind"]](values, **{k: v for k, v in test.items() if k != "kind"}) for test in tests]
    missing = tuple(dict.fromkeys(line for e in found for line in e.missing))
    if missing:
        return Evidence(missing=missing)
    note = "; ".join(e.note for e in found if e.note)
    facts = [e.exact for e in found if e.exact is not None]
    parts = [part for e in found for part in e.parts]
    if not parts or not all(facts):
        return Evidence(tuple(parts), exact=all(facts), note=note)
    return claim_tests.combined(parts, note)


KINDS: dict[str, Callable[..., Evidence]] = {
    "larger": claim_tests.larger,
    "ordered": claim_tests.ordered,
    "beyond": claim_tests.beyond,
    "every_run": claim_tests.every_run,
    "not_larger": claim_tests.not_larger,
    "between": claim_tests.between,
    "agreement": claim_tests.entropy_agreement,
    "signs": claim_tests.entropy_signs,
    "tested": claim_tests.tested,
    "all_of": all_of,
    "rates": verification_claims.rates,
    "gain_larger": verification_claims.gain_larger,
}


@dataclass(frozen=True, slots=True)
class Claim:
    id: str
    says: str
    source: str
    kind: str
    options: Mapping[str, Any]
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim with its evidence and verdict; `p` is corrected over all claims of the study (NaN: no test)."""

    claim: Claim
    evidence: Evidence
    verdict: Verdict
    p: float


def read_claims(path: Path, arms_folder: Path) -> tuple[dict[str, Arm], list[Claim]]:
    """The arms and claims of a file. Errors: UserError for an unknown key, kind, option or arm."""
    raw = read_yaml(path, "claims", path.parent)
    arms = read_arms(arms_folder / f"{raw.get('arms')}.yaml")
    claims = []
    for number, item in enumerate(raw.get("claims") or (), 1):
        where = f"{path}: claim {item.get('id', number) if isinstance(item, dict) else number}"
        if not isinstance(item, dict) or not {"id", "says", "source", "test"} <= set(item):
            raise UserError(f"{where}: needs id, says, source and test")
        for key in item:
            if key not in KEYS:
                raise UserError(f"{where}: unknown key {key}{nearest(key, KEYS)}")
        claims.append(_claim(where, item, arms))
    if not claims:
        raise UserError(f"{path}: no claims")
    return arms, claims


def judge(claims: Sequence[Claim], arms: Mapping[str, Arm], *, root: Path, alpha: float = ALPHA) -> list[Finding]:
    """The verdict on every claim, from `arms` with their runs. `root` is the repository, for claims that are tests."""
    values = Values(arms, root)
    evidence = [KINDS[claim.kind](values, **claim.options) for claim in claims]
    corrected = holm([e.p for e in evidence])
    return [
        Finding(claim, e, _verdict(e, float(p), alpha), float(p))
        for claim, e, p in zip(claims, evidence, corrected, strict=True)
    ]


def _verdict(evidence: Evidence, p: float, alpha: float) -> Verdict:
    if evidence.missing:
        return "not run"
    if evidence.exact is not None:
        return "held" if evidence.exact else "did not hold"
    if math.isnan(p) or p >= alpha:
        return "undecided"
    return "held" if evidence.supports else "did not hold"


def _claim(where: str, item: Mapping[str, Any], arms: Mapping[str, Arm]) -> Claim:
    test = dict(item["test"])
    _check(where, test, arms)
    kind = test.pop("kind")
    caveat = str(item.get("caveat", "")).strip()
    return Claim(str(item["id"]), str(item["says"]).strip(), str(item["source"]), kind, test, caveat)


def _check(where: str, test: Mapping[str, Any], arms: Mapping[str, Arm]) -> None:
    kind = str(test.get("kind", ""))
    if kind not in KINDS:
        raise UserError(f"{where}: unknown kind of test {kind!r}{nearest(kind, KINDS)}; kinds: {', '.join(KINDS)}")
    options = {name: value for name, value in test.items() if name != "kind"}
    known = {n: p for n, p in inspect.signature(KINDS[kind]).parameters.items() if p.kind is p.KEYWORD_ONLY}
    for name in options:
        if name not in known:
            raise UserError(f"{where} ({kind}): unknown option {name}{nearest(name, known)}")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in options]
    if missing:
        raise UserError(f"{where} ({kind}): needs {', '.join(missing)}")
    for name in claim_tests.ARM_OPTIONS & set(options):
        for key in [options[name]] if isinstance(options[name], str) else options[name]:
            if key not in arms:
                raise UserError(f"{where}: no arm {key}{nearest(key, arms)}; arms: {', '.join(arms)}")
    for inner in options["tests"] if kind == "all_of" else ():
        _check(where, inner, arms)
