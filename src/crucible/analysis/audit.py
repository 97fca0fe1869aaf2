"""False accepts and false rejects of a verifier on labelled data. See `crucible.analysis.audit_replies`.

A verifier accepts a reply that it gives at least `accept`. Right replies are judged first in every form of
`FORMS`; the form it accepts most of is its own, in which the rewritten and the wrong answers are put. A reply without
a verdict (the verifier abstained, timed out or broke) is neither accepted nor rejected; it is counted beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crucible.analysis.audit_replies import FORMS, Reply, as_written, rewritten, wrong
from crucible.types import OUTCOMES, Completion, Context, Prompt, Reward

BATCH = 256  # replies judged at once
SHOWN = 160  # characters of an example


@dataclass(slots=True)
class Trial:
    """One test: `misjudged` of the `judged` replies; those without a verdict, of them the ones that failed."""

    name: str
    right: bool  # what the replies are
    judged: int = 0
    misjudged: int = 0
    no_verdict: int = 0
    failed: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.misjudged / self.judged if self.judged else float("nan")


@dataclass(slots=True)
class Audit:
    """All tests of one verifier on one data set. `form`: the verifier's own."""

    verifier: str
    data: str
    rows: int
    form: str
    tests: list[Trial]

    def key(self) -> tuple[str, str]:
        return self.verifier, self.data

    def as_json(self) -> dict[str, Any]:
        """Plain values: of each test [right, judged, misjudged, no verdict, failed]; examples where there are any."""
        tests = {t.name: [int(t.right), t.judged, t.misjudged, t.no_verdict, t.failed] for t in self.tests}
        examples = {t.name: t.examples for t in self.tests if t.examples}
        head = {"verifier": self.verifier, "data": self.data, "rows": self.rows, "form": self.form, "tests": tests}
        return head | ({"examples": examples} if examples else {})

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Audit:
        examples = record.get("examples", {})
        tests = [
            Trial(name, bool(right), judged, misjudged, no_verdict, failed, examples.get(name, []))
            for name, (right, judged, misjudged, no_verdict, failed) in record["tests"].items()
        ]
        return cls(record["verifier"], record["data"], record["rows"], record["form"], tests)


def pooled(name: str, trials: Iterable[Trial]) -> Trial:
    """Several tests as one."""
    total = Trial(name, right=True)
    for trial in trials:
        total.right = trial.right
        total.judged, total.misjudged = total.judged + trial.judged, total.misjudged + trial.misjudged
        total.no_verdict, total.failed = total.no_verdict + trial.no_verdict, total.failed + trial.failed
    return total


class PlainAnswers:
    """The task that `reward=exact` asks: final answers compared as `data=jsonl` does without a check of its own."""

    name = "plain"

    def correct(self, prompt: Prompt, completion: str) -> bool:
        from crucible.data.answers import final_answer, number, same

        gold = prompt.reference["answer"]
        answer = final_answer(completion, numeric=number(gold) is not None)
        return answer is not None and same(answer, gold)


def audit(
    reward: Reward, prompts: Sequence[Prompt], *, verifier: str, data: str, accept: float = 0.5, examples: int = 3
) -> Audit:
    """Judge every reply to every prompt. `examples` misjudged replies of each test are kept."""

    def judge(replies: Iterable[Reply]) -> list[Trial]:
        return judged(reward, prompts, list(replies), accept, examples)

    tests = judge(as_written(prompts))
    form = max(FORMS, key=lambda f: -next(t.misjudged for t in tests if t.name == f"as written, {f}"))
    tests += judge(rewritten(prompts, form))
    tests += judge(wrong(prompts, form))
    return Audit(verifier, data, len(prompts), form, tests)


def judged(
    reward: Reward, prompts: Sequence[Prompt], replies: Sequence[Reply], accept: float, examples: int
) -> list[Trial]:
    """What `reward` says of the replies, by test, in the order in which they come."""
    tests: dict[str, Trial] = {}
    for start in range(0, len(replies), BATCH):
        batch = replies[start : start + BATCH]
        for reply, (value, failed) in zip(batch, _verdicts(reward, prompts, batch), strict=True):
            test = tests.setdefault(reply.test, Trial(reply.test, reply.right))
            if value is None:
                test.no_verdict += 1
                test.failed += failed
                continue
            test.judged += 1
            if (value >= accept) != reply.right:
                test.misjudged += 1
                if len(test.examples) < examples:
                    gold = str(prompts[reply.row].reference["answer"])
                    test.examples.append({"gold": gold[:SHOWN], "reply": reply.text[:SHOWN]})
    return list(tests.values())


def _verdicts(reward: Reward, prompts: Sequence[Prompt], batch: Sequence[Reply]) -> list[tuple[float | None, bool]]:
    """(value or None, whether the call timed out or broke) of each reply."""
    import torch

    rows = torch.tensor([reply.row for reply in batch])
    asked = [prompts[reply.row] for reply in batch]
    scores = reward(asked, [Completion(r.text, len(r.text)) for r in batch], Context(group=rows, training=False))
    known = [True] * len(batch) if scores.valid is None else scores.valid.tolist()
    broke = torch.zeros(len(batch), dtype=torch.bool)
    for outcomes in scores.outcomes.values():
        broke |= (outcomes.kinds == OUTCOMES.index("timeout")) | (outcomes.kinds == OUTCOMES.index("error"))
    return [
        (value if ok else None, failed)
        for value, ok, failed in zip(scores.total.tolist(), known, broke.tolist(), strict=True)
    ]
