"""Rewards that do not fit their data or their options."""

from __future__ import annotations

from tests.bad_input.case import Case

QUESTIONS = "".join(f'{{"prompt": "{a}+1=", "answer": "{a + 1}"}}\n' for a in range(1, 30))

CASES = [
    Case(
        name="multiple choice without options",
        command="train.py reward=multiple_choice",
        sees="reward=multiple_choice needs reference choices of each prompt; chain has answer, expression",
    ),
    Case(
        name="instructions that no prompt has",
        command="train.py reward=ifeval",
        sees="reward=ifeval needs reference instruction_id_list, kwargs of each prompt; chain has answer, expression",
    ),
    Case(
        name="reference texts that no prompt has",
        command="train.py reward=bleu",
        sees="reward=bleu needs reference references of each prompt; chain has answer, expression",
    ),
    Case(
        name="options that the file lacks",
        command="train.py data=jsonl data.path=q.jsonl reward=multiple_choice",
        sees=(
            "reward multiple_choice reads reference choices of each prompt; data=jsonl has answer, solution "
            "(prompt 65f682f760e14887); a column is kept with +data.reference.KEY=COLUMN"
        ),
        small=True,
        but=("data", "reward"),
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="a weight for no part",
        command="train.py reward=weighted +reward.weights.exactt=1",
        sees='reward.weights.exactt: there is no such part (did you mean "exact"?); parts are exact, format, length',
    ),
    Case(
        name="a weight that is not a number",
        command="train.py reward=weighted reward.weights.exact=nan",
        sees="reward.weights.exact=nan in conf/reward/weighted: is not a number (NaN); give a number",
    ),
    Case(
        name="an infinite weight",
        command="train.py reward=weighted reward.weights.exact=inf",
        sees="reward.weights.exact=inf: must be finite",
    ),
    Case(
        name="a weight that is text",
        command="train.py reward=weighted reward.weights.exact=much",
        sees='reward.weights.exact="much" in conf/reward/weighted: must be a number or a part, not "much"',
    ),
    Case(
        name="a punishment over no tokens",
        command="train.py reward=length reward.buffer_tokens=0",
        sees="reward.buffer_tokens=0: at least 1 token over which the punishment grows",
    ),
    Case(
        name="a coin that always falls",
        command="train.py reward=random reward.probability=2",
        sees="reward.probability=2: it must be above 0 and below 1",
    ),
    Case(
        name="a coin that never falls",
        command="train.py reward=random reward.probability=-1",
        sees="reward.probability=-1: it must be above 0 and below 1",
    ),
    Case(
        name="a pattern that is none",
        command="train.py reward=format 'reward.pattern=\"(\"'",
        sees="reward.pattern is no regular expression: missing ), unterminated subpattern at position 0 in '('",
        small=True,
        but=("reward",),
    ),
    Case(
        name="a way to read answers that does not exist",
        command="train.py reward=gsm8k reward.method=loose",
        sees='reward.method="loose" in conf/reward/gsm8k: must be one of "strict", "flexible", "last_number"',
    ),
    Case(
        name="principles that are no list",
        command="train.py reward=rlbff 'reward.principles=it is right'",
        sees='reward.principles="it is right" in conf/reward/rlbff: must be a list, not "it is right"',
    ),
    Case(
        name="a way to combine that does not exist",
        command="train.py reward=rlbff reward.combine=sum",
        sees='reward.combine="sum" in conf/reward/rlbff: must be one of "mean", "min"',
    ),
]
