"""The counts of a run beside the paper's (2509.21319; HelpSteer3's data card)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAPER = {
    "responses": "81,642",
    "feedback texts": "up to 3 a response",
    "principles extracted": "about 1.2 million",
    "with evidence": "2.2% dropped",
    "without helpfulness": "4.5% dropped",
    "without partially": "13.8% dropped",
    "with consensus": "about 100,000",
    "triples": "33,905 released",
}
PAPER_YES = "64.6% yes before consensus"


def table(counts: Mapping[str, Any]) -> str:
    """What left each stage, and the share of the stage before that it dropped. What the paper's shares are of was not
    found.
    """
    lines, before = [f"{'stage':<24}{'here':>10}{'dropped':>10}   the paper's"], 0
    for stage, papers in PAPER.items():
        count = counts[stage]
        dropped = f"{1 - count / before:.1%}" if before and stage not in list(PAPER)[:3] else ""
        lines.append(f"{stage:<24}{count:>10,}{dropped:>10}   {papers}")
        before = count
    lines.append(f"{'fulfilled':<24}{counts['yes_rate_before_consensus']:>9.1%}{'':>10}    {PAPER_YES}")
    lines.append(f"{'':<24}{counts['yes_rate']:>9.1%}{'':>10}    of the triples; not found")
    lines += [f"  rejected: {reason}: {count:,}" for reason, count in counts["rejected"].items()]
    return "\n".join(lines)
