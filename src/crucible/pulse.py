"""Signs of progress: what gets a run on calls `beat`, and the watchdog looks whether anybody did.

Loads nothing and costs a fraction of a microsecond, so it can be called anywhere, as often as convenient.
"""

from __future__ import annotations

from typing import Any

_beats = 0
_doing = "starting"


def beat(doing: str | None = None) -> None:
    """Something got done; `doing` says in a few words what is done from now on."""
    global _beats, _doing
    _beats += 1
    if doing is not None:
        _doing = doing


def beats() -> int:
    """Signs so far in this process."""
    return _beats


def doing() -> str:
    """What the run was last said to do."""
    return _doing


def beat_with(model: Any) -> None:
    """A sign with every pass of a causal LM's decoder, also in copies made of it later."""
    model.get_decoder().register_forward_hook(_passed)


def _passed(*_: Any) -> None:
    beat()
