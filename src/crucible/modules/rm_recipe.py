"""The options of a principle-conditioned reward model: its feedback, its training, its place in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crucible.errors import UserError

if TYPE_CHECKING:
    from crucible.feedback.embed import Embedder

_SHARES = ("demonstration_share", "sample_share", "own_words_rate", "reword_rate", "fabrication_rate")
_COUNTS = ("responses", "epochs", "batch_responses", "held_out_responses", "max_tokens")


@dataclass(frozen=True, kw_only=True)
class RewardModelRecipe:
    """How the miniature reward model is made. Paper: 2509.21319; its optimisation settings were not found.

    Feedback: `responses` answers to training prompts, of which `demonstration_share` are demonstrations and
    `sample_share` are samples of the start policy (at most `max_tokens` long), the rest flawed by program;
    one simulated annotator for each of `error_rates`; the extractor's `own_words_rate`, `reword_rate`,
    `fabrication_rate`; `evidence_threshold` (paper: 60, strict), `tau` (paper: 0.8, strict), `embedder`.
    Training: `epochs` over the responses, `batch_responses` in a step; AdamW with `learning_rate`, rising
    over `rise_steps`, then a cosine down to a twentieth.
    Proofreading (ours, see rm_proofreader; 0 = off): `proofread_updates` of 64 demonstrations make the
    proofreader, which marks tokens it gives a probability below `proofread_threshold`.
    Errors: UserError for values out of range.
    """

    embedder: Embedder
    responses: int = 16000
    held_out_responses: int = 1024
    demonstration_share: float = 0.3
    sample_share: float = 0.4
    max_tokens: int = 32
    error_rates: Sequence[float] = (0.03, 0.08, 0.15)
    own_words_rate: float = 0.05
    reword_rate: float = 0.3
    fabrication_rate: float = 0.022
    evidence_threshold: float = 60.0
    tau: float = 0.8
    epochs: int = 2
    batch_responses: int = 64
    learning_rate: float = 2e-3
    rise_steps: int = 20
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    proofread_updates: int = 250
    proofread_threshold: float = 0.3
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


SOURCES = ("feedback/*.py", "modules/rm_*.py", "modules/reward_model.py", "policy/*.py", "rollout/*.py")


def cache_folder(cache_dir: str | Path, *, recipe: RewardModelRecipe, task: Any, policy: Any) -> Path:
    """Where the reward model of this recipe, task, start policy and code is kept."""
    import json
    from hashlib import blake2b

    from crucible.policy import warmup_cache

    root = Path(__file__).parents[1]
    digest = blake2b(digest_size=8)
    described = {"recipe": recipe.described(), "task": warmup_cache.signature(task)}
    digest.update(json.dumps(described, sort_keys=True, default=str).encode())
    package = type(task).__module__.rpartition(".")[0]
    files = {f for pattern in SOURCES for f in root.glob(pattern)}
    if package.startswith("crucible."):
        files |= set(root.joinpath(*package.split(".")[1:]).glob("*.py"))
    for file in sorted(files):
        digest.update(file.name.encode() + file.read_bytes())
    for name, weight in sorted(policy.model.state_dict().items()):
        digest.update(name.encode() + weight.detach().float().cpu().numpy().tobytes())
    return Path(cache_dir) / "reward_model" / digest.hexdigest()
