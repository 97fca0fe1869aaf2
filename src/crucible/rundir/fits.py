"""Does a checkpoint belong to the model that is about to be filled from it? Asked before anything of it is used."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crucible.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def refuse_foreign(path: Path, state: Mapping[str, Tensor]) -> None:
    """Errors: UserError for a file that is no checkpoint, holds more than tensors and plain values, or whose tensors
    differ in name or shape from those of `state` (a module's state_dict).

    The file is mapped, not read. A checksum says that it is whole, not who wrote it: pickles of code are refused here.
    """
    found = _tensors(path)
    lacking = sorted(state.keys() - found.keys())
    if lacking:
        raise UserError(f"{path} is a checkpoint of another model: it has no {lacking[0]} ({len(lacking)} are missing)")
    for name, tensor in state.items():
        if found[name].shape != tensor.shape:
            there, here = tuple(found[name].shape), tuple(tensor.shape)
            raise UserError(f"{path} is a checkpoint of another model: {name} is {there} there and {here} here")


def _tensors(path: Path) -> Mapping[str, Tensor]:
    import torch

    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is no checkpoint of ours, or holds code, which is never run; put the right file back, or start "
            "over under another run_id"
        ) from error
    if not isinstance(stored, dict) or not isinstance(stored.get("state_dict"), dict):
        raise UserError(f"{path} is no checkpoint of ours: it has no state_dict")
    return stored["state_dict"]
