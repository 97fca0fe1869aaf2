"""What a study of reward models reads: swaps, the pipeline's own measures, one fixed principle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.modules.test_reward_model import recipe

from crucible.config.batch import Batch
from crucible.data.chain import Chain
from crucible.data.countdown import Countdown
from crucible.errors import UserError
from crucible.feedback.pipeline import Outcome, measured
from crucible.feedback.records import Finding, Triple
from crucible.feedback.truth import label_accuracy, named
from crucible.modules import rm_data, rm_triples
from crucible.modules.reward_model import RewardModel, refuse_recipe
from crucible.modules.rm_recipe import cache_folder
from crucible.policy.tiny import untrained
from crucible.reward_benchmarks import principle_pairs
from crucible.reward_benchmarks.items import Item

TASK = Chain(eval_prompts=24)
PROMPT = TASK.prompt("7+8-6+2")
RIGHT, WRONG = "7+8=15;15-6=9;9+2=11", "=12"
SHAPE = {"hidden_size": 32, "layers": 1, "heads": 2, "kv_heads": 1, "intermediate_size": 32}
ANSWER, STEPS = "the final answer is right", "the steps are shown"


def finding(principle: str, judgement, quote: str = "said so") -> Finding:
    return Finding(0, "A", principle, quote, judgement)


def test_the_first_response_of_a_pair_fulfils_its_principle_and_a_swap_turns_the_two_round():
    found = principle_pairs.pairs(TASK)
    plain, swapped = [i for i in found if not i.group], [i for i in found if i.group]
    assert {i.principle for i in plain} == set(TASK.principles())
    for item in found:
        assert [TASK.fulfils(item.prompt, text, item.principle) for text in item.responses] == [True, False]
    assert len(swapped) > 24
    for p, q in zip(swapped[::2], swapped[1::2], strict=True):
        assert p.group == q.group
        assert p.responses == q.responses[::-1]


def test_a_model_that_reads_the_principle_re_orders_and_one_that_does_not_cannot():
    of = {"part": "p", "prompt": PROMPT, "responses": (RIGHT, WRONG)}
    items = [Item(f"{k}/{pq}", group=str(k), **of) for k in range(3) for pq in "pq"] + [
        Item(f"{k}", **{**of, "part": part}) for k, part in enumerate("ppq")
    ]
    plain = torch.tensor([[1.0, 0.0], [torch.nan, 0.0], [3.0, 2.0]])
    one, other = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 1.0])

    def measured(of_p, of_q):
        """Of r of the fulfilling and of the other response: under p that is `one`, under q `other`."""
        return principle_pairs.measures(items, torch.cat([torch.stack([of_p, of_q], 1).view(-1, 2), plain]))

    up, down = torch.stack([one, other], 1), torch.stack([other, one], 1)
    reads, blind, ties = measured(up, up), measured(up, down), measured(0 * up, 0 * up)
    assert reads == pytest.approx({
        "rm/swap_reordered": 2 / 3, "rm/swap_accuracy": 2 / 3, "rm/principle_pairs/p": 1 / 2, "rm/principle_pairs/q": 1,
    })  # fmt: skip
    assert (blind["rm/swap_reordered"], blind["rm/swap_accuracy"]) == (0.0, 0.5)
    assert (ties["rm/swap_reordered"], ties["rm/swap_accuracy"]) == (0.0, 0.0)


def test_wordings_lead_back_to_their_principle_and_labels_are_compared_with_the_program():
    known = named(TASK)
    assert set(known.values()) == set(TASK.principles())
    assert known["whether correctness of the final answer"] == ANSWER
    triples = [
        Triple(PROMPT, RIGHT, ANSWER, True), Triple(PROMPT, WRONG, "the final answer is correct", True),
        Triple(PROMPT, WRONG, STEPS, False), Triple(PROMPT, WRONG, "the tone is friendly", True),
    ]  # fmt: skip
    assert label_accuracy(TASK, triples) == pytest.approx(2 / 3)


def test_the_measures_of_the_pipeline_by_hand():
    from crucible.feedback import extract

    fake = extract._FABRICATIONS[0]
    kept = [finding(ANSWER, "yes"), finding(ANSWER, "no"), finding("helpfulness", "no"), finding(STEPS, "partially")]
    extracted = [*kept, finding(STEPS, "yes", fake), finding(STEPS, "yes", fake), finding(STEPS, "no")]
    dropped = [extracted[4], extracted[6]]  # one of two inventions, one of five real quotes
    supported = [f for f in extracted if f not in dropped]
    found = measured(TASK, extracted, dropped, supported, kept[:2], [Triple(PROMPT, RIGHT, ANSWER, True)])
    assert found["feedback/fakes"] == 2
    # the two inventions are equal records, so both are in neither list's rest
    assert found["feedback/real_kept"] == pytest.approx(4 / 5)
    assert found["feedback/fakes_dropped"] == pytest.approx(1 / 2)
    assert found["feedback/yes_rate_checked"] == pytest.approx(1 / 2)
    assert found["feedback/nearer_mix"] == pytest.approx(abs(1 / 4 - 0.646) - abs(1 / 2 - 0.646))
    assert found["feedback/label_accuracy"] == 1.0


def test_one_fixed_principle_leaves_its_triples_in_one_wording():
    triples = [
        Triple(PROMPT, RIGHT, "the final answer is correct", True), Triple(PROMPT, RIGHT, ANSWER, True),
        Triple(PROMPT, RIGHT, STEPS, True),
    ]  # fmt: skip
    found = rm_data.only(TASK, ANSWER, Outcome(triples, {"triples": 3}))
    assert found.triples == [Triple(PROMPT, RIGHT, ANSWER, True)]
    made = rm_data.make(TASK, recipe(principle=ANSWER, responses=96, held_out_responses=8), None, lambda line: None)
    assert {p for e in made.train for p in e.principles} == {ANSWER}
    assert made.training.measures["feedback/triples"] > sum(len(e.principles) for e in made.train)
    with pytest.raises(UserError, match=r"has no principle 'the steps are show' \(did you mean"):
        refuse_recipe(task=TASK, recipe=recipe(principle="the steps are show"), parts=None)


@pytest.fixture(scope="module")
def triples(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("triples") / "triples.jsonl"
    rows = [
        {"prompt": f"{a}+{b}=", "response": f"={a + b + wrong}", "principle": p, "fulfilment": "No" if wrong else "Yes"}
        for a in range(8) for b in range(8) for wrong, p in ((0, "it is right"), (1, "is it right?"))
    ]  # fmt: skip
    rows.append(rows[0] | {"response": "9" * 200})
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_triples_of_a_file_are_learned_from_without_a_task_that_knows(triples):
    """In passes as in one: the same loss and gradient. Prompts are on one side; what is too long is counted."""
    heard: list[str] = []
    options = {"responses": 32, "batch_responses": 16, "triples": triples}
    policy, task = untrained(**SHAPE, context_length=64), Countdown()
    batch = Batch(prompts_per_step=1, samples_per_prompt=1, updates_per_rollout=1, micro_batch_tokens=120)
    module = RewardModel(task=task, policy=policy, report=heard.append, recipe=recipe(**options), batch=batch)
    held = {e.prompt.id for e in module.examples.held_out}
    assert held
    assert not held & {e.prompt.id for e in module.examples.train}
    assert any("1 of " in line and "too long" in line for line in heard)
    numbers = list(range(16))
    parts = module.passes(numbers)
    assert len(parts) > 3
    assert sorted(i for part, _ in parts for i in part) == numbers
    whole = module.loss(numbers)
    (wanted,) = torch.autograd.grad(whole, [module.model.get_input_embeddings().weight])
    sums = [(module.loss(part) * share, share) for part, share in parts]
    (got,) = torch.autograd.grad(sum(x for x, _ in sums), [module.model.get_input_embeddings().weight])
    assert sum(x.item() for x, _ in sums) == pytest.approx(whole.item(), rel=1e-5)
    assert torch.allclose(got, wanted, atol=1e-6)
    before = cache_folder("c", recipe=recipe(**options), task=task, policy=policy)
    with Path(triples).open("a") as file:
        file.write("\n")
    assert cache_folder("c", recipe=recipe(**options), task=task, policy=policy) != before
    found = rm_triples.measure(module.judge, module.examples.held_out)
    assert set(found) >= {"rm/accuracy_consensus", "rm/yes_rate"}


def test_what_cannot_be_with_triples_is_refused(tmp_path, triples):
    for options, words in (
        ({"triples": str(tmp_path / "no.jsonl")}, "no such file"),
        ({"triples": triples, "proofread_updates": 3}, "set recipe.proofread_updates=0"),
        ({"triples": triples, "principle": ANSWER}, "recipe.principle is for feedback made here"),
    ):
        with pytest.raises(UserError, match=words):
            refuse_recipe(task=TASK, recipe=recipe(**options), parts=None)
    with pytest.raises(UserError, match="is for algo=rm_principle"):
        rm_triples.refuse_scalar(recipe(triples=triples))
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": "1+1=", "response": "=2", "principle": "right", "fulfilment": "perhaps"}\n')
    with pytest.raises(UserError, match=r"recipe.triples: .*bad.jsonl:1 has 'perhaps'"):
        rm_triples.examples(recipe(triples=str(bad)), lambda example: True, lambda line: None)
