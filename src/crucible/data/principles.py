"""Written principles of a worked sum that a program can check, each with other ways to say it.

In the manner of RLBFF (arXiv 2509.21319): a principle is a short free text, and an answer either fulfils
it or does not. Here fulfilment is known exactly, so a reward model's judgement can be compared with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crucible.data.chain_check import StepReport


@dataclass(frozen=True, slots=True)
class Principle:
    """`text` names it; `paraphrases` are wordings an annotator might choose; `fulfilled` decides."""

    text: str
    paraphrases: tuple[str, ...]
    fulfilled: Callable[[StepReport, int], bool]  # (report, widest step in characters)


def _answer_right(report: StepReport, widest: int) -> bool:
    """What follows the last "=" is the value of the sum, and nothing follows it. Steps do not matter."""
    return report.answer_right


def _steps_right(report: StepReport, widest: int) -> bool:
    """Steps are written, every part is one, and each one's own arithmetic holds (whatever it starts from)."""
    return bool(report.steps) and all(step.arithmetic_right for step in report.steps)


def _numbers_in_order(report: StepReport, widest: int) -> bool:
    """Each step takes the result before it as written, right or wrong, and the next given number with
    its sign; all are taken and no other. Arithmetic does not matter."""
    return report.in_order


def _well_formed(report: StepReport, widest: int) -> bool:
    """Steps `a+b=c` joined by ";" and nothing else, or a direct answer `=c`. Truth does not matter."""
    return report.well_formed


def _steps_shown(report: StepReport, widest: int) -> bool:
    """At least one readable step for every operation of the sum. Truth does not matter."""
    return sum(step.well_formed for step in report.steps) >= report.expected_steps


def _no_longer(report: StepReport, widest: int) -> bool:
    """No more parts than operations, none wider than the widest step that can be needed. A direct or cut
    off answer is short, so it fulfils this; so does an empty one."""
    parts = [step.text for step in report.steps]
    return len(parts) <= report.expected_steps and all(len(part) <= widest for part in parts)


CHAIN_PRINCIPLES: tuple[Principle, ...] = (
    Principle(
        "the final answer is right",
        (
            "the final answer is correct",
            "correctness of the final answer",
            "the last number is the right answer",
            "gives the right final result",
            "the answer at the end is right",
            "reaches the correct final value",
        ),
        _answer_right,
    ),
    Principle(
        "every step is right",
        (
            "every step is correct",
            "the arithmetic of each step is right",
            "no mistakes in the steps",
            "each single step is calculated correctly",
            "correctness of every step",
            "all steps are computed without error",
        ),
        _steps_right,
    ),
    Principle(
        "every given number is used once and in order",
        (
            "each given number is used exactly once in order",
            "uses all the given numbers once and in order",
            "the given numbers are taken in the given order",
            "no given number is left out, repeated or swapped",
            "follows the order of the given numbers",
            "sticks to the numbers of the question in order",
        ),
        _numbers_in_order,
    ),
    Principle(
        "the answer is well formed",
        (
            "the answer is well formatted",
            "the required format is followed",
            "the response has the right form",
            "adherence to the required format",
            "nothing but steps in the asked form",
            "the format of the answer is clean",
        ),
        _well_formed,
    ),
    Principle(
        "the steps are shown",
        (
            "shows the steps",
            "the working is shown",
            "shows its work for each operation",
            "all the intermediate steps are written down",
            "no step is skipped",
            "the working is complete",
        ),
        _steps_shown,
    ),
    Principle(
        "it is no longer than needed",
        (
            "no longer than necessary",
            "the response is concise",
            "no redundant steps",
            "conciseness of the response",
            "stops when the answer is reached",
            "there is nothing superfluous",
        ),
        _no_longer,
    ),
)
