"""An OpenAI-compatible server on this machine: a judge that follows rules, and fails as it is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from crucible.rewards.judge.endpoint import Endpoint
from crucible.rewards.judge.template import Template
from tests.conftest import ROOT


class Server:
    """`script` holds what happens to the next requests: "ok" or a failure; after it every request is answered."""

    def __init__(self, judge: Callable[[str], str]):
        self.judge, self.script, self.models = judge, list[str](), ["judge-1"]
        self.asked, self.headers = list[str](), list[dict[str, str]]()
        self.bodies = list[dict[str, Any]]()
        self.under_way = self.most_under_way = 0
        self.lock, self.released = threading.Lock(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer.headers.append(dict(self.headers))
                self.send(200, json.dumps({"data": [{"id": name} for name in outer.models]}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.under_way += 1
                    outer.most_under_way = max(outer.most_under_way, outer.under_way)
                    text = body["messages"][-1]["content"]
                    outer.asked.append(text)
                    outer.bodies.append(body)
                    outer.headers.append(dict(self.headers))
                    what = outer.script.pop(0) if outer.script else "ok"
                try:
                    self.answer(what, text)
                finally:
                    with outer.lock:
                        outer.under_way -= 1

            def answer(self, what: str, text: str) -> None:
                whole = reply(outer.judge(text))
                if what == "ok":
                    self.send(200, whole)
                elif what == "slow":
                    outer.released.wait(0.05)
                    self.send(200, whole)
                elif what == "hang":
                    outer.released.wait(20)
                elif what == "drip":  # a byte now and then: no read ever times out
                    self.send_response(200)
                    self.end_headers()
                    for _ in range(200):
                        if outer.released.wait(0.05):
                            return
                        self.wfile.write(b" ")
                        self.wfile.flush()
                elif what == "reset":
                    self.connection.close()
                elif what == "cut":
                    self.send(200, whole[: len(whole) // 2], promised=len(whole))
                elif what == "garbage":
                    self.send(200, "<html>busy</html>")
                elif what == "empty":
                    self.send(200, json.dumps({"choices": []}))
                elif what == "wait":
                    self.send(429, '{"error": "slow down"}', headers={"Retry-After": "1"})
                else:
                    self.send(int(what), json.dumps({"error": {"message": f"no, {self.headers.get('Authorization')}"}}))

            def send(self, status: int, text: str, *, promised: int = 0, headers: dict[str, str] | None = None) -> None:
                content = text.encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(promised or len(content)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def endpoint(self, **options: Any) -> Endpoint:
        return Endpoint(**({"url": self.url, "model": "judge-1", "timeout": 5.0, "backoff": 0.01} | options))


@contextmanager
def serving(judge: Callable[[str], str]) -> Iterator[Server]:
    server = Server(judge)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        server.http.server_close()


def reply(text: str) -> str:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})


def template(name: str, **options: Any) -> Template:
    """One of conf/reward/template."""
    node = yaml.safe_load((ROOT / "conf" / "reward" / "template" / f"{name}.yaml").read_text())
    node.pop("_target_")
    return Template(**(node | options))


def field(text: str, name: str) -> str:
    """What a careful reader takes for the content of a field: up to the next line with the first line's mark."""
    mark = re.search(r"--- question (\w+) ---", text)
    assert mark is not None
    found = re.search(rf"--- {name} {mark[1]} ---\n(.*?)\n--- [\w ]+ {mark[1]} ---", text, re.DOTALL)
    assert found is not None
    return found[1]


def exact_judge(text: str) -> str:
    """Right where the response is the reference answer."""
    return r"\boxed{A}" if field(text, "response") == field(text, "reference answer") else r"so it is \boxed{B}"
