"""Did runs that are compared begin from the same policy? A warm-up repeated on another machine ends elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.analysis.evaluation import Evaluation, evaluations
from crucible.analysis.runs import Run


def different_starts(runs: Sequence[Run]) -> str:
    """One sentence where runs of one start policy, by their configs, did not answer alike before training; else "".

    Two such runs give the same answers to the same problems, sampled with the same seed. Runs without an evaluation
    before training say nothing. Models that differ in their options are meant to differ, and so are those that the run
    itself made of a base by its own seed (model=after_sft).
    """
    groups: dict[tuple[str, ...], dict[tuple[int, ...], list[Evaluation]]] = {}
    for run in runs:
        before = [e for e in evaluations(run.rows("eval")) if e.phase == "before"]
        if not before:
            continue
        about = tuple(f"{k}={v}" for k, v in sorted(run.config.items()) if k.startswith(_of_the_start(run)))
        counts = tuple(count for e in before for count in (e.n, *e.right))
        groups.setdefault(about, {}).setdefault(counts, []).append(before[0])
    for starts in groups.values():
        if len(starts) > 1:
            shown = [f"{100 * found[0].avg().value:.1f} ({len(found)} runs)" for found in starts.values()]
            name = next(iter(starts.values()))[0]
            return (
                f"these runs did not begin from the same policy, though their configs say so: avg@{name.n} before "
                f"training was {', '.join(shown)}; a difference between them is not one of methods alone"
            )
    return ""


def _of_the_start(run: Run) -> tuple[str, ...]:
    """What the names of the options begin with that the answers before training depend on."""
    made_by_the_run = "model.base._target_" in run.config
    return ("model.", "data.", "evaluation.", *(["seed"] if made_by_the_run else []))
