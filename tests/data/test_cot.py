"""`data=cot`: the generated chains, whether they are what they claim to be, and the core set."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import islice

import pytest

from crucible.cotp.selectors.simple import Everything
from crucible.data.chain import Chain
from crucible.data.chain_check import terms_of
from crucible.data.chain_flaws import value
from crucible.data.cot import ChainsOfThought, chosen_core
from crucible.data.cot_moves import NOTATIONS, WORDINGS, read, written
from crucible.data.cot_pool import KINDS, MIXTURE, RIGHT, chain_of
from crucible.errors import UserError

USELESS = {"guess", "restate", "leap", "wander"}


def made(**options) -> ChainsOfThought:
    options = {"pool_items": 400, "core_questions": 8, "per_core": 5} | options
    return ChainsOfThought(seed=1, cache_dir="unused", report=lambda line: None, select=Everything(), **options)


@pytest.fixture(scope="module")
def task():
    return made()


def drawn(kind: str, count: int = 60):
    rng = random.Random(0)
    prompts = islice(Chain(terms=4).train_prompts(rng), count)
    return [(p, chain_of(p, kind, rng, notation)) for p in prompts for notation in NOTATIONS]


@pytest.mark.parametrize("kind", KINDS)
def test_chains_end_as_they_say_and_are_read_back_into_their_moves(kind):
    task, right = Chain(terms=4), 0
    for prompt, chain in drawn(kind):
        assert task.correct(prompt, chain.completion) == chain.correct
        assert chain.answer == prompt.reference["answer"]
        kinds = read(chain.completion)
        assert "other" not in kinds
        assert kinds[-1] == "answer"
        assert len(chain.completion) <= 100
        right += chain.correct
    expected = {"methodical": 1.0, "plain": 1.0, "careless": 0.0}.get(kind, RIGHT.get(kind))
    assert right / 120 == pytest.approx(expected, abs=0.13)


def test_both_notations_write_the_same_moves():
    rng = random.Random(3)
    for prompt in islice(Chain(terms=4).train_prompts(rng), 30):
        for kind in KINDS:
            moves = KINDS[kind](terms_of(prompt.reference["expression"]), rng)
            texts = [written(moves, notation) for notation in NOTATIONS.values()]
            assert read(texts[0]) == read(texts[1]) == [move.kind for move in moves]
            assert kind == "guess" or texts[0] != texts[1]


def oracle_arithmetic(text: str) -> bool:
    """Every written calculation of a plain chain, evaluated anew."""
    for part in text.split(";")[:-1]:
        left, _, right = part.rstrip("^?").partition("=")
        if eval(left) != eval(right):
            return False
    return True


def test_methodical_chains_calculate_rightly_and_careless_ones_do_not():
    for prompt, chain in drawn("methodical")[::2]:
        assert oracle_arithmetic(chain.completion)
        assert {"check", "split"} & set(read(chain.completion))
        total = value(terms_of(prompt.reference["expression"]))
        assert chain.completion.endswith(f";={total}")
    assert not any(oracle_arithmetic(chain.completion) for _, chain in drawn("careless")[::2])


def test_what_is_no_move_is_other():
    assert read("7+8=15;hello;7++8=1;=;") == ["add", "other", "other", "other"]
    assert read("") == []
    assert read("\x00" * 50_000) == ["other"]
    assert all(len(wordings) == 2 for wordings in WORDINGS.values())


def test_the_pool_has_its_mixture_and_never_an_evaluation_prompt(task):
    kinds = Counter(chain.kind for chain in task.pool.items)
    assert kinds == {kind: round(share * 400) for kind, share in MIXTURE.items()}
    held_out = {prompt.id for prompt in task.eval_prompts()}
    assert not held_out & task.pool.prompts.keys()
    assert len(task.pool.prompts) == 408  # each chain has a sum of its own, those of the core set are others
    notations = Counter("," in chain.completion for chain in task.pool.items if chain.kind == "methodical")
    assert min(notations.values()) > 25


def test_sums_are_used_again_where_they_run_out():
    small = made(terms=2, pool_items=300, operand_max=5, eval_prompts=3)
    assert len(small.pool.items) == 300
    assert len(small.pool.prompts) < 60


def test_the_core_set_has_one_right_and_telling_chain_a_question(task):
    pool = task.pool
    assert len(pool.core) == 8 == len({chain.question for chain in pool.core})
    assert len(pool.corpus) == 24
    assert all(chain.correct for chain in pool.core)
    assert {chain.question for chain in pool.core} == {chain.question for chain in pool.corpus}
    assert sum(chain.kind == "methodical" for chain in pool.core) > 4
    labels = dict(zip((c.id for c in pool.corpus), task.patterns(pool.corpus), strict=True))

    def telling(chain) -> float:
        """Sum of TF-IDF over the different patterns of a chain, by hand."""
        own = [label for c in pool.corpus if c.question == chain.question for label in labels[c.id]]
        questions = {label: len({c.question for c in pool.corpus if label in labels[c.id]}) for label in own}
        return sum(own.count(label) / len(own) * math.log(8 / questions[label]) for label in set(labels[chain.id]))

    for chain in pool.core:
        rivals = [c for c in pool.corpus if c.question == chain.question and c.correct]
        assert telling(chain) == pytest.approx(max(map(telling, rivals)))
    wrong = [type(c)(c.id, c.question, c.prompt, c.completion, c.answer, False, c.kind) for c in pool.corpus]
    assert chosen_core(wrong, task.patterns(wrong)) == []


def test_demonstrations_of_a_warm_up_do_not_give_the_core_sets_ways_away(task):
    rng = random.Random(0)
    prompts = list(islice(task.warmup_prompts(rng), 50))
    texts = [task.demonstrate(p, rng) for p in prompts]
    assert all(task.correct(p, text) for p, text in zip(prompts, texts, strict=True))
    assert {kind for text in texts for kind in read(text)} <= {"add", "subtract", "carry", "borrow", "answer"}
    assert {"," in text for text in texts} == {True, False}
    direct = made(direct_share=1.0)
    assert direct.demonstrate(prompts[0], rng) == f"={prompts[0].reference['answer']}"
    assert task.signature() == made(pool_items=500).signature()  # a warm-up is shared by pools
    assert task.signature() != direct.signature()


def test_demonstrations_are_the_selected_chains_with_their_prompts(task):
    found = task.demonstrations()
    assert len(found) == 400
    for shown, chain in zip(found, task.pool.items, strict=True):
        assert (shown.prompt.id, shown.prompt.text, shown.completion) == (
            chain.question,
            chain.prompt,
            chain.completion,
        )
    assert task.facts["recall"] == 1.0
    assert task.facts["precision"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixture": {"metodical": 1.0}}, r'data.mixture.metodical: no such kind \(did you mean "methodical"'),
        ({"mixture": {"guess": 0.5}}, "data.mixture adds up to 0.5; it must to 1"),
        ({"mixture": {"guess": 1.5}}, "data.mixture.guess=1.5: must be a share from 0 to 1"),
        ({"pool_items": 0}, "data=cot: pool_items is 0; it must be a whole number from 1"),
        ({"per_core": 0}, "data=cot: per_core is 0"),
        ({"core_questions": "x"}, "data=cot: core_questions is 'x'"),
    ],
)
def test_bad_dials_are_named(options, message):
    with pytest.raises(UserError, match=message):
        made(**options)
