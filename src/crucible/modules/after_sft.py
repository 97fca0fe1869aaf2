"""`model=after_sft`: a policy after a stage of supervised learning on what the data set has to show.

So that "select, SFT, RL" is one run with one config: the evaluation before training is of the policy after SFT, the one
after training of the policy after RL. The stage is cached like a warm-up, by the hash of all it depends on.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import torch

from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.supervised.nll import nll
from crucible.errors import UserError
from crucible.modules import supervised
from crucible.modules.deck import Deck
from crucible.modules.given_rows import Encoder
from crucible.modules.sources import demonstrations
from crucible.policy.fingerprint import fingerprint
from crucible.policy.policy import Policy
from crucible.policy.progress import progress
from crucible.ranks import ALONE
from crucible.rundir.atomic import explained
from crucible.types import Demonstration

WEIGHTS, NOTES = "weights.pt", "stage.json"


def after_sft(
    *,
    task: Any,
    base: Policy,
    cache_dir: str | Path,
    report: Callable[[str], None],
    seed: int,
    steps: Annotated[int, ">= 1"] = 100,
    tokens_per_step: Annotated[int, ">= 1"] = 1024,
    learning_rate: Annotated[float, "> 0"] = 2e-3,
    rise_steps: Annotated[int, ">= 0"] = 5,
    max_grad_norm: Annotated[float, "> 0"] = 1.0,
    micro_batch_tokens: Annotated[int, ">= 1"] = 16_384,
) -> Policy:
    """`base` after `steps` optimiser steps on the task's demonstrations, -log p as a mean over the tokens of a step.

    Each step learns from about `tokens_per_step` completion tokens, at most one demonstration more or less over the
    whole stage, so stages on different demonstrations see equally many tokens. They are gone through in epochs, in an
    order that `seed` decides. AdamW without weight decay; the learning rate rises over `rise_steps`, then is constant.
    The weights are kept under `cache_dir`/after_sft by a hash of the base's weights, the demonstrations and options.
    Errors: UserError where the task has no demonstrations of its own.
    """
    source = demonstrations(task)
    if source.pool is None:
        raise UserError(f"model=after_sft learns from a finite set of demonstrations; data={task.name} has none")
    options = {"steps": steps, "tokens_per_step": tokens_per_step, "learning_rate": learning_rate,
               "rise_steps": rise_steps, "max_grad_norm": max_grad_norm, "micro_batch_tokens": micro_batch_tokens,
               "seed": seed}  # fmt: skip
    folder = Path(cache_dir) / "after_sft" / _key(base, source.pool, options)
    if not (folder / NOTES).is_file():
        with explained("cannot write", folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        notes = _learn(base, source.pool, options, report)
        _keep(folder, base, notes)
        report(f"SFT stage cached at {folder}: {_words(notes)}")
    else:
        base.model.load_state_dict(torch.load(folder / WEIGHTS, map_location=base.device, weights_only=True))
        report(f"SFT stage taken from {folder}: {_words(json.loads((folder / NOTES).read_text()))}")
    base.seen_ids |= {item.prompt.id for item in source.pool}
    base.model.eval()
    return base


def _learn(
    policy: Policy, pool: Sequence[Demonstration], options: dict[str, Any], report: Callable[[str], None]
) -> dict[str, Any]:
    """Train `policy`; what came of it."""
    started = time.perf_counter()
    objective = supervised.TokenObjective(
        policy=policy, encoder=Encoder(policy, None, "refuse"), loss=nll, aggregation=token_mean, reference=None,
        micro_batch_tokens=options["micro_batch_tokens"], max_completion_tokens=policy.context_length, ranks=ALONE,
    )  # fmt: skip
    deck = Deck(pool=list(range(len(pool))), endless=None, seed=options["seed"])
    lengths: dict[int, int] = {}

    def tokens(place: int) -> int:
        if place not in lengths:
            coded = policy.tokenizer(pool[place].completion, add_special_tokens=False, verbose=False)
            lengths[place] = len(coded["input_ids"]) + 1
        return lengths[place]

    optimiser = torch.optim.AdamW(
        [w for w in policy.model.parameters() if w.requires_grad], lr=options["learning_rate"], weight_decay=0.0
    )
    policy.model.train()
    seen, losses = 0, list[float]()
    with progress("SFT stage", options["steps"], report) as show:
        for step in range(1, options["steps"] + 1):
            places = list[int]()
            while seen < step * options["tokens_per_step"]:
                places += deck.draw(1)
                seen += tokens(places[-1])
            if not places:  # the last demonstration was longer than a step
                continue
            for group in optimiser.param_groups:
                group["lr"] = options["learning_rate"] * min(1.0, step / max(1, options["rise_steps"]))
            optimiser.zero_grad()
            metrics = objective.learn([pool[place] for place in places], {}, lambda loss: loss.backward())
            torch.nn.utils.clip_grad_norm_(policy.model.parameters(), options["max_grad_norm"])
            optimiser.step()
            losses.append(metrics["policy/loss"])
            show(step, f"loss {losses[-1]:.3f}" if step % 10 == 0 else "")
    return {
        "steps": options["steps"], "tokens": seen, "demonstrations": len(pool), "epochs": round(deck.epoch, 3),
        "loss": losses[-1], "seconds": round(time.perf_counter() - started, 1), "options": options,
    }  # fmt: skip


def _words(notes: dict[str, Any]) -> str:
    return (
        f"{notes['steps']} steps on {notes['tokens']:,} tokens, {notes['epochs']:g} epochs of "
        f"{notes['demonstrations']:,} demonstrations, loss {notes['loss']:.3f}"
    )


def _key(base: Policy, pool: Sequence[Demonstration], options: dict[str, Any]) -> str:
    """A hash of all the outcome depends on, code included."""
    digest = blake2b(digest_size=8)
    digest.update(json.dumps([fingerprint(base), options], sort_keys=True).encode())
    for item in pool:
        digest.update(json.dumps([item.prompt.id, item.prompt.text, item.completion, item.weight]).encode())
    for file in (
        Path(__file__),
        Path(supervised.__file__),
        *map(Path(__file__).with_name, ("deck.py", "given_rows.py")),
    ):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _keep(folder: Path, policy: Policy, notes: dict[str, Any]) -> None:
    """Appears whole or not at all; whoever comes second keeps the first one's."""
    with (
        explained("cannot write", folder),
        tempfile.TemporaryDirectory(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent) as partial,
    ):
        made = Path(partial) / "stage"
        made.mkdir()
        torch.save(policy.model.state_dict(), made / WEIGHTS)
        (made / NOTES).write_text(json.dumps(notes, indent=1))
        try:
            os.rename(made, folder)
        except OSError:
            if not (folder / NOTES).is_file():
                raise
