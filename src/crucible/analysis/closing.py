"""What a run says last: before and after, where everything is, and what one would do next."""

from __future__ import annotations

from pathlib import Path

from crucible.analysis.summary import before_after_table


def _class(run: Path) -> str:
    """The class that opens policy/: of a scalar reward model, which scores and writes nothing, another one."""
    config = run / "policy" / "config.json"
    scalar = config.is_file() and "ForSequenceClassification" in config.read_text(encoding="utf-8")
    return "AutoModelForSequenceClassification" if scalar else "AutoModelForCausalLM"


def closing_words(run: Path) -> str:
    """The before/after table, the run directory, and the commands a user would want next, of what is there."""
    figure = run / "figures" / "overview.png"
    lines = [before_after_table(run), f"run directory   {run}"]
    if figure.is_file():
        lines.append(f"figures         {figure}")
    lines += [
        "next:",
        f"  python -m crucible.analysis.summary {run}          # this table again",
        f"  python train.py --config-dir {run} --config-name config seed=2    # the same with another seed",
    ]
    if (run / "policy").is_dir():
        lines.append(
            f"  python -c \"from transformers import {_class(run)} as M; M.from_pretrained('{run}/policy')\""
            "    # load the policy"
        )
    return "\n".join(lines)
