"""The weights a policy had some rollout steps ago, for sampling with a lag."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class PastWeights:
    """Copies of the weights at the last `lag` + 1 versions, the current one among them. Starts with version 0."""

    def __init__(self, model: nn.Module, lag: int) -> None:
        self.model = model
        self._copies: deque[tuple[int, dict[str, Tensor]]] = deque(maxlen=lag + 1)
        self.add(0)

    def add(self, version: int) -> None:
        """Keeps the weights as they are now; the oldest copy goes when there is one too many."""
        self._copies.append((version, {n: p.detach().clone() for n, p in self.model.named_parameters()}))

    @contextmanager
    def in_place(self) -> Iterator[int]:
        """The oldest weights kept are the model's while it lasts; gives their version."""
        version, weights = self._copies[0]
        parameters = dict(self.model.named_parameters())
        current = {name: p.data for name, p in parameters.items()}
        try:
            for name, p in parameters.items():
                p.data = weights[name].to(p.device)
            yield version
        finally:
            for name, p in parameters.items():
                p.data = current[name]

    def state_dict(self) -> list[dict[str, Any]]:
        return [{"version": version, "weights": weights} for version, weights in self._copies]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        self._copies.clear()
        for kept in state:
            self._copies.append((int(kept["version"]), {n: torch.as_tensor(w) for n, w in kept["weights"].items()}))
