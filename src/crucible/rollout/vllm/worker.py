"""What vLLM's workers need to take weights from a trainer; a server is told of it by --worker-extension-cls."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from crucible.rollout.vllm.stream import received

EXTENSION = "crucible.rollout.vllm.worker.WeightReceiver"
FETCH_S = 600.0  # between two reads of the stream


class WeightReceiver:
    """Mixed into vLLM's worker. Its methods are called by name: in the same process, or through /collective_rpc."""

    vllm_config: Any
    reload_weights: Any
    get_model: Any

    def crucible_about(self) -> dict[str, Any]:
        """What a trainer has to know of a server that it has not started."""
        model = self.vllm_config.model_config
        return {"logprobs_mode": str(model.logprobs_mode), "dtype": str(model.dtype)}

    def crucible_load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> int:
        """Returns how many tensors there were."""
        tensors = 0

        def counted() -> Iterator[tuple[str, Tensor]]:
            nonlocal tensors
            for pair in weights:
                tensors += 1
                yield pair

        self.reload_weights(weights_iterator=counted())
        for module in self.get_model().modules():
            # on the CPU a matrix is packed when it is loaded, which an output layer that shares the embedding's is not
            if type(module).__name__ == "ParallelLMHead" and hasattr(module, "cpu_linear"):
                module.quant_method.process_weights_after_loading(module)
        return tensors

    def crucible_fetch_weights(self, host: str, port: str, token: str) -> dict[str, int]:
        """Connects to the trainer and loads what it sends; nothing is written to a disk."""
        with socket.create_connection((host, int(port)), timeout=FETCH_S) as connection:
            connection.sendall(token.encode() + b"\n")
            with connection.makefile("rb", buffering=1 << 20) as source:
                return {"tensors": self.crucible_load_weights(received(source))}
