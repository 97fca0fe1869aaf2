"""Learning from given answers as a LightningModule: one epoch is one step, one step is one optimiser step.

draw   given answers -> rows of tokens               (deck.py, given_rows.py)
loss   rows -> loss -> optimiser step -> metrics     (an objective: supervised.py, preference.py, unpaired.py)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import lightning.pytorch as pl

from crucible.ahead import asks_for, stand_in
from crucible.config.batch import Batch
from crucible.data.fit import refuse_misfit
from crucible.modules.deck import Deck
from crucible.modules.given_rows import Encoder
from crucible.modules.held_out import EvaluateGiven, judges, refuse_unmeasurable
from crucible.modules.journal import Journal
from crucible.modules.options import AdamW
from crucible.modules.random_state import random_state, restore_random_state
from crucible.modules.sources import Source
from crucible.modules.trouble import Trouble
from crucible.modules.updates import no_loader
from crucible.policy.policy import Policy
from crucible.policy.shards import whole
from crucible.pulse import beat
from crucible.ranks import Ranks
from crucible.types import Task


class GivenObjective(Protocol):
    """What a step does with the answers it drew."""

    def learn(self, items: Sequence[Any], clock: dict[str, Any], backward: Callable[[Any], None]) -> dict[str, float]:
        """Adds the gradient of the loss on these items to the parameters; returns metrics."""
        ...

    def measure(self, items: Sequence[Any]) -> dict[str, float]:
        """Metrics of held-out items, by short names."""
        ...

    def remembering(self) -> dict[str, Any]:
        """What has a state."""
        ...

    def end_of_step(self, step: int) -> None: ...


class Offline(pl.LightningModule):
    """Draws `batch.prompts_per_step` given answers a step and makes one optimiser step on all of them.

    A subclass names what it learns from (`learns_from`, the word for one of them; `source`) and how (its objective).
    Sampling is for evaluation alone; batch.samples_per_prompt and batch.updates_per_rollout are not used.
    """

    shares_rows = True  # several processes can train it, see crucible.ranks
    learns_from: ClassVar[str] = ""

    def __init__(
        self,
        *,
        objective: GivenObjective,
        source: Source[Any],
        encoder: Encoder,
        task: Task,
        policy: Policy,
        batch: Batch,
        optim: AdamW,
        trouble: Trouble,
        journal: Journal,
        ranks: Ranks,
        seed: int,
        steps: int,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.policy, self.model, self.objective, self.task = policy, policy.model, objective, task
        self.batch, self.optim, self.trouble, self.journal, self.ranks = batch, optim, trouble, journal, ranks
        self.epochs, self.steps_done = steps, 0
        pool, endless = source.pool, source.endless
        if pool is not None:
            pool = encoder.kept(pool, journal.report)
        self.deck: Deck[Any] = Deck(
            pool=pool,
            endless=None if endless is None else lambda rng: (item for item in endless(rng) if encoder.usable(item)),
            seed=seed,
        )
        self.held_out = encoder.kept(source.held_out, journal.report) if source.held_out else []
        self.held_out_ids = {prompt.id for prompt in task.eval_prompts()}
        self.seen_ids: set[str] = set()  # of the held-out prompts, those ever trained on: none, if all is well

    @staticmethod
    def source(task: Any) -> Source[Any]:
        """Where the answers come from. Errors: UserError for data that has none."""
        raise NotImplementedError

    @classmethod
    def look_ahead(cls, parts: Any) -> None:
        """Before any model is loaded: has the data what is learned from, and what its evaluation reads, and does all
        that fit the model (where something can tell before there is one)?"""
        task, algo = parts["task"], parts["config"]["algo"]
        source = cls.source(task)
        refuse_unmeasurable(task, source.held_out)
        if judges(task):
            early = parts["ranks"].main and not asks_for(parts, "reward", "policy")
            for reader in (getattr(task, "check", None), parts["reward"] if early else None):
                refuse_misfit(task, reader)
        if (similar := stand_in(parts)) is None:
            return
        if judges(task):
            similar.check_prompts(task.eval_prompts(), parts["sampling"].max_tokens)
        if algo.get("too_long") == "refuse":
            for answers in (source.pool or (), source.held_out):
                Encoder(similar, algo.get("max_tokens")).kept(answers, parts["report"])

    def callbacks(self, parts: Any) -> list[pl.Callback]:
        """What this kind of run does at the end of a step, before anything else does."""
        return [EvaluateGiven(parts["evaluation"], parts, self.journal)]

    @property
    def clock(self) -> dict[str, Any]:
        """How far the run is, by the names that losses may ask for."""
        return {"updates_done": self.steps_done, "progress": self.steps_done / self.epochs}

    def measure_held_out(self) -> dict[str, float]:
        """Metrics of the held-out answers; none without any."""
        if not self.held_out:
            return {}
        self.model.eval()
        try:
            with whole(self.model):  # each rank measures its share, in as many passes as that takes
                found = self.objective.measure(self.held_out)
        finally:
            self.model.train()
        return {f"eval/{self.task.name}/{name}": value for name, value in found.items()}

    # -- one step -----------------------------------------------------------------------------

    def train_dataloader(self) -> Any:
        return no_loader(1)

    def training_step(self, update: int, _: int) -> None:
        started, step = time.perf_counter(), self.steps_done + 1
        beat(f"updating in step {step}")
        items = self.deck.draw(self.batch.prompts_per_step)
        self.seen_ids.update(item.prompt.id for item in items if item.prompt.id in self.held_out_ids)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        metrics = self.objective.learn(items, self.clock, self.manual_backward)
        self.ranks.sum_gradients(list(self.model.parameters()))
        metrics["policy/grad_norm"] = float(self.optim.clip(self.model.parameters()))
        if skipped := self.trouble.of_update(step, step, metrics):
            optimizer.zero_grad()
            metrics |= skipped
        else:
            schedule = self.lr_schedulers()
            metrics["policy/lr"] = schedule.get_last_lr()[0]
            optimizer.step()
            schedule.step()
        spent = time.perf_counter() - started
        metrics |= {
            "data/epoch": self.deck.epoch,
            "time/update_s": spent,
            "perf/tokens_per_s": metrics["completion/length"] * metrics.pop("rows") / spent,
        }
        self.metrics = metrics
        self.journal.row({"kind": "update", "step": step, "update": step, **metrics})
        self.steps_done = step
        self.objective.end_of_step(step)

    def configure_optimizers(self) -> Any:
        optimizer, schedule = self.optim.build(self.model.parameters())
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    # -- resume -------------------------------------------------------------------------------

    def remembering(self) -> dict[str, Any]:
        """All that has a state besides the policy and its optimiser."""
        return {"deck": self.deck, "trouble": self.trouble, **self.objective.remembering()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["crucible"] = {
            "steps_done": self.steps_done,
            "parts": {name: part.state_dict() for name, part in self.remembering().items()},
            "seen_ids": sorted(self.seen_ids),
            "random": random_state(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["crucible"]
        self.steps_done = state["steps_done"]
        for name, part in self.remembering().items():
            part.load_state_dict(state["parts"][name])
        self.seen_ids = set(state["seen_ids"])
        restore_random_state(state["random"])
