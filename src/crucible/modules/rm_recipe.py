"""The options of a principle-conditioned reward model: its feedback, its training, its place in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from crucible.errors import UserError, expanded
from crucible.modules.options import AdamW

if TYPE_CHECKING:
    import torch

    from crucible.feedback.embed import Embedder

_SHARES = ("demonstration_share", "sample_share", "own_words_rate", "reword_rate", "fabrication_rate")
_COUNTS = ("responses", "epochs", "batch_responses", "held_out_responses", "max_tokens", "responses_per_prompt")


@dataclass(frozen=True, kw_only=True)
class RewardModelRecipe:
    """How the miniature reward model is made. Paper: 2509.21319; its optimisation settings were not found.

    Feedback: `responses` answers to training prompts, of which `demonstration_share` are demonstrations and
    `sample_share` are samples of the start policy (at most `max_tokens` long), the rest flawed by program; prompts of
    those written by program get `responses_per_prompt` of them (paper: 2), samples four each; with `principle` only the
    triples about that one, which are then worded alike (the paper's ablation "one fixed principle"). `triples`: no
    feedback is made, and all of the above is not used; a file, folder or OWNER/NAME#config holds the triples;
    one simulated annotator for each of `error_rates`; the extractor's `own_words_rate`, `reword_rate`,
    `fabrication_rate`; `evidence_threshold` (paper: 60, strict), `tau` (paper: 0.8, strict), `embedder`.
    Training: `epochs` over the responses, `batch_responses` in a step; AdamW with `learning_rate`, rising
    over `rise_steps`, then a cosine down to a twentieth.
    Proofreading (ours, see rm_proofreader; 0 = off): `proofread_updates` of 64 demonstrations make the
    proofreader, which marks tokens it gives a probability below `proofread_threshold`.
    Errors: UserError for values out of range.
    """

    embedder: Embedder
    responses: Annotated[int, ">= 1"] = 16000
    held_out_responses: Annotated[int, ">= 1"] = 1024
    demonstration_share: Annotated[float, "0 to 1"] = 0.3
    sample_share: Annotated[float, "0 to 1"] = 0.4
    max_tokens: Annotated[int, ">= 1"] = 32
    responses_per_prompt: Annotated[int, ">= 1"] = 1
    principle: str | None = None
    triples: str | None = None
    error_rates: Sequence[float] = (0.03, 0.08, 0.15)
    own_words_rate: Annotated[float, "0 to 1"] = 0.05
    reword_rate: Annotated[float, "0 to 1"] = 0.3
    fabrication_rate: Annotated[float, "0 to 1"] = 0.022
    evidence_threshold: Annotated[float, ">= 0, < 100"] = 60.0
    tau: Annotated[float, ">= -1, < 1"] = 0.8
    epochs: Annotated[int, ">= 1"] = 2
    batch_responses: Annotated[int, ">= 1"] = 64
    learning_rate: Annotated[float, "> 0"] = 2e-3
    rise_steps: Annotated[int, ">= 0"] = 20
    weight_decay: Annotated[float, ">= 0"] = 0.01
    max_grad_norm: Annotated[float, "> 0"] = 1.0
    proofread_updates: Annotated[int, ">= 0"] = 250
    proofread_threshold: Annotated[float, "> 0, < 1"] = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise UserError(f"reward model: {name}={getattr(self, name)} must be at least 1")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"reward model: {name}={getattr(self, name)} must be between 0 and 1")
        if self.responses < self.batch_responses:
            raise UserError(
                f"reward model: responses={self.responses} do not fill one batch of batch_responses="
                f"{self.batch_responses}"
            )
        if len(self.error_rates) < 2 or not all(0 <= rate <= 1 for rate in self.error_rates):
            raise UserError(
                f"reward model: error_rates={list(self.error_rates)} must be two or more shares from 0 to 1, one for "
                "each annotator: consensus is between people"
            )
        if self.demonstration_share + self.sample_share > 1:
            raise UserError(
                f"reward model: demonstration_share={self.demonstration_share} and sample_share={self.sample_share} "
                "must not be more than 1 together"
            )
        if self.learning_rate <= 0 or self.proofread_updates < 0:
            raise UserError("reward model: learning_rate must be above 0 and proofread_updates at least 0")
        if not -1 <= self.tau < 1 or not 0 <= self.evidence_threshold < 100:
            raise UserError(
                f"reward model: tau={self.tau} must be a cosine below 1, evidence_threshold="
                f"{self.evidence_threshold} a percentage below 100"
            )

    def described(self) -> dict[str, Any]:
        """Plain values for the cache key and reward_model.json."""
        plain = {k: list(v) if isinstance(v, Sequence) else v for k, v in vars(self).items() if k != "embedder"}
        options = {k: v for k, v in vars(self.embedder).items() if not k.startswith("_")}
        return plain | {"embedder": f"{type(self.embedder).__name__} {options}"}


def learning_rate(rise_steps: int, total: int) -> Callable[[int], float]:
    """The share of the learning rate at update n: a linear rise, and a cosine down to a twentieth at `total`."""

    def rate(n: int) -> float:
        rise = min(1.0, (n + 1) / max(1, rise_steps))
        return rise * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, n / total))))

    return rate


@dataclass(frozen=True, kw_only=True)
class CosineAdamW(AdamW):
    """The optimiser of a recipe, for modules that take a run's."""

    total: int

    @classmethod
    def of(cls, recipe: RewardModelRecipe, total: int) -> CosineAdamW:
        return cls(
            lr=recipe.learning_rate, warmup_updates=recipe.rise_steps, weight_decay=recipe.weight_decay, beta1=0.9,
            beta2=0.98, max_grad_norm=recipe.max_grad_norm, total=total,
        )  # fmt: skip

    def build(
        self, parameters: Iterable[torch.nn.Parameter], *more: dict[str, Any]
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        import torch

        optimizer, _ = super().build(parameters, *more)
        for group in optimizer.param_groups:  # a schedule that was made sets the rate of the first update
            group["lr"] = self.lr
            group.pop("initial_lr", None)
        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate(self.warmup_updates, self.total))


SOURCES = ("feedback/*.py", "modules/rm_*.py", "modules/reward_model.py", "policy/*.py", "rollout/*.py")
SCALAR_SOURCES = ("algorithms/reward_models/*.py", "modules/offline.py", "modules/given_rows.py", "modules/deck.py")


def cache_folder(
    cache_dir: str | Path, *, recipe: RewardModelRecipe, task: Any, policy: Any, kind: Mapping[str, Any] | None = None
) -> Path:
    """Where the reward model of this recipe, task, start policy and code is kept; `kind`: of a scalar one."""
    import json
    from hashlib import blake2b

    from crucible.policy import warmup_cache

    root = Path(__file__).parents[1]
    digest = blake2b(digest_size=8)
    described = {"recipe": recipe.described(), "task": warmup_cache.signature(task)}
    if kind is not None:
        described["kind"] = dict(kind)
    digest.update(json.dumps(described, sort_keys=True, default=str).encode())
    package = type(task).__module__.rpartition(".")[0]
    patterns = SOURCES if kind is None else (*SOURCES, *SCALAR_SOURCES)
    files = {f for pattern in patterns for f in root.glob(pattern)}
    if package.startswith("crucible."):
        files |= set(root.joinpath(*package.split(".")[1:]).glob("*.py"))
    for file in sorted(files):
        digest.update(file.name.encode() + file.read_bytes())
    if recipe.triples is not None and (own := expanded(recipe.triples)).is_file():
        digest.update(own.read_bytes())
    for name, weight in sorted(policy.model.state_dict().items()):
        digest.update(name.encode() + weight.detach().float().cpu().numpy().tobytes())
    return Path(cache_dir) / "reward_model" / digest.hexdigest()
