"""`trainer=trl`: the same module, prompts, rollouts, rewards and run directory, with TRL's GRPOTrainer as the loop.

    TRL asks for rollouts      -> the module draws prompts, samples, scores and computes advantages (OnlineRL)
    TRL asks for rewards       -> those of the same rows
    TRL computes its loss      -> or calls the module's objective, see crucible.trl.plan
    TRL clips and steps        -> the run's AdamW and warm-up
    TRL has logged an update   -> the module writes its row; at the end of a step: evaluation, checkpoint, stop

One epoch of TRL's is one rollout step: its data set holds only the numbers of the prompts of one step.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from crucible.ahead import looks_ahead
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.modules.seeds import derived_seed
from crucible.trl.plan import Plan, planned
from crucible.trl.refuse import refuse, refuse_other_trl

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from crucible.modules.online_rl import OnlineRL


@looks_ahead(refuse)
@needs(
    algo=["OnlineRL"],
    min_samples_per_prompt=2,
    because="TRL's GRPOTrainer learns from groups of completions that the policy samples; others need trainer=default",
)
def trl(
    *,
    module: OnlineRL,
    config: Any,
    callbacks: Iterable[Callback] = (),
    objective: Literal["auto", "trl", "crucible"] = "auto",
    compare_steps: Annotated[int, ">= 0"] = 1,
    rows_per_pass: Annotated[int, ">= 1"] | None = None,
    accelerator: Literal["auto", "cpu"] = "auto",
    threads: Annotated[int, ">= 1"] | None = None,
    deterministic: bool = True,
) -> TRLLoop:
    """What has Lightning's `fit`, and TRL inside: one process, float32. `config` is the run's."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    plan = planned(config["algo"], config["entropy"], objective)
    module.journal.report(plan.in_words(refuse_other_trl()))
    return TRLLoop(module, list(callbacks), plan, compare_steps, rows_per_pass, accelerator)


class TRLLoop:
    """`callbacks`, `should_stop` and `save_checkpoint` are what the run's callbacks know of a trainer."""

    def __init__(
        self,
        module: OnlineRL,
        callbacks: list[Any],
        plan: Plan,
        compare_steps: int,
        rows_per_pass: int | None,
        accelerator: str,
    ):
        self.module, self.callbacks, self.plan = module, callbacks, plan
        self.compare_steps, self.rows_per_pass, self.accelerator = compare_steps, rows_per_pass, accelerator
        self.should_stop = False
        self.random: dict[str, Any] | None = None  # the global random states of the checkpoint that is gone on from

    def fit(self, module: OnlineRL, ckpt_path: Path | None = None, weights_only: bool = True) -> None:
        """Trains to the end, or to where a callback stops it; from a checkpoint exactly as if never stopped."""
        from crucible.trl.run import TRLRun

        with tempfile.TemporaryDirectory() as folder:
            options = self.grpo_config(folder)
            module.model.to(options.device)
            self.optimizer, self.schedule = module.optim.build(module.model.parameters())
            if ckpt_path is not None:
                self.restore(ckpt_path)
            options.max_steps = (module.epochs - module.steps_done) * module.batch.updates_per_rollout
            if options.max_steps == 0:
                return
            self.trainer(options, TRLRun(self, module, self.plan, self.compare_steps)).train()

    def trainer(self, options: Any, run: Any) -> Any:
        """TRL's, for the module's model."""
        from transformers import PrinterCallback

        from crucible.trl.adapter import Trainer

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*rollout_func.*")
            trainer = Trainer(
                run=run, model=self.module.model, args=options, processing_class=self.module.policy.tokenizer,
                train_dataset=self.numbers(), reward_funcs=run.reward, rollout_func=run.rollout,
                callbacks=[run], optimizers=(self.optimizer, self.schedule),
            )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        return trainer

    def numbers(self) -> Any:
        """TRL's data set: as many rows as a step has prompts. What they stand for is drawn when TRL asks for rollouts,
        so a sampler may learn from the scores of the step before."""
        from datasets import Dataset

        return Dataset.from_dict({"prompt": [f"prompt {i}" for i in range(self.module.batch.prompts_per_step)]})

    def grpo_config(self, folder: str) -> Any:
        """The run's options in TRL's words. What is not mapped is turned off."""
        from trl import GRPOConfig

        batch, sampling, optim = self.module.batch, self.module.sampling, self.module.optim
        rows, passes = self.passes()
        own = self.plan.loss or {}
        return GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=rows,
            gradient_accumulation_steps=passes,
            steps_per_generation=passes * batch.updates_per_rollout,
            num_generations=batch.samples_per_prompt,
            num_iterations=1,
            max_completion_length=sampling.max_tokens,
            temperature=sampling.temperature,
            beta=0.0,
            scale_rewards=self.plan.scale_rewards or "none",
            **own,
            mask_truncated_completions=False,
            shuffle_dataset=False,
            max_steps=1,
            learning_rate=optim.lr,  # of the optimiser and schedule that are handed over
            max_grad_norm=optim.max_grad_norm if optim.max_grad_norm is not None else float("inf"),
            seed=derived_seed(self.module.seed, "trl") % 2**32,
            use_cpu=self.accelerator == "cpu",
            bf16=False,
            gradient_checkpointing=False,
            dataloader_pin_memory=False,
            save_strategy="no",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
        )

    def passes(self) -> tuple[int, int]:
        """(rows in a forward pass, passes of an update). TRL counts rows, the run tokens. Crucible's own objective cuts
        its micro-batches itself: one pass."""
        rows = self.module.batch.completions_per_update
        if self.plan.loss is None:
            return rows, 1
        most = self.rows_per_pass
        if most is None:
            policy, task = self.module.policy, self.module.task
            longest = max(map(len, policy.token_ids(list(task.eval_prompts()))))
            most = self.module.batch.micro_batch_tokens // (longest + self.module.sampling.max_tokens)
        fitting = max(n for n in range(1, rows + 1) if rows % n == 0 and n <= max(most, 1))
        return fitting, rows // fitting

    # -- checkpoints: Lightning's names, so that a run directory is one kind of thing -------------

    def save_checkpoint(self, path: Path) -> None:
        import torch

        checkpoint: dict[str, Any] = {
            "state_dict": self.module.state_dict(),
            "optimizer_states": [self.optimizer.state_dict()],
            "lr_schedulers": [self.schedule.state_dict()],
            "trl": refuse_other_trl(),
        }
        self.module.on_save_checkpoint(checkpoint)
        torch.save(checkpoint, path)

    def restore(self, path: Path) -> None:
        """The global random states are set again when TRL's own set-up is over, see TRLRun.on_train_begin."""
        import torch

        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if "trl" not in checkpoint:
            raise UserError(f"{path} was saved by another trainer; go on with trainer=default, or under another run_id")
        self.module.load_state_dict(checkpoint["state_dict"])
        self.module.on_load_checkpoint(checkpoint)
        self.optimizer.load_state_dict(checkpoint["optimizer_states"][0])
        self.schedule.load_state_dict(checkpoint["lr_schedulers"][0])
        self.random = checkpoint["crucible"]["random"]
