"""Weights over a socket: each tensor as a line of JSON (name, type, shape) and its bytes; an empty line ends them.

Read by the worker of a server, which may have another environment than the trainer: only torch is needed here.
"""

from __future__ import annotations

import hmac
import json
import math
import secrets
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Weights = Iterable[tuple[str, Tensor]]
LONGEST_LINE = 10_000  # bytes of a header
QUIET_S = 60.0  # without a byte being taken, after which a connection is given up


def send(out: Any, weights: Weights) -> int:
    """`out` is a binary file. Returns how many tensors there were."""
    number = 0
    for name, tensor in weights:
        plain = tensor.detach().cpu().contiguous()
        header = json.dumps([name, str(plain.dtype).removeprefix("torch."), list(plain.shape)])
        out.write(header.encode() + b"\n")
        out.write(plain.reshape(-1).view(torch.uint8).numpy().data)
        number += 1
    out.write(b"\n")
    out.flush()
    return number


def received(source: Any) -> Iterator[tuple[str, Tensor]]:
    """`source` is a binary file. One tensor at a time. Errors: EOFError where the stream ends before its end."""
    while True:
        line = source.readline(LONGEST_LINE)
        if line == b"\n":
            return
        if not line.endswith(b"\n"):
            raise EOFError("the stream of weights ended in the middle")
        name, kind, shape = json.loads(line)
        dtype = getattr(torch, kind)
        content = bytearray(math.prod(shape) * dtype.itemsize)
        rest = memoryview(content)
        while len(rest):
            read = source.readinto(rest)
            if not read:
                raise EOFError(f"the stream of weights ended in {name}")
            rest = rest[read:]
        yield name, (torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)).view(shape)


class Offer:
    """Where the weights can be fetched, and how often they were; `problem`: what went wrong on this side."""

    def __init__(self, host: str, port: int, token: str):
        self.host, self.port, self.token = host, port, token
        self.tensors: list[int] = []  # of each time
        self.problem: Exception | None = None


@contextmanager
def offered(address: str, weights: Callable[[], Weights]) -> Iterator[Offer]:
    """Whoever connects to the offer and knows its token is sent `weights()`, while the body lasts.

    `address` is this machine's, as the server sees it; each worker of a server fetches all weights.
    """
    token = secrets.token_hex(16)

    class Fetch(socketserver.StreamRequestHandler):
        wbufsize, timeout = 1 << 20, QUIET_S

        def handle(self) -> None:
            if not hmac.compare_digest(self.rfile.readline(80).strip(), token.encode()):
                return
            try:
                offer.tensors.append(send(self.wfile, weights()))
            except Exception as error:  # told to the body: this thread has nobody who listens
                offer.problem = error

    class Server(socketserver.ThreadingTCPServer):  # leaving it waits for what is being sent
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that broke off is the other side's to report."""

    with Server((address, 0), Fetch) as server:
        offer = Offer(address, server.server_address[1], token)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield offer
        finally:
            server.shutdown()
