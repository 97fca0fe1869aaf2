"""How a run ends: its status says so whatever happens, and a refused run leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from crucible.errors import UserError
from crucible.parts import Parts
from crucible.rundir import RunDir, Superseded, read_metrics, read_status


@contextmanager
def recorded(run_dir: RunDir, parts: Parts) -> Iterator[None]:
    """Writes the end of a run into status.json: failed with its reason, or what the body wrote itself.

    A first attempt that was refused before its first step has done nothing: its directory is removed.
    """
    try:
        yield
        parts["logger"].finish((read_status(run_dir.path) or {}).get("state", "failed"))
    except Superseded:
        raise  # another process owns the run, its status is not ours to write
    except BaseException as error:
        untouched = run_dir.attempt == 1 and not read_metrics(run_dir.path)
        try:
            if isinstance(error, KeyboardInterrupt):
                run_dir.write_status("preempted", error="interrupted at the keyboard")
            else:
                run_dir.write_status("failed", error=one_line(error))
        except UserError as second:  # e.g. on a full disk, of which the first error speaks already
            error.add_note(f"status.json still says running: {second}")
        run_dir.close()
        if not untouched:
            parts["logger"].finish("failed")
        if isinstance(error, UserError) and untouched:
            run_dir.discard()
        raise


def one_line(error: BaseException) -> str:
    """The error as status.json holds it."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def restarted() -> bool:
    """Did a scheduler start this process again after it was requeued? Then the newest copy owns the run."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0
