"""`data=verified`: what a verifier keeps is what is learned from; the world's held-out tasks tell what it is worth."""

from __future__ import annotations

import json
import random
from itertools import islice
from pathlib import Path

import pytest
from tests.conftest import ROOT, SMALL

from crucible.data.verified import Verified
from crucible.errors import UserError
from crucible.rundir import read_metrics, read_status
from crucible.types import Demonstrated, Task
from crucible.verification import execute
from crucible.verification.command import verification
from crucible.verification.judges import EmbeddedJudge
from crucible.verification.options import Verify

WORLD = {"problems": 8, "solutions": 5, "eval_prompts": 6}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def verified(cache: Path, said: list[str] | None = None, *, world=WORLD, **options) -> Verified:
    report = (said if said is not None else []).append
    return Verified(seed=1, cache_dir=cache, report=report, verify=Verify(**options), **world)


def learned(task: Verified) -> set[tuple[str, str]]:
    return {(d.prompt.id, d.completion) for d in task.demonstrations()}


def test_it_is_a_data_set_and_keeps_what_the_verifier_accepts(cache):
    said: list[str] = []
    task = verified(cache, said, suite="gold")
    assert isinstance(task, Task)
    assert isinstance(task, Demonstrated)
    kept = task.demonstrations()
    assert all(task.correct(d.prompt, d.completion) for d in kept)
    assert len(kept) == len(learned(task))
    assert said[0].startswith("verifying 40 programs on gold")
    assert "100.0% of them right" in said[-1]


def test_arms_share_the_pool_and_differ_in_what_they_keep(cache, monkeypatch):
    right = learned(verified(cache, suite="gold"))
    everything = learned(verified(cache, suite="gold", control="none"))
    wrong = learned(verified(cache, suite="gold", control="wrong_only"))
    assert right | wrong == everything
    assert not right & wrong
    weak = learned(verified(cache, suite="minimal", tests=2))
    assert right <= weak < everything  # true tests reject no right program
    strict, lax = (learned(verified(cache, suite="minimal", tests=2, tau=tau)) for tau in (1.0, 0.5))
    assert strict <= lax
    monkeypatch.setattr(execute.Executor, "run", None)
    said: list[str] = []
    assert learned(verified(cache, said, suite="gold")) == right  # taken from the cache: nothing is run
    assert len(said) == 1


def test_the_runs_seed_is_that_of_pool_and_draws_unless_they_have_their_own(cache):
    def learned_with(run: int, world=WORLD, **options) -> set[tuple[str, str]]:
        verify = Verify(suite="gold", control="none", **options)
        return learned(Verified(seed=run, cache_dir=cache, report=lambda line: None, verify=verify, **world))

    fixed = WORLD | {"pool_seed": 1}
    assert learned_with(1) == learned_with(2, fixed) != learned_with(2)
    assert learned_with(1, fixed, size=5) != learned_with(2, fixed, size=5)
    assert learned_with(1, fixed, size=5, seed=7) == learned_with(2, fixed, size=5, seed=7)


def test_a_judge_that_errs_at_known_rates(cache):
    right = learned(verified(cache, suite="gold"))
    everything = learned(verified(cache, suite="gold", control="none"))
    perfect = EmbeddedJudge(false_accept=0.0, false_reject=0.0)
    assert learned(verified(cache, suite="minimal", tests=2, rule="judge", judge=perfect)) == right
    blind = EmbeddedJudge(false_accept=1.0, false_reject=1.0)
    assert learned(verified(cache, suite="gold", rule="judge", judge=blind)) == everything - right
    hesitant = EmbeddedJudge(false_accept=0.0, false_reject=0.5)
    some = learned(verified(cache, suite="gold", rule="judge", judge=hesitant))
    assert set() < some < right
    assert learned(verified(cache, suite="gold", rule="either", judge=hesitant)) == right


def test_prompts_for_sampling_have_the_suite_and_stay_off_the_held_out_side(cache):
    task = verified(cache, suite="minimal", tests=2)
    held_out = {prompt.id for prompt in task.eval_prompts()}
    assert len(held_out) == 6
    pool = task.train_pool()
    assert len(pool) == 8
    assert not {prompt.id for prompt in pool} & held_out
    assert {d.prompt.id for d in task.demonstrations()} <= {prompt.id for prompt in pool}
    for prompt in [*pool, *task.eval_prompts()]:
        assert set(Verified.reference_keys) <= set(prompt.reference)
        assert len(prompt.reference["tests"]) == 2 < len(prompt.reference["gold"])
    assert {p.id for p in islice(task.train_prompts(random.Random(0)), 8)} == {p.id for p in pool}


def test_all_arms_start_from_one_warm_up(cache):
    one, other = verified(cache, suite="gold"), verified(cache, suite="minimal", tests=2, tau=0.5)
    assert one.signature() == other.signature()
    assert next(one.warmup_prompts(random.Random(1))) == next(other.warmup_prompts(random.Random(1)))
    prompt = one.eval_prompts()[0]
    assert one.correct(prompt, one.demonstrate(prompt, random.Random(0)))


def test_seeds_have_pools_of_their_own_and_one_warm_up(cache):
    options = {"cache_dir": cache, "report": [].append, "verify": Verify(), **WORLD}
    one, other = (Verified(seed=seed, **options) for seed in (1, 2))
    assert {p.id for p in one.train_pool()} != {p.id for p in other.train_pool()}
    for of in ("probe_prompts", "warmup_prompts"):
        first, second = (list(islice(getattr(task, of)(random.Random(3)), 20)) for task in (one, other))
        assert first == second
    held_out = {p.id for p in one.eval_prompts()}
    assert not held_out & {p.id for p in islice(one.probe_prompts(random.Random(3)), 200)}


def test_from_a_pipelines_directory(cache, tmp_path):
    verification(out=tmp_path, count=4, samples=3, suite=("minimal:2", "gold"))
    plain = {"eval_prompts": 6, "path": str(tmp_path)}
    task = verified(cache, world=plain, suite="minimal", tests=2)
    train = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [d.completion for d in task.demonstrations()] == [row["completion"] for row in train]
    assert len(learned(verified(cache, world=plain, suite="gold"))) <= len(train)
    with pytest.raises(UserError, match=r"has no suite structured-4.*it has minimal-2, gold"):
        verified(cache, world=plain, suite="structured")
    with pytest.raises(UserError, match=r"has no verdicts.jsonl: it is no pipeline's directory"):
        verified(cache, world=plain | {"path": str(tmp_path / "shards")})
    (tmp_path / "eval.jsonl").write_text((tmp_path / "problems.jsonl").read_text())
    with pytest.raises(UserError, match=r"is in the pool too, it would leak"):
        verified(cache, world=plain | {"eval_path": str(tmp_path / "eval.jsonl")}, suite="gold")


@pytest.mark.parametrize(
    ("world", "options", "message"),
    [
        ({"right": 2.0}, {}, "data=verified: right is 2.0"),
        ({"problems": 0}, {}, "data=verified: problems is 0"),
        ({"operations": 9}, {}, "data=programs: operations is 9"),
        ({}, {"suite": "minimul"}, 'suite=minimul .did you mean "minimal"..: one of gold'),
        ({"eval_path": "x.jsonl"}, {}, "eval_path is for a pool of problems of your own"),
        ({}, {"suite": "gold", "at_least": 6}, "nothing is left to learn from"),
        ({}, {"suite": "gold", "size": 1000}, "verify.size=1000: the natural size is"),
    ],
)
def test_bad_options_get_one_line(cache, world, options, message):
    with pytest.raises(UserError, match=message) as caught:
        verified(cache, world=WORLD | world, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arm",
    [
        ["algo=sft", "data=verified", "data.problems=6", "data.solutions=3", "data.verify.tau=0.8"],
        ["algo=grpo", "data=programs", "data.suite=structured", "reward=unit_tests"],
        ["algo=grpo", "data=verified", "data.problems=6", "data.solutions=3", "reward=unit_tests", "reward.tau=0.5"],
        ["algo=grpo", "data=programs", "reward=hybrid", "reward@reward.rule=unit_tests", "reward@reward.model=exact"],
    ],
    ids=["sft", "rl", "rl on a pool", "tests, then a judge"],
)
def test_arms_of_the_study_run(tmp_path, arm):
    from crucible.config.compose import compose
    from crucible.run import run

    small = [o for o in SMALL if not o.startswith(("data", "reward", "sampling", "model.context"))]
    places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}", "sampling.max_tokens=24"]
    path = run(**compose([*small, *places, "data=programs", *arm, "data.eval_prompts=4"], ROOT).config)
    assert read_status(path)["state"] == "finished"
    assert any("avg@2" in key for row in read_metrics(path) for key in row)
