"""The candidate's process: loads a program and answers calls. Nothing it says is trusted, and it knows no answers."""

from __future__ import annotations

import builtins
import json
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

import frames
import values

LOADED = b'{"loaded": true}'
# what a judge may ask of an object that is not plain data; none of them is given anything that could be an answer
SPECIAL: dict[str, Callable[..., Any]] = {
    "iter": iter, "next": next, "len": len, "str": str, "repr": repr, "bool": bool, "int": int, "float": float,
    "index": operator.index, "getitem": operator.getitem, "setitem": operator.setitem, "delitem": operator.delitem,
}  # fmt: skip


class Candidate:
    def __init__(self, module: types.ModuleType, descriptor: int):
        self.module, self.descriptor = module, descriptor
        self.objects: dict[int, Any] = {}
        self.known: dict[int, int] = {}

    def serve(self) -> None:
        """Until the judge has gone."""
        while True:
            self.answer(json.loads(frames.read_frame(self.descriptor)))

    def answer(self, request: dict[str, Any]) -> None:
        try:
            reply = self.do(request)
            sys.stdout.flush()  # the process will be killed, not ended
            body = json.dumps(reply).encode()
        except BaseException as error:
            body = json.dumps({"raised": raised(error)}).encode()
        frames.write_frame(self.descriptor, body)

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        op = request["op"]
        if op == "call":
            target = self.decode(request["target"])
            arguments = [self.decode(a) for a in request["args"]]
            value = target(*arguments, **{k: self.decode(v) for k, v in request["kwargs"].items()})
            reply = {"value": self.encode(value)}
            if request.get("by_reference"):
                reply["args"] = [self.encode(a) for a in arguments]
            return reply
        target, arguments = self.decode(request["target"]), [self.decode(a) for a in request["args"]]
        if op == "get":
            return {"value": self.encode(target)}
        if op == "getattr":
            return {"value": self.encode(getattr(target, *arguments))}
        if op == "setattr":
            setattr(target, *arguments)
            return {"value": None}
        return {"value": self.encode(SPECIAL[op](target, *arguments))}

    def encode(self, value: Any) -> Any:
        return values.encode(value, self.keep)

    def keep(self, value: Any) -> list[Any]:
        """A number in place of what is not plain data; the object stays here."""
        if isinstance(value, Callback):
            return ["callback", value.number]
        number = self.known.setdefault(id(value), len(self.objects))
        self.objects[number] = value
        return ["object", number, type(value).__name__]

    def decode(self, data: Any) -> Any:
        return values.decode(data, self.find)

    def find(self, data: list[Any]) -> Any:
        kind, key = data[0], data[1]
        if kind == "callback":
            return Callback(self, key)
        if kind == "object":
            return self.objects[key]
        if kind == "type":
            return values.TYPES[key]
        if key in vars(self.module):
            return vars(self.module)[key]
        raise NameError(f"name {key!r} is not defined")


class Callback:
    """A function of the tests, as the program sees it. Calling it runs it over there."""

    def __init__(self, candidate: Candidate, number: int):
        self.candidate, self.number = candidate, number

    def __call__(self, *args: Any) -> Any:
        candidate = self.candidate
        request = {"op": "callback", "number": self.number, "args": [candidate.encode(a) for a in args]}
        frames.write_frame(candidate.descriptor, json.dumps(request).encode())
        while True:
            message = json.loads(frames.read_frame(candidate.descriptor))
            if "op" in message:
                candidate.answer(message)
            elif "raised" in message:
                name, _, text = message["raised"]
                kind = getattr(builtins, name, RuntimeError)
                raise kind(text)
            else:
                return candidate.decode(message["value"])


def raised(error: BaseException) -> list[Any]:
    """An exception as data: its type's name, the names of the built-in types above it, its text."""
    kind = type(error)
    try:
        text = str(error)[:500]
    except BaseException:
        text = "(its text could not be read)"
    return [kind.__name__, [base.__name__ for base in kind.__mro__ if base.__module__ == "builtins"], text]


def load(source: str, filename: str, box: str, descriptor: int) -> None:
    """Run the program as a module, say how that went, then serve. Never returns."""
    import os

    module = types.ModuleType("solution")
    module.__file__ = filename
    vars(module)["__builtins__"] = builtins
    sys.modules["solution"] = module
    sys.argv = [filename]
    sys.path.insert(0, box)
    try:
        exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)
        frames.write_frame(descriptor, LOADED)
    except BaseException as error:
        frames.write_frame(descriptor, json.dumps({"raised": raised(error)}).encode())
        os._exit(0)
    try:
        Candidate(module, descriptor).serve()
    finally:
        os._exit(0)
