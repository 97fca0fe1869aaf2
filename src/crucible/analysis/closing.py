"""What a run says last: before and after, where everything is, and what one would do next."""

from __future__ import annotations

from pathlib import Path

from crucible.analysis.summary import before_after_table


def closing_words(run: Path) -> str:
    """The before/after table, the run directory, and the three commands a user would want next."""
    return "\n".join(
        [
            before_after_table(run),
            f"run directory   {run}",
            f"figures         {run / 'figures' / 'overview.png'}",
            "next:",
            f"  python -m crucible.analysis.summary {run}          # this table again",
            f"  python train.py --config-dir {run} --config-name config seed=2    # the same with another seed",
            f"  python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('{run}/policy')\""
            "    # load the policy",
        ]
    )
