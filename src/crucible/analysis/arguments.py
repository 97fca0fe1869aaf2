"""`name=value` command lines of the analysis scripts: the keyword parameters of a function are its options."""

from __future__ import annotations

import inspect
import io
import math
import sys
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from crucible.config.bounds import outside
from crucible.errors import UserError, expanded, nearest
from crucible.visible import visible

USER_ERROR = 2
INTERRUPTED = 130  # the shell's code for a program stopped by Ctrl-C
TRUE_FALSE = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def run(function: Callable[..., str], arguments: Sequence[str], *, usage: str) -> int:
    """Call `function` with the parsed arguments and print the text it returns. 2 for what the user can put right."""
    if not arguments or {"-h", "--help", "help"} & set(arguments):
        print(usage.strip() + "\n\n" + options(function))
        return 0 if arguments else USER_ERROR
    try:
        text = function(**parse(function, arguments))
    except UserError as error:
        print(f"error: {visible(str(error))}".replace("\n", "\nerror: "), file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # ... | head
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    print(text, end="" if text.endswith("\n") else "\n")
    return 0


def parse(function: Callable[..., Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Keywords for `function`. A tuple parameter takes values split at commas, and its name may be repeated; a number
    may have bounds, as in the run's own config: `Annotated[int, ">= 0"]`.

    Errors: UserError for an unknown or repeated name, a value that does not fit, and what is missing.
    """
    hints, parameters = typing.get_type_hints(function, include_extras=True), inspect.signature(function).parameters
    given: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals:
            raise UserError(f"{argument!r}: options are written name=value")
        if name not in parameters:
            raise UserError(f"unknown option {name}{nearest(name, parameters)}; options: {', '.join(parameters)}")
        if get_origin(hints[name]) is tuple:
            item = get_args(hints[name])[0]
            parts = [part for part in text.split(",") if part]
            if not parts:
                raise UserError(f"{name} is empty: give a value")
            given[name] = given.get(name, ()) + tuple(_value(part, item, name) for part in parts)
        elif name in given:
            raise UserError(f"{name} is given twice")
        elif not text and parameters[name].default is inspect.Parameter.empty:
            raise UserError(f"{name} is empty: give a value")
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
    if get_origin(hint) is Annotated:
        kind, bounds = get_args(hint)[:2]
        value = _value(text, kind, name)
        if value is not None and (problem := outside(value, bounds)):
            raise UserError(f"{name}={text}: {problem}")
        return value
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
            number = hint(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"{name}={text}: {'a whole number' if hint is int else 'a number'} is needed")
        return number
    if hint is Path and not text:
        raise UserError(f"{name} is empty: name a file or folder")
    return expanded(text) if hint is Path else text
