"""Drawing one token a row from logits, with noise that belongs to the row and not to the batch."""

from __future__ import annotations

import torch
from torch import Tensor


def noise(rows: int, tokens: int, seed: int) -> Tensor:
    """(rows, tokens) uniform numbers in [0, 1), float64, on the CPU: one for each token to be drawn.

    Made from `seed` alone, apart from the global generator and the same on every device. Row i always
    uses row i of it, whatever the batching.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, tokens, dtype=torch.float64, generator=generator)


def draw(logits: Tensor, uniform: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """One token a row by inversion of the cumulative distribution softmax(logits / temperature).

    `logits` (R, V), `uniform` (R,) in [0, 1) -> tokens (R,) int64 and their log-probabilities (R,) at
    that temperature. The sum runs in float64, so that even a token of probability 1e-9 gets its share.
    Temperature 0 takes the most probable token; its log-probability is then that at temperature 1.
    """
    logits = logits.float()
    if temperature > 0 and temperature != 1.0:
        logits = logits / temperature
    log_probs = logits.log_softmax(-1)
    if temperature == 0:
        tokens = log_probs.argmax(-1)
    else:
        cumulative = log_probs.exp().cumsum(-1, dtype=torch.float64)
        point = uniform[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, point, right=True).squeeze(-1)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)  # rounding of the last product only
    return tokens, log_probs.gather(-1, tokens[:, None]).squeeze(-1)
