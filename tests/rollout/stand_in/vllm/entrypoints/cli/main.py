"""Stands in for vLLM's command line: a server that answers in vLLM's words, with tokens made of the seed alone.

Put in front of the path of a server that is started, so that its life can be tested where there is no vLLM.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import prod
from typing import Any


def fetched(where: dict[str, str]) -> int:
    """The number of tensors that a trainer sent, all of float32."""
    tensors = 0
    with socket.create_connection((where["host"], int(where["port"]))) as connection:
        connection.sendall(where["token"].encode() + b"\n")
        with connection.makefile("rb") as source:
            while (line := source.readline()) != b"\n":
                _, kind, shape = json.loads(line)
                assert kind == "float32"
                assert len(source.read(4 * prod(shape))) == 4 * prod(shape)
                tensors += 1
    return tensors


def completion(request: dict[str, Any]) -> dict[str, Any]:
    time.sleep(0.3)
    rows = [[6 + (request["seed"] + i + t) % 40 for t in range(request["max_tokens"])] for i in range(request["n"])]
    choices = [
        {"index": i, "token_ids": ids, "logprobs": {"token_logprobs": [-1.0] * len(ids)}, "finish_reason": "length"}
        for i, ids in enumerate(rows)
    ]
    return {"choices": choices[::-1]}


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        found: Any = {}
        if self.path == "/collective_rpc":
            found = {"results": [{"tensors": fetched(body["kwargs"])}]}
        elif self.path == "/reset_prefix_cache":
            found = {"success": True}
        elif self.path == "/v1/completions":
            found = completion(body)
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        """Not in its log."""


def main() -> None:
    if "--fail" in sys.argv:
        print("INFO starting\nValueError: this model cannot be served\nRuntimeError: Engine core did not start")
        raise SystemExit(1)
    port = int(sys.argv[sys.argv.index("--port") + 1])
    print(" ".join(sys.argv), flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
