"""Reward models: their training, the rewards made of them, their benchmarks, and the feedback pipeline."""

from __future__ import annotations

from tests.bad_input.case import Case

PAIR = '{"prompt": "1+1=", "better": "2", "worse": "3"}\n'
TRIPLE = '{"prompt": "1+1=", "response": "2", "principle": "it is right", "fulfilment": "Yes"}\n'
NO_LABEL = TRIPLE.replace('"Yes"', '"perhaps"')
PAIRS = "data=jsonl data.path=p.jsonl data.chosen_column=better data.rejected_column=worse data.answer_column=null"

CASES = [
    Case(
        name="a form of the Bradley-Terry loss that is none",
        command="train.py algo=rm_bradley_terry algo.form=scale",
        sees='algo.form="scale" in conf/algo/rm_bradley_terry: must be one of "plain", "scaled", "margin" (did you '
        'mean "scaled"?)',
    ),
    Case(
        name="pairs of a recipe from data that cannot write answers",
        command=f"train.py algo=rm_bradley_terry {PAIRS} data.eval_path=e.jsonl",
        files={"p.jsonl": PAIR, "e.jsonl": PAIR.replace("1+1", "1+2")},
        sees="data=jsonl has no principles(), so algo.recipe can make no feedback of it; set algo.recipe=null to learn "
        "from pairs of answers of the data itself",
    ),
    Case(
        name="a principle that the data do not have",
        command="train.py algo=rm_principle 'algo.recipe.principle=the steps are show'",
        sees="recipe.principle: data=chain has no principle 'the steps are show' (did you mean \"the steps are "
        'shown"?); it has: ...',
    ),
    Case(
        name="one annotator alone",
        command="train.py algo=rm_principle 'algo.recipe.error_rates=[0.1]'",
        sees="reward model: error_rates=[0.1] must be two or more shares from 0 to 1, one for each annotator: "
        "consensus is between people",
    ),
    Case(
        name="triples that are not there",
        command="train.py algo=rm_principle algo.recipe.triples=t.jsonl algo.recipe.proofread_updates=0",
        sees="recipe.triples=t.jsonl: no such file; python -m crucible.feedback writes triples.jsonl",
    ),
    Case(
        name="triples, and a proofreader that needs worked answers",
        command="train.py algo=rm_principle algo.recipe.triples=t.jsonl",
        files={"t.jsonl": TRIPLE},
        sees="recipe.triples=t.jsonl: the proofreader learns from worked answers, which triples are not; set "
        "recipe.proofread_updates=0",
    ),
    Case(
        name="triples for a model that reads no principle",
        command="train.py algo=rm_bradley_terry algo.recipe.triples=t.jsonl",
        files={"t.jsonl": TRIPLE},
        sees="recipe.triples=t.jsonl is for algo=rm_principle; python -m crucible.feedback makes pairs.jsonl of "
        "triples, which algo=rm_bradley_terry algo.recipe=null learns from",
    ),
    Case(
        name="a judgement whose label is neither Yes nor No",
        command="train.py algo=rm_genrm data=judgements data.path=t.jsonl reward=label_signed",
        files={"t.jsonl": TRIPLE + NO_LABEL},
        sees="data=judgements: t.jsonl:2 has 'perhaps' in column \"fulfilment\"; Yes or No",
    ),
    Case(
        name="a penalty for a missing verdict that is a prize",
        command="train.py algo=rm_genrm reward.missing=5",
        sees="reward.missing=5 in conf/reward/label_signed: must be at most 0",
    ),
    Case(
        name="the label of a judgement of data that has none",
        command="train.py algo=grpo data=chain reward=label_signed",
        sees="reward=LabelSigned needs reference label of each prompt; chain has answer, expression",
    ),
    Case(
        name="a reward model's folder that is not there",
        command="train.py algo=grpo reward=reward_model reward.checkpoint=nowhere",
        sees="no reward model at nowhere: ...",
    ),
    Case(
        name="a generative judge's folder that is not there",
        command="train.py algo=grpo reward=genrm reward.checkpoint=nowhere 'reward.principle=the steps are shown'",
        sees="reward.checkpoint=nowhere: no model there; give policy/ of an algo=rm_genrm run",
    ),
    Case(
        name="a judge of a benchmark that is none",
        command="evaluate_rm.py benchmark=principles judge=lenght out=o",
        sees='judge=lenght: no such folder (did you mean "length"?); give a reward model\'s folder, or length, random, '
        "constant, endpoint",
    ),
    Case(
        name="a judgement of a control that writes nothing",
        command="evaluate_rm.py benchmark=principles judge=length asked=verdict out=o",
        sees="asked=verdict is for the folder of a model that writes a judgement; length is none",
    ),
    Case(
        name="a benchmark without its data",
        command="evaluate_rm.py benchmark=rm_bench judge=length out=o",
        sees="missing data=...: the file or folder of rm_bench",
    ),
    Case(
        name="feedback by rules on what people wrote",
        command="-m crucible.feedback out=o source=f.jsonl",
        files={
            "f.jsonl": '{"context": "hi", "response1": "a", "response2": "b", "feedback1": ["x"], "feedback2": []}\n'
        },
        sees="extractor=rules reads the sentences of the embedded world alone; what people wrote needs "
        "extractor=endpoint",
    ),
    Case(
        name="a source of feedback whose fields tell nothing",
        command="-m crucible.feedback out=o source=f.jsonl",
        files={"f.jsonl": '{"question": "hi"}\n'},
        sees="f.jsonl:1 has the fields question, which tell no format; name it with format=: ...",
    ),
    Case(
        name="an odd number of responses, two to a prompt",
        command="-m crucible.feedback out=o count=5",
        sees="count=5: responses, a multiple of per_prompt=2",
    ),
    Case(
        name="a typo in an embedder",
        command="-m crucible.feedback out=o embedder=wordlama",
        sees="embedder=wordlama: wordllama, ngram, or the folder or OWNER/NAME of an encoder (did you mean "
        '"wordllama"?)',
    ),
]
