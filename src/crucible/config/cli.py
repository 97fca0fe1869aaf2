"""train.py: compose, check, then a dry run or a run. Errors are one line on stderr and exit code 2."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from crucible.config import help
from crucible.errors import UserError, nearest
from crucible.visible import visible

USER_ERROR = 2
INTERRUPTED = 130  # the shell's code for a program stopped by Ctrl-C
METHODS = "methods"  # `train.py methods ...` shows the catalogue of methods and runs nothing
TRACEBACK = "CRUCIBLE_TRACEBACK"  # set to 1 for the traceback of a one-line error


def main(root: Path) -> None:
    """The program behind `python train.py`; `root` is the folder that holds conf/ and experiments/."""
    argv = sys.argv[1:]
    try:
        if help.wanted(argv):
            print(help.text(root, argv))
            return
        if argv and argv[0].partition("=")[0] == METHODS:
            from crucible.config.methods_command import command

            command(root, argv)
            return
        if any(_is_hydras(argument) for argument in argv):
            _with_hydra(root, argv)
        else:
            _once(root, argv)
    except UserError as error:
        fail(error)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from the last checkpoint", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def _is_hydras(argument: str) -> bool:
    """-m, --config-dir, hydra.sweep.dir=..., and what is no override at all: left to Hydra's own command line."""
    name = argument.lstrip("+~")
    return argument.startswith("-") or name.startswith(("hydra.", "hydra/")) or not ("=" in name or name != argument)


def _once(root: Path, argv: list[str]) -> None:
    """One run from overrides alone: composed once, where Hydra's command line composes twice to look for -m."""
    from crucible.config.compose import compose

    start(compose(argv, root).config)


def _with_hydra(root: Path, argv: list[str]) -> None:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from crucible.config.compose import explain, refuse_nameless, resolved, verify
    from crucible.config.hydra_errors import CONFIG_ERRORS, tripped
    from crucible.config.hydra_setup import set_up

    running = False

    def task(node: DictConfig) -> None:
        nonlocal running
        try:
            try:
                composed = resolved(node, HydraConfig.get(), root)
            except CONFIG_ERRORS as error:
                raise UserError(explain(error, (), root)) from error
            verify(composed)
            running = True
            start(composed.config)
        except UserError as error:  # here, since Hydra would print a line of its own on the way out
            fail(error)

    set_up(root)
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing and exiting
    _refuse_unknown_flags(argv)
    overrides = [a for a in argv if not a.startswith("-") and ("=" in a or a.startswith("~"))]
    refuse_nameless(overrides)
    try:
        hydra.main(version_base="1.3", config_path=str(root / "conf"), config_name="train")(task)()
    except CONFIG_ERRORS as error:
        if running:  # an error of the run itself, not of its config
            raise
        raise UserError(explain(error, overrides, root)) from error
    except OSError as error:
        if running or error.filename is None:
            raise
        reason = (error.strerror or type(error).__name__).lower()
        raise UserError(f"hydra.run.dir: cannot use {error.filename}: {reason}; leave it out") from error
    except (ValueError, TypeError, AttributeError) as error:
        if running:
            raise
        raise UserError(tripped(overrides, error)) from error


def _refuse_unknown_flags(argv: list[str]) -> None:
    """Errors: UserError for what Hydra's command line would answer with its usage and no word of ours."""
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    known = [flag for action in parser._actions for flag in action.option_strings]

    def refuse(message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").partition(" ")[0]
        hint = nearest(unknown, known) if unknown != message.partition(" ")[0] else ""
        raise UserError(f"command line: {message}{hint}; see --help")

    parser.error = refuse  # type: ignore[method-assign, assignment]
    parser.parse_args(argv)


def start(config: Mapping[str, Any]) -> None:
    """One checked config: printed (dry run) or run."""
    if config.get("dry_run"):
        from crucible.config.dry_run import report

        print(report(config))
    else:
        dispatch(config)


def dispatch(config: Mapping[str, Any]) -> None:
    """Call the root target with the config as keywords."""
    from crucible.config.check import ROOT
    from crucible.config.environment import refuse_misread
    from crucible.parts import locate

    refuse_misread()
    run: Callable[..., Any] = locate(config.get("_target_", ROOT))
    run(**{key: value for key, value in config.items() if key != "_target_"})


def fail(error: UserError) -> NoReturn:
    """The message on stderr, exit code 2; the traceback too when CRUCIBLE_TRACEBACK=1."""
    if os.environ.get(TRACEBACK) == "1":
        traceback.print_exception(error)
    else:
        print(f"error: {visible(str(error))}".replace("\n", "\nerror: "), file=sys.stderr)
    raise SystemExit(USER_ERROR)
