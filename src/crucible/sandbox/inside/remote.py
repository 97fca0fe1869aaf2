"""The program's functions and objects as the tests see them: stand-ins that ask the candidate's process.

An answer is plain data, compared over here, or another stand-in. A stand-in is equal to nothing but itself, is not
ordered and has no arithmetic: it is never asked about a value that could be the expected one.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from typing import Any

import frames
import values

RPC = 3
PARENT, CANDIDATE = b"!", b">"  # first byte of a frame, set over here or by the parent: for whom it is, or from whom
FATAL = ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException")


class Gone(BaseException):
    """The candidate's process has ended, and how. Not an Exception: tests that catch everything do not catch it."""

    def __init__(self, outcome: str, text: str):
        self.outcome, self.text = outcome, text


class Unsupported(BaseException):
    """The tests want what cannot pass between processes. A fault of the suite."""


class Link:
    """The wire to the candidate, by way of the parent. `life` counts the candidate's processes."""

    def __init__(self) -> None:
        self.life = 0
        self.gone: Gone | None = None
        self.callbacks: list[Callable[..., Any]] = []

    def tell_parent(self, message: dict[str, Any]) -> None:
        frames.write_frame(RPC, PARENT + json.dumps(message).encode())

    def ask(self, op: str, target: Any, args: tuple[Any, ...] = (), **more: Any) -> dict[str, Any]:
        if self.gone:  # until the next test, which gets a new process
            raise self.gone
        self._send({"op": op, "target": target, "args": [self.encode(a) for a in args], **more})
        while True:
            try:
                frame = frames.read_frame(RPC)
                reply = json.loads(frame[1:])
                if frame[:1] == PARENT:
                    self.life += 1
                    self.gone = Gone(reply["gone"], reply["text"])
                    raise self.gone
                if reply.get("op", "") == "callback":
                    self._send(self._called_back(reply))
                    continue
                if "raised" in reply:
                    raise _exception(*reply["raised"])
                reply["value"]
                return reply
            except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
                if getattr(error, "of_candidate", False):
                    raise
                raise RuntimeError("the program's answer is not plain data") from None

    def value(self, op: str, target: Any, args: tuple[Any, ...] = (), **more: Any) -> Any:
        return self.decode(self.ask(op, target, args, **more)["value"])

    def _called_back(self, request: dict[str, Any]) -> dict[str, Any]:
        function = self.callbacks[request["number"]]
        args = [self.decode(a) for a in request["args"]]
        try:
            return {"value": self.encode(function(*args))}
        except Unsupported as error:
            return {"raised": ["TypeError", [], str(error)]}
        except Exception as error:
            return {"raised": [type(error).__name__, [], str(error)[:500]]}

    def _send(self, message: dict[str, Any]) -> None:
        frames.write_frame(RPC, CANDIDATE + json.dumps(message).encode())

    def encode(self, value: Any) -> Any:
        return values.encode(value, self._opaque)

    def _opaque(self, value: Any) -> list[Any]:
        if isinstance(value, Remote):
            return object.__getattribute__(value, "_reference")()
        if not callable(value):
            raise Unsupported(f"a {type(value).__name__} of the tests cannot be given to the program: not plain data")
        self.callbacks.append(value)
        return ["callback", len(self.callbacks) - 1]

    def decode(self, data: Any) -> Any:
        try:
            return values.decode(data, self._stand_in)
        except (ValueError, TypeError, RecursionError, OverflowError, MemoryError):
            raise RuntimeError("the program's answer is not plain data") from None

    def _stand_in(self, data: list[Any]) -> Any:
        if data[0] == "callback":
            return self.callbacks[data[1]]
        tag, number, kind = data
        if tag != "object" or not isinstance(number, int) or not isinstance(kind, str):
            raise ValueError("not a plain value")
        return Remote(self, ["object", number], self.life, kind)


class Remote:
    """An object, class or function of the program."""

    __slots__ = ("_kind", "_life", "_link", "_target")

    def __init__(self, link: Link, target: list[Any], life: int | None, kind: str):
        for name, value in {"_link": link, "_target": target, "_life": life, "_kind": kind}.items():
            object.__setattr__(self, name, value)

    def _reference(self) -> list[Any]:
        """How the candidate knows it. A name (`life` None) lives on in the next process, an object does not."""
        if self._life is not None and self._life != self._link.life:
            raise Gone("error", "an object of the program is gone: its process ended in an earlier test")
        return self._target

    def __getattr__(self, name: str) -> Any:
        return self._link.value("getattr", self._reference(), (name,))

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.ask("setattr", self._reference(), (name, value))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        encoded = {k: self._link.encode(v) for k, v in kwargs.items()}
        return self._link.value("call", self._reference(), args, kwargs=encoded)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and (self._target, self._life) == (other._target, other._life)

    def __hash__(self) -> int:
        return hash(str(self._target))


def _special(name: str) -> Callable[..., Any]:
    def method(self: Remote, *args: Any) -> Any:
        return self._link.value(name, self._reference(), args)

    return method


for _name in ("iter", "next", "len", "str", "repr", "bool", "int", "float", "index", "getitem", "setitem", "delitem"):
    setattr(Remote, f"__{_name}__", _special(_name))


def call_by_reference(function: Any, *args: Any, **kwargs: Any) -> Any:
    """A call made for its effect: lists, dicts and sets given to the program afterwards hold what it left in them."""
    if not isinstance(function, Remote):
        return function(*args, **kwargs)
    link = function._link
    encoded = {k: link.encode(v) for k, v in kwargs.items()}
    reply = link.ask("call", function._reference(), args, kwargs=encoded, by_reference=True)
    for ours, theirs in zip(args, reply.get("args", []), strict=False):
        after = link.decode(theirs)
        if type(ours) is list and type(after) is list:
            ours[:] = after
        elif type(ours) in (dict, set) and type(after) is type(ours):
            ours.clear()
            ours.update(after)
    return link.decode(reply["value"])


def _exception(name: str, above: list[str], text: str) -> BaseException:
    """The program's exception: the nearest built-in type of that name or above it."""
    if not isinstance(name, str) or not isinstance(text, str):
        raise ValueError("not an exception")
    if name in FATAL:
        error: BaseException = Gone("error", f"{name}: {text}")
        return error
    for known in [name, *above]:
        kind = getattr(builtins, str(known), None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            try:
                error = kind(text if known == name else f"{name}: {text}")
                error.of_candidate = True  # type: ignore[attr-defined]
            except (TypeError, AttributeError):
                continue
            return error
    return Gone("error", f"{name}: {text}")
