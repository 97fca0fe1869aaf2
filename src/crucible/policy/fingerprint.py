"""A hash of what a model has learned: equal weights, equal hash, wherever they came from."""

from __future__ import annotations

from hashlib import blake2b

import torch

from crucible.policy.policy import Policy


def fingerprint(policy: Policy) -> str:
    """24 hex digits over names, shapes and values of all weights."""
    digest = blake2b(digest_size=12)
    for name, weight in sorted(policy.model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
