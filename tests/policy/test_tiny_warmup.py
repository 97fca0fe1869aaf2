from __future__ import annotations

import json
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import pytest
import torch

import crucible.policy.tiny as tiny_module
from crucible.errors import UserError
from crucible.policy import warmup_cache
from crucible.policy.tiny import tiny, untrained
from crucible.policy.warmup import WarmUp
from crucible.types import Prompt

SHAPE = dict(hidden_size=32, layers=1, heads=2, kv_heads=1, intermediate_size=48, context_length=24)
QUICK = dict(
    target_accuracy=0.6,
    max_steps=120,
    batch_size=32,
    learning_rate=1e-2,
    probe_prompts=10,
    probe_every=20,
    max_tokens=8,
)


@dataclass(frozen=True)
class Echo:
    """Say the first of two letters: learnable in a few dozen steps, for pairs never seen too."""

    name: str = "echo"
    letters: str = "abcdefgh"

    def _prompts(self, rng: random.Random):
        while True:
            pair = rng.choice(self.letters) + rng.choice(self.letters)
            yield Prompt(id=f"id-{pair}", text=f"{pair}=", reference={"answer": pair[0]})

    def train_prompts(self, rng):
        return self._prompts(rng)

    def warmup_prompts(self, rng):
        return self._prompts(rng)

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        return prompt.reference["answer"]

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return completion == prompt.reference["answer"]


def build(tmp_path, said, *, task=None, warmup=None, **shape):
    options = SHAPE | shape
    return tiny(
        task=task or Echo(), cache_dir=tmp_path, report=said.append, warmup=warmup or WarmUp(**QUICK), **options
    )


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """(policy, cache_dir, what was said) of one warm-up."""
    place, said = tmp_path_factory.mktemp("cache"), []
    return build(place, said), place, said


def weights(policy):
    return torch.cat([p.flatten() for p in policy.model.parameters()])


def test_default_size_and_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    a = untrained()
    torch.manual_seed(2)
    assert torch.equal(weights(a), weights(untrained()))
    assert not torch.equal(weights(a), weights(untrained(seed=1)))
    assert sum(p.numel() for p in a.model.parameters()) == 800_896
    assert a.context_length == 128
    with pytest.raises(UserError, match="hidden_size 30 must be a multiple of heads 4"):
        untrained(hidden_size=30)


def test_warms_up_stops_at_the_target_and_keeps_the_result(warm):
    policy, place, said = warm
    (path,) = (place / "warmup").iterdir()
    record = json.loads((path / "warmup.json").read_text())
    assert record["accuracy"] >= 0.6
    assert record["steps"] < 120
    assert record["steps"] % 10 == 0
    assert re.fullmatch(
        rf"warm-up cached at {path}: {record['steps']} steps in \d+ s, probe accuracy {record['accuracy']:.3f}",
        said[-1],
    )
    assert said[0].startswith("warm-up: 20/120, loss ")

    said = []
    again = build(place, said)
    assert len(said) == 1
    assert said[-1].startswith(f"warm-up taken from {path}: {record['steps']} steps, probe accuracy ")
    assert torch.equal(weights(policy), weights(again))
    assert policy.seen_ids == again.seen_ids == set(record["seen_ids"])


def test_runs_begun_together_share_one_start(tmp_path, monkeypatch):
    made, meanwhile = [], threading.Event()
    warm_up = tiny_module.warm_up

    def slowly(*given):
        made.append(given)
        meanwhile.wait(20)
        return warm_up(*given)

    monkeypatch.setattr(tiny_module, "warm_up", slowly)
    monkeypatch.setattr(warmup_cache.time, "sleep", lambda seconds: meanwhile.wait(0.01))
    said: tuple[list[str], list[str]] = ([], [])
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(build, tmp_path, lines) for lines in said]
        while not any("waiting for it" in line for lines in said for line in lines):
            assert not any(run.done() for run in runs)
        meanwhile.set()
        first, second = (run.result() for run in runs)
    assert len(made) == 1
    assert torch.equal(weights(first), weights(second))


def test_what_was_seen_is_recorded_and_the_probe_is_not_trained_on(warm):
    policy, _, _ = warm
    probe = {p.id for p in islice(Echo().train_prompts(random.Random("probe 0")), QUICK["probe_prompts"])}
    every = {f"id-{a}{b}" for a in Echo.letters for b in Echo.letters}
    assert policy.seen_ids == every - probe
    assert 0 < len(probe) < len(every)


def test_the_same_options_give_the_same_model_elsewhere(warm, tmp_path):
    torch.manual_seed(torch.seed() % 1000)
    assert torch.equal(weights(warm[0]), weights(build(tmp_path, [])))


def test_the_loss_is_on_the_completion_and_its_end_and_not_on_the_prompt(warm):
    policy, start = warm[0], untrained(**SHAPE)
    letters = policy.tokenizer.convert_tokens_to_ids(list(Echo.letters))

    def share(model, text: str, tokens: list[int]) -> float:
        ids, mask = policy.encode([Prompt("a", text)])
        return float(model(input_ids=ids, attention_mask=mask).logits[0, -1].softmax(-1)[tokens].sum().detach())

    assert share(policy.model, "ab=", letters) > 0.9 > 5 * share(start.model, "ab=", letters)
    assert share(policy.model, "ab=a", [policy.eos_id]) > 0.8
    assert share(policy.model, "a", [policy.tokenizer.convert_tokens_to_ids("=")]) < 0.2  # prompts are not taught


@pytest.mark.parametrize(
    "changed",
    [
        dict(warmup=WarmUp(**QUICK | {"seed": 1})),
        dict(warmup=WarmUp(**QUICK | {"target_accuracy": 0.7})),
        dict(task=Echo(letters="abc")),
        dict(seed=1),
        dict(layers=2),
    ],
    ids=["warm-up seed", "target", "task", "model seed", "layers"],
)
def test_the_key_follows_model_options_and_task(tmp_path, changed):
    def key(task=None, warmup=None, **shape):
        told = warmup_cache.describe(
            model=SHAPE | {"seed": 0} | shape, warmup=warmup or WarmUp(**QUICK), task=task or Echo()
        )
        return warmup_cache.folder(tmp_path, told)

    assert key() == key()
    assert key(**changed) != key()


def test_the_key_follows_the_code(tmp_path, monkeypatch):
    told = warmup_cache.describe(model=SHAPE, warmup=WarmUp(), task=Echo())
    here = tmp_path / "policy"
    here.mkdir()
    for name in warmup_cache._SOURCES:
        (here / name).write_text("changed")
    monkeypatch.setattr(warmup_cache, "__file__", str(here / "warmup_cache.py"))
    assert warmup_cache.describe(model=SHAPE, warmup=WarmUp(), task=Echo())["code"] != told["code"]


def test_plain_public_attributes_sign_a_task():
    class Plain:
        def __init__(self):
            self.terms, self._secret, self.rng = 4, 5, random.Random(0)

    assert warmup_cache.signature(Plain()) == {
        "class": f"{Plain.__module__}.{Plain.__qualname__}",
        "terms": 4,
    }


def test_a_target_out_of_reach_is_a_clear_error_and_leaves_nothing(tmp_path):
    with pytest.raises(
        UserError, match=r"after 3 steps the probe accuracy on echo is 0\.\d+, below the target of 0\.6"
    ):
        build(tmp_path, [], warmup=WarmUp(**QUICK | {"max_steps": 3}))
    assert not any((tmp_path / "warmup").iterdir())


def test_a_task_without_demonstrations_is_refused(tmp_path):
    class Bare:
        name = "jsonl"

    with pytest.raises(UserError, match="data=jsonl has no worked answers"):
        build(tmp_path, [], task=Bare())


class Accent(Echo):
    def demonstrate(self, prompt, rng):
        return "é"


def test_demonstrations_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"has 2 tokens, more than model\.warmup\.max_tokens = 1"):
        build(tmp_path, [], warmup=WarmUp(**QUICK | {"max_tokens": 1}))
    with pytest.raises(UserError, match="'é', which the tokenizer lacks"):
        build(tmp_path, [], task=Accent())


def test_no_warm_up_leaves_the_random_weights(tmp_path):
    policy = tiny(task=Echo(), cache_dir=tmp_path, report=print, warmup=None, **SHAPE)
    assert torch.equal(weights(policy), weights(untrained(**SHAPE)))
    assert policy.seen_ids == set()
    assert not any(tmp_path.iterdir())


def test_an_unwritable_cache_is_one_clear_line(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    said: list[str] = []
    with pytest.raises(UserError, match=r"cannot write the warm-up to .*; set cache_dir"):
        build(blocker, said)
    assert said == []  # found out before any work


def test_the_first_of_two_writers_wins(warm):
    policy, place, _ = warm
    (path,) = (place / "warmup").iterdir()
    record = warmup_cache.read(path)[1]
    warmup_cache.write(path, untrained(**SHAPE), record, {})
    assert torch.equal(weights(warmup_cache.read(path)[0]), weights(policy))
    assert [p.name for p in (place / "warmup").iterdir()] == [path.name]
