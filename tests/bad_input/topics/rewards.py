"""Rewards that do not fit their data or their options."""

from __future__ import annotations

from tests.bad_input.case import Case
from tests.bad_input.given import model

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
        sees='reward.combine="sum" in conf/reward/rlbff: must be one of "mean", "min", "weighted", "none"',
    ),
    Case(
        name="a principle that nobody teaches",
        command="train.py reward=rlbff 'reward.principles=[it rhymes]'",
        sees='reward.principles: the reward model of reward.recipe does not learn "it rhymes"; data=chain teaches: ...',
        small=True,
        but=("reward",),
    ),
    Case(
        name="a principle with a typo",
        command="train.py reward=rlbff 'reward.principles=[the final answer is rihgt]'",
        sees=(
            'reward.principles: the reward model of reward.recipe does not learn "the final answer is rihgt" '
            '(did you mean "the final answer is right"?); data=chain teaches: ...'
        ),
        small=True,
        but=("reward",),
    ),
    Case(
        name="no principles",
        command="train.py reward=rlbff 'reward.principles=[]'",
        sees="reward.principles=[]: name one or more different principles",
        small=True,
        but=("reward",),
    ),
    Case(
        name="the same principle twice",
        command="train.py reward=rlbff 'reward.principles=[every step is right, every  step is right]'",
        sees="reward.principles=['every step is right', 'every  step is right']: name one or more different principles",
        small=True,
        but=("reward",),
    ),
    Case(
        name="a Yes that no total reaches",
        command="train.py reward=rlbff reward.yes_above=50",
        sees="reward.yes_above=50: it must be below reward.clip=50.0, which no total exceeds",
        small=True,
        but=("reward",),
    ),
    Case(
        name="a single annotator",
        command="train.py reward=rlbff 'reward.recipe.error_rates=[0.1]'",
        sees=(
            "reward model: error_rates=[0.1] must be two or more shares from 0 to 1, one for each annotator: "
            "consensus is between people"
        ),
        small=True,
        but=("reward",),
    ),
    Case(
        name="more than all responses",
        command="train.py reward=rlbff reward.recipe.sample_share=0.8",
        sees="reward model: demonstration_share=0.3 and sample_share=0.8 must not be more than 1 together",
        small=True,
        but=("reward",),
    ),
    Case(
        name="fewer responses than a batch",
        command="train.py reward=rlbff reward.recipe.responses=10",
        sees="reward model: responses=10 do not fill one batch of batch_responses=64",
        small=True,
        but=("reward",),
    ),
    Case(
        name="samples longer than the context",
        command="train.py reward=rlbff reward.recipe.max_tokens=200",
        sees=(
            "reward model: max_tokens=200: prompt 17f58d5a3b336145 has 5 tokens; with 200 completion tokens that "
            "exceeds the model's context of 64: give fewer completion tokens"
        ),
        small=True,
        but=("reward",),
    ),
    Case(
        name="principles of data without any",
        command="train.py reward=rlbff data=countdown",
        sees=(
            "data=countdown cannot be used to train a principle reward model: it has no principles(); use "
            "data=chain, recipe.triples, or reward.checkpoint"
        ),
        small=True,
        but=("reward", "data"),
    ),
    Case(
        name="no reward model there",
        command="train.py reward=rlbff reward.checkpoint=nowhere",
        sees="no reward model at nowhere: a folder with reward_model.json is expected, as algo=rm_principle writes it",
        small=True,
        but=("reward",),
    ),
    Case(
        name="a reward model of another task",
        command="train.py reward=rlbff reward.checkpoint=judge",
        sees=(
            "reward.checkpoint=judge: this reward model was trained on data=countdown and knows nothing of "
            "data=chain; give one of data=chain, or null for reward.recipe"
        ),
        small=True,
        but=("reward",),
        files={"judge/reward_model.json": '{"task": "countdown"}'},
    ),
    Case(
        name="a damaged reward model",
        command="train.py reward=rlbff reward.checkpoint=judge",
        sees=(
            "the reward model at judge is damaged: reward_model.json: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1)"
        ),
        small=True,
        but=("reward",),
        files={"judge/reward_model.json": "{"},
    ),
    Case(
        name="a principle the tokenizer cannot read",
        command="train.py reward=rlbff reward.checkpoint=model 'reward.principles=[\"it is naïve\"]'",
        sees="reward model: its tokenizer does not know 'ï' in the principle 'it is naïve'",
        small=True,
        but=("reward",),
        given=model("a reward model", lambda path: (path / "reward_model.json").write_text("{}")),
    ),
    Case(
        name="no responses for a reward model",
        command="train.py reward=rlbff reward.recipe.responses=-1 dry_run=true",
        sees="reward.recipe.responses=-1 in conf/reward/judge/principle: must be at least 1",
    ),
    Case(
        name="a bound of nothing",
        command="train.py reward=rlbff reward.clip=0 dry_run=true",
        sees="reward.clip=0 in conf/reward/rlbff: must be above 0",
    ),
]
