"""The runs that are killed: between them every kind of state a run can have. An attempt takes a second or two."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, SMALL
from tests.resume.places import PLACES

Kill = tuple[str, int] | None  # a place and how often it is passed, or None: at some moment


@dataclass(frozen=True)
class Case:
    """`options` of a small run; `places` that only this case has, first in its plan."""

    name: str
    options: tuple[str, ...]
    places: tuple[tuple[str, int], ...] = ()


SHORT = [
    "steps=4", "checkpoint_every=1", "evaluation.every=1", "samples_every=1", "batch.prompts_per_step=2",
    "sampling.max_tokens=8",
]  # fmt: skip
KEEP = "algo/filter=keep_all"
WARM_UP = (
    "data.direct_share=1.0",  # a guess is learned at once
    "model.warmup={_target_: crucible.policy.warmup.WarmUp, target_accuracy: 0.01, max_steps: 80, probe_every: 10, "
    "probe_prompts: 32, probe_samples: 4, batch_size: 32, max_tokens: 48}",
)
JUDGE = (
    "responses=64", "held_out_responses=16", "batch_responses=16", "epochs=1", "proofread_updates=2", "max_tokens=12",
)  # fmt: skip
CASES = [
    Case(
        "kl controller, reference refresh, adaptive entropy",
        ("algo=grpo", "algo/kl=in_loss", "algo.kl.target=0.01", "algo.reference.every=1", "algo.reference.mix=0.5",
         "entropy=adaptive", "entropy.target=9"),
    ),
    Case("ppo: critic, kl in the reward", ("algo=ppo", "algo.kl.target=0.01", "algo.kl.coefficient=0.05")),
    Case("ce_gppo, placebo, checkpoints two apart", ("algo=ce_gppo", KEEP, "reward=random", "checkpoint_every=2")),
    Case("lag, correction", ("algo=grpo", "rollout.lag=2", "algo.old_logps=recompute", "algo/correction=tis")),
    Case(
        "spo on a pool in epochs, rewards in workers",
        ("algo=spo", "data=jsonl", "reward=gsm8k", "batch.samples_per_prompt=1", "batch.prompts_per_step=4"),
    ),
    Case("riskpo, soft actor-critic entropy", ("algo=riskpo", "entropy=sac")),
    Case("tempered rows", ("algo=dapo", KEEP, "entropy=arbitrary_entropy", "entropy.target=9", "entropy.share=0.5")),
    Case(
        "resampled rows, steered temperature",
        ("algo=grpo", "algo/filter=pf_ppo_resample", "entropy=temperature_control", "entropy.target=9"),
    ),
    Case(
        "global random states, a reward with a state, clip_cov",
        ("algo=grpo", "entropy=clip_cov", "reward._target_=tests.resume.noisy.Noisy"),
    ),
    Case(
        "true success, warmed up", ("algo=gspo", "reward=exact", *WARM_UP),
        (("warm-up", 1), ("caching the warm-up", 1)),
    ),
    Case(
        "a judge that is trained first",
        ("algo=ce_gppo", "reward=rlbff", "model.context_length=160", *(f"reward.recipe.{option}" for option in JUDGE)),
        (("training the judge", 2), ("caching the judge", 1)),
    ),
    Case(
        "the judge itself",
        ("algo=rm_principle", "model.context_length=160", "algo.recipe.epochs=3",
         *(f"algo.recipe.{option}" for option in JUDGE if option != "epochs=1")),
        (("training the judge", 3), ("training the judge", 6)),
    ),
]  # fmt: skip
FIRST = ("run directory made", "provenance", "policy built")
LAST = ("final policy", "policy but not finished")
NOT_EVERYWHERE = ("warm-up", "caching the warm-up", "training the judge", "caching the judge")
ROLLOUTS = ("rollout", "before the rewards", "after the rewards", "gradients", "mid-update", "evaluation", "samples")


def config_of(case: Case, folder: Path) -> dict[str, Any]:
    """Composed and checked, but for run_id and cache_dir."""
    from crucible.config.compose import compose

    dropped: tuple[str, ...] = ()
    more = []
    if any(option.startswith("reward=") for option in case.options):
        dropped += ("reward=exact", "reward._target_=tests.small_world.CountsDigits")
    if any(option.startswith("reward._target_=") for option in case.options):
        dropped += ("reward._target_=tests.small_world.CountsDigits",)
    if "data=jsonl" in case.options:
        dropped += ("data=chain", "data.terms=2", "data.eval_prompts=4")
        questions = folder / "questions.jsonl"
        rows = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(5) for b in range(4)]
        questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
        more += [f"data.path={questions}", "reward.method=flexible"]
    small = [option for option in SMALL if option not in dropped]
    return dict(compose([*small, *SHORT, *case.options, *more, f"runs_dir={folder}"], ROOT).config)


def plan_of(case: Case, kills: int, seed: int) -> list[Kill]:
    """Where this case is killed, in this order: its own places, then `kills` drawn among all others and moments.

    Cases take turns at the places, so that together they pass each of them; how often a place is passed first is drawn.
    """
    rng, number = random.Random(f"{seed} {case.name}"), CASES.index(case)
    common = [name for name in PLACES if name not in NOT_EVERYWHERE]
    if "algo=rm_principle" in case.options:
        common = [name for name in common if name not in ROLLOUTS]
    turns = [common[(number * kills + i) % len(common)] for i in range(kills - 2)]
    turns.sort(key=lambda name: (name in LAST) - (name in FIRST))
    drawn: list[Kill] = [(name, rng.randint(1, PLACES[name][3])) for name in turns]
    return [*case.places, None, *drawn[: len(drawn) // 2], None, *drawn[len(drawn) // 2 :]]
