"""`algo=rm_principle`: a principle-conditioned Yes/No reward model as a LightningModule.

One epoch of Lightning is one pass over the judged responses, one batch is one optimiser step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from crucible.ahead import looks_ahead, stand_in
from crucible.config.batch import Batch
from crucible.data.fit import refuse_unfit
from crucible.errors import UserError
from crucible.feedback.extract import wordings
from crucible.feedback.truth import refuse_unknown
from crucible.modules import rm_data, rm_metrics, rm_triples
from crucible.modules.random_state import random_state, restore_random_state
from crucible.modules.rm_proofreader import copied, trained_proofreader
from crucible.modules.rm_questions import pack
from crucible.modules.rm_recipe import RewardModelRecipe, cache_folder, learning_rate
from crucible.modules.rm_scorer import Judge, batches_by_length, teach_words
from crucible.modules.updates import no_loader
from crucible.policy import Policy
from crucible.pulse import beat
from crucible.rewards.rlbff import held_out_row


def yes_no_loss(log_odds: Tensor, fulfilled: Tensor) -> Tensor:
    """Cross-entropy over the two words Yes and No: mean of softplus(-r) where fulfilled, else softplus(r).

    2509.21319 trains Yes or No as the next token; whether over the full vocabulary or these two words was
    not found. Over the two words d loss / d r = sigmoid(r) - z. `log_odds` r and `fulfilled` z: (K,).
    """
    return F.binary_cross_entropy_with_logits(log_odds, fulfilled.to(log_odds.dtype))


def refuse_recipe(*, task: Any, recipe: RewardModelRecipe, parts: Any) -> None:
    """Before any model is made. Errors: UserError for a task without principles, and samples that do not fit."""
    if recipe.triples is not None:
        rm_triples.refuse(recipe)
        return
    rm_data.refuse_uncheckable(task)
    refuse_unknown(task, recipe.principle)
    similar = stand_in(parts)
    if similar is not None and recipe.sample_share > 0:
        try:
            refuse_unfit(task, similar, recipe.max_tokens)
        except UserError as error:
            raise UserError(f"reward model: max_tokens={recipe.max_tokens}: {error}") from None


@looks_ahead(refuse_recipe)
class RewardModel(pl.LightningModule):
    """Trains a copy of `policy` to answer "<prompt><response>\\n <principle>?" with Yes or No.

    With `recipe.proofread_updates` a copy of the start policy first learns on from demonstrations; it then
    marks in every response what it would hardly have written, and the judge, made from it, reads the marked
    text. `steps` of the run are not used: epochs are `recipe.epochs`. An optimiser step goes through the model in
    passes of at most `batch.micro_batch_tokens` padded tokens. With `recipe.triples` the run's data set is not used.
    Differs from the paper: the base is tiny and from scratch, and the proofreading is ours (see
    rm_proofreader): it stands for what the paper's 70B base knows of the task beforehand.
    """

    def __init__(
        self,
        *,
        task: Any,
        policy: Policy,
        report: Callable[[str], None],
        journal: Any = None,
        cache_dir: str | Path | None = None,
        recipe: RewardModelRecipe,
        batch: Batch | None = None,
    ) -> None:
        super().__init__()
        from crucible.rollout.embedded import EmbeddedEngine

        self.automatic_optimization = False
        self.task, self.report, self.journal, self.recipe = task, report, journal, recipe
        self.epochs, self.steps_done, self.updates_done = recipe.epochs, 0, 0
        self.tokens = None if batch is None else batch.micro_batch_tokens
        self.folder = cache_folder(cache_dir, recipe=recipe, task=task, policy=policy) if cache_dir else None
        started = time.perf_counter()
        if recipe.triples is not None:
            rm_triples.refuse(recipe)
            self.examples = rm_triples.examples(recipe, Judge(policy).fits, report)
        else:
            self.examples = rm_data.make(task, recipe, EmbeddedEngine(policy).generate, report)
        self.data_s = time.perf_counter() - started
        proofreader = None
        if recipe.proofread_updates:
            proofreader = trained_proofreader(
                task, policy, updates=recipe.proofread_updates, threshold=recipe.proofread_threshold,
                seed=recipe.seed, report=report,
            )  # fmt: skip
        base = copied(proofreader.policy if proofreader else policy)
        base.model.requires_grad_(True)
        if _from_scratch(base) and recipe.triples is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(recipe.seed)
                teach_words(base, [w for p in task.principles() for w in wordings(p)])
        self.judge = Judge(base, proofreader=proofreader, feedback=self.examples.training)
        for line in self.judge.explained():
            report(line)
        self.policy, self.model = self.judge, base.model.train()
        train = self.examples.train = [e for e in self.examples.train if e.principles]
        self.rows = self.judge.rows([e.prompt for e in train], [e.text for e in train], [e.principles for e in train])
        if len(train) < recipe.batch_responses:
            raise UserError(
                f"reward model: {len(train)} judged responses do not fill one batch of {recipe.batch_responses}; "
                "raise recipe.responses"
            )

    # -- what the program around asks for ------------------------------------------------------

    def callbacks(self, parts: Any) -> list[pl.Callback]:
        return []

    def headline(self) -> str:
        m = self.metrics
        if self.recipe.triples is not None:
            return f"loss {m['rm/loss']:.3f}  held-out accuracy {m['rm/accuracy_consensus']:.1%}"
        first = next(iter(self.task.principles()))
        return (
            f"loss {m['rm/loss']:.3f}  held-out accuracy {m['rm/accuracy_true']:.1%}, "
            f'"{first}" {m[f"rm/accuracy_true/{first}"]:.1%}'
        )

    @property
    def updates_per_epoch(self) -> int:
        return len(self.examples.train) // self.recipe.batch_responses

    # -- training ------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        self.model.train()
        self.order = rm_data.batches(
            [row.tokens for row in self.rows], self.recipe.batch_responses, self.steps_done, self.recipe.seed
        )
        self.sums = {"rm/loss": 0.0}
        self.epoch_started = time.perf_counter()

    def train_dataloader(self) -> Any:
        return no_loader(self.updates_per_epoch)

    def training_step(self, update: int, _: int) -> None:
        optimizer = self.optimizers()
        optimizer.zero_grad()
        loss = torch.zeros(())
        for part, share in self.passes(self.order[update]):
            of_part = self.loss(part) * share
            self.manual_backward(of_part)
            loss += of_part.detach().cpu()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm)
        if not torch.isfinite(norm):
            raise UserError(
                f"the reward model's gradient is no longer a number at update {self.updates_done + 1}; try a "
                "smaller recipe.learning_rate"
            )
        optimizer.step()
        beat("training the reward model")
        schedule = self.lr_schedulers()
        schedule.step()
        self.updates_done += 1
        self.sums["rm/loss"] += loss.item() / self.updates_per_epoch
        if update % 25 == 24:
            spent, total = time.perf_counter() - self.epoch_started, self.updates_per_epoch * self.epochs
            self.report(
                f"reward model: update {self.updates_done}/{total}, loss {loss.item():.3f}, {spent:.0f} s this epoch"
            )
        if update == self.updates_per_epoch - 1:
            self.end_epoch()

    def passes(self, numbers: list[int]) -> list[tuple[list[int], float]]:
        """These examples in passes that fit, each with its share of the questions."""
        if self.tokens is None:
            return [(numbers, 1.0)]
        asked = [len(self.rows[i].questions) for i in numbers]
        parts = batches_by_length([self.rows[i] for i in numbers], self.tokens)
        if len(parts) == 1:
            return [(numbers, 1.0)]
        return [([numbers[k] for k in part], sum(asked[k] for k in part) / sum(asked)) for part in parts]

    def loss(self, numbers: list[int]) -> Tensor:
        """The loss of these examples: the mean over their questions."""
        batch = pack([self.rows[i] for i in numbers], self.judge.policy.pad_id)
        labels = torch.tensor([label for i in numbers for label in self.examples.train[i].labels])
        r = self.judge.read(self.judge.hidden(batch), batch)
        return yes_no_loss(r, labels.to(r.device))

    def end_epoch(self) -> None:
        """Measures on the held-out responses, before Lightning's end-of-epoch hooks save."""
        self.steps_done += 1
        trained = time.perf_counter()
        if self.recipe.triples is not None:
            measured = rm_triples.measure(self.judge, self.examples.held_out)
        else:
            measured = rm_metrics.measure(self.judge, self.task, self.examples.held_out)
        self.metrics = self.sums | measured | {
            "time/update_s": trained - self.epoch_started,
            "time/eval_s": time.perf_counter() - trained,
        }  # fmt: skip
        self.judge.notes = {
            "kind": "principle",
            "recipe": self.recipe.described(),
            **({"task": self.task.name} if self.recipe.triples is None else {}),
            "counts": self.examples.training.counts,
            "yes_rate": self.examples.training.yes_rate,
            "epochs": self.steps_done,
            "seconds_data": round(self.data_s, 1),
            "held_out": measured,
        }
        if self.journal is not None:
            self.journal.row({"kind": "update", "step": self.steps_done, "update": self.updates_done, **self.metrics})
        if self.steps_done == self.epochs and self.journal is not None:
            facts = measured | self.examples.training.measures
            self.journal.row({"kind": "eval", "step": self.steps_done, "phase": "after", **facts})
            self.journal.row({"kind": "reward_model", "step": self.steps_done, **held_out_row(measured)})
        if self.steps_done == self.epochs:
            shown = (
                rm_triples.table(measured) if self.recipe.triples is not None
                else rm_metrics.table(measured, self.task.principles())
            )  # fmt: skip
            self.report(f"reward model on held-out prompts\n{shown}")
            if self.folder is not None:
                self.judge.save(self.folder)
                self.report(f"reward model cached at {self.folder}")

    def configure_optimizers(self) -> Any:
        r = self.recipe
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=r.learning_rate, betas=(0.9, 0.98), weight_decay=r.weight_decay
        )
        rate = learning_rate(r.rise_steps, self.updates_per_epoch * self.epochs)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, rate)}

    # -- resume --------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["crucible"] = {
            "steps_done": self.steps_done,
            "updates_done": self.updates_done,
            "random": random_state(),
            "notes": json.loads(json.dumps(self.judge.notes)),  # plain values: written only when all epochs are done
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["crucible"]
        self.steps_done, self.updates_done = state["steps_done"], state["updates_done"]
        restore_random_state(state["random"])
        self.judge.notes = state["notes"]


def _from_scratch(policy: Policy) -> bool:
    """A character vocabulary, whose questions would be long: words are worth a token each."""
    return len(policy.tokenizer) < 1000


def trained_judge(
    *, task: Any, policy: Policy, cache_dir: str | Path, recipe: RewardModelRecipe, report: Callable[[str], None]
) -> Judge:
    """The reward model of this recipe: from the cache, else trained now and put there."""
    from crucible.modules.trainer import lightning_trainer

    folder = cache_folder(cache_dir, recipe=recipe, task=task, policy=policy)
    if (folder / "reward_model.json").is_file():
        report(f"reward model taken from {folder}")
        return Judge.load(folder)
    report(f"no reward model yet: training one first, to be cached at {folder}")
    module = RewardModel(task=task, policy=policy, report=report, cache_dir=cache_dir, recipe=recipe)
    with torch.random.fork_rng():
        lightning_trainer(module=module, accelerator="cpu" if policy.device.type == "cpu" else "auto").fit(module)
    return Judge.load(folder)
