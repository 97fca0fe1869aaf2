"""`name=value` command lines of the analysis scripts: the keyword parameters of a function are its options."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from crucible.errors import UserError, nearest

USER_ERROR = 2
TRUE_FALSE = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def run(function: Callable[..., str], arguments: Sequence[str], *, usage: str) -> int:
    """Call `function` with the parsed arguments and print the text it returns. 2 for what the user can put right."""
    if not arguments or {"-h", "--help", "help"} & set(arguments):
        print(usage.strip() + "\n\n" + options(function))
        return 0 if arguments else USER_ERROR
    try:
        text = function(**parse(function, arguments))
    except UserError as error:
        print(f"error: {error}".replace("\n", "\nerror: "), file=sys.stderr)
        return USER_ERROR
    except BrokenPipeError:  # ... | head
        return 0
    print(text, end="" if text.endswith("\n") else "\n")
    return 0


def parse(function: Callable[..., Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Keywords for `function`. A tuple parameter takes values split at commas, and its name may be repeated.

    Errors: UserError for an unknown or repeated name, a value that does not fit, and what is missing.
    """
    hints, parameters = typing.get_type_hints(function), inspect.signature(function).parameters
    given: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals:
            raise UserError(f"{argument!r}: options are written name=value")
        if name not in parameters:
            raise UserError(f"unknown option {name}{nearest(name, parameters)}; options: {', '.join(parameters)}")
        if get_origin(hints[name]) is tuple:
            item = get_args(hints[name])[0]
            given[name] = given.get(name, ()) + tuple(_value(part, item, name) for part in text.split(",") if part)
        elif name in given:
            raise UserError(f"{name} is given twice")
        else:
            given[name] = _value(text, hints[name], name)
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in given]
    if missing:
        raise UserError(f"missing {', '.join(f'{name}=...' for name in missing)}")
    return given


def options(function: Callable[..., Any]) -> str:
    """One line an option: name, default."""
    lines = ["options:"]
    for name, parameter in inspect.signature(function).parameters.items():
        default = parameter.default
        shown = "required" if default is parameter.empty else "" if default in (None, (), "") else f"default {default}"
        lines.append(f"  {name + '=':<14} {shown}".rstrip())
    return "\n".join(lines)


def _value(text: str, hint: Any, name: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):  # X | None
        kinds = [h for h in get_args(hint) if h is not type(None)]
        if text in ("null", "none") and type(None) in get_args(hint):
            return None
        return _value(text, kinds[0], name)
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise UserError(f"{name}={text}: one of {', '.join(get_args(hint))}{nearest(text, get_args(hint))}")
        return text
    if hint is bool:
        if text.lower() not in TRUE_FALSE:
            raise UserError(f"{name}={text}: true or false")
        return TRUE_FALSE[text.lower()]
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise UserError(f"{name}={text}: {'a whole number' if hint is int else 'a number'} is needed") from None
    return Path(text).expanduser() if hint is Path else text
