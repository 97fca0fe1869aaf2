"""Evaluation of a run that learns from given answers: sampled answers as in online RL, and the held-out given ones."""

from __future__ import annotations

import time
from typing import Any

from crucible.errors import UserError
from crucible.modules.callbacks import Evaluate
from crucible.pulse import beat


def judges(task: Any) -> bool:
    """Can the data tell right from wrong answers?"""
    return bool(getattr(task, "judges", True))


def refuse_unmeasurable(task: Any, held_out: Any) -> None:
    """Errors: UserError where nothing could be measured on held-out data."""
    if not judges(task) and not held_out:
        raise UserError(
            f"data={task.name}: nothing can be measured: the evaluation rows have neither reference answers (or "
            "data/check) nor answers like those of training"
        )


class EvaluateGiven(Evaluate):
    """Before the first step, every few steps, after the last. Where nothing judges answers, none are sampled."""

    def evaluate(self, module: Any, phase: str) -> None:
        started = time.perf_counter()
        step, task, n = module.steps_done, self.parts["task"], self.evaluation.samples_per_prompt
        beat(f"evaluating after step {step}")
        metrics, words = {}, list[str]()
        if judges(task):
            self.parts["engine"].sync(step)
            metrics = self.evaluation.measure(self.parts, module.seen_ids | self.parts["policy"].seen_ids, step)
            problems = len(metrics[f"eval/{task.name}/right_of_{n}"])
            value, low, high = (metrics[f"eval/{task.name}/avg@{n}{end}"] for end in ("", "_low", "_high"))
            words.append(f"avg@{n} {value:.1%} [{low:.1%}, {high:.1%}] on {problems} held-out prompts")
        if given := module.measure_held_out():
            short = (f"{name.rpartition('/')[2].replace('_', ' ')} {value:.3f}" for name, value in given.items())
            words.append(f"{', '.join(short)} on {len(module.held_out)} held-out answers")
        metrics |= {**given, "time/eval_s": time.perf_counter() - started}
        self.journal.row({"kind": "eval", "step": step, "phase": phase, **metrics})
        self.journal.report(
            f"evaluation {phase} training (step {step}): {'; '.join(words)}, {metrics['time/eval_s']:.1f} s"
        )
