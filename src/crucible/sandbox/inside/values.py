"""Plain values as JSON that nothing executes: the only thing that passes between a program and its judge.

None, bool, int, float, complex, str, bytes, range, list, tuple, set, frozenset, dict and the built-in types. A subclass
(Counter, namedtuple, IntEnum, a str with its own __eq__) travels as the built-in type beneath it, read with that type's
own methods. Anything else is given to `opaque`. Used on both sides; the side that decodes trusts nothing.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

SMALL = 1 << 63
TYPES = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)} | {"NoneType": type(None)}
PLAIN = ("NoneType", "bool", "int", "float", "complex", "str", "bytes", "range", "list", "tuple", "set", "frozenset",
         "dict")  # fmt: skip
_NAMES = {kind: name for name, kind in TYPES.items() if name == kind.__name__}  # not IOError, which is OSError


def encode(value: Any, opaque: Callable[[Any], Any]) -> Any:
    """JSON data for `value`. Errors: RecursionError for what contains itself, and those of `opaque`."""
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if issubclass(kind, int):
        number = int.__int__(value)
        return number if -SMALL < number < SMALL else ["int", int.__format__(number, "x")]
    if issubclass(kind, float):
        return float.__float__(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, dict):
        return ["dict", [[encode(k, opaque), encode(v, opaque)] for k, v in dict.items(value)]]
    for base in (list, tuple, set, frozenset):
        if issubclass(kind, base):
            return [base.__name__, [encode(item, opaque) for item in base.__iter__(value)]]
    if issubclass(kind, bytes | bytearray):
        return ["bytes", bytes(memoryview(value)).hex()]
    if issubclass(kind, complex):
        return ["complex", complex.__complex__(value).real, complex.__complex__(value).imag]
    if kind is range:
        return ["range", value.start, value.stop, value.step]
    if issubclass(kind, type) and type.__hash__ is kind.__hash__ and value in _NAMES:
        return ["type", _NAMES[value]]
    return opaque(value)


def decode(data: Any, opaque: Callable[[list[Any]], Any]) -> Any:
    """The value. Errors: ValueError for anything `encode` does not write, and those of `opaque`."""
    if data is None or isinstance(data, bool | int | float | str):
        return data
    try:
        tag, *rest = data
        if tag in ("list", "tuple", "set", "frozenset"):
            return TYPES[tag](decode(item, opaque) for item in rest[0])
        if tag == "dict":
            return {decode(k, opaque): decode(v, opaque) for k, v in rest[0]}
        if tag == "int":
            return int(rest[0], 16)
        if tag == "bytes":
            return bytes.fromhex(rest[0])
        if tag == "complex":
            return complex(float(rest[0]), float(rest[1]))
        if tag == "range":
            return range(*rest)
        if tag == "type" and rest[0] in PLAIN:  # whose instances are plain, too; others are up to `opaque`
            return TYPES[rest[0]]
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError(f"not a plain value: {type(error).__name__}") from None
    return opaque(data)


def refuse(value: Any) -> Any:
    raise TypeError(f"a {type(value).__name__} is not a plain value")
