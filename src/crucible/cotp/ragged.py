"""Many sequences of different length in one array, in memory or on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible.errors import UserError
from crucible.rundir.atomic import explained

VALUES, ENDS = "values.f32", "ends.i64"


@dataclass(frozen=True, slots=True)
class Ragged:
    """Sequence i is `values[offsets[i]:offsets[i + 1]]`."""

    values: NDArray[Any]  # (total,)
    offsets: NDArray[np.int64]  # (N + 1,)

    @classmethod
    def of(cls, sequences: Iterable[Sequence[Any] | NDArray[Any]], dtype: Any = np.float64) -> Ragged:
        arrays = [np.asarray(sequence, dtype=dtype) for sequence in sequences]
        ends = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
        return cls(np.concatenate(arrays) if arrays else np.empty(0, dtype), ends)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> NDArray[Any]:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def span(self, start: int, stop: int) -> Ragged:
        """Sequences start..stop - 1, copied."""
        first, last = self.offsets[start], self.offsets[stop]
        return Ragged(np.array(self.values[first:last]), self.offsets[start : stop + 1] - first)

    def rows(self, index: Sequence[int] | NDArray[np.int64]) -> Ragged:
        """The sequences in `index`, in that order, copied."""
        return Ragged.of([self[int(i)] for i in index], self.values.dtype)


class RaggedWriter:
    """Appends float32 sequences to a folder; what a killed writer left half-written is cut off when it is opened again.

    The values of a sequence are written before its end is, so a sequence counts when it is whole.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        with explained("cannot write", folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in (VALUES, ENDS):
                (folder / name).touch()
            ends = _ends(folder)
            self.done, self._total = len(ends), int(ends[-1]) if len(ends) else 0
            if (folder / VALUES).stat().st_size < 4 * self._total:
                raise UserError(f"{folder} is damaged: {VALUES} is shorter than {ENDS} says; delete the folder")
            os.truncate(folder / ENDS, 8 * self.done)
            os.truncate(folder / VALUES, 4 * self._total)
            self._values = (folder / VALUES).open("ab")
            self._ends = (folder / ENDS).open("ab")

    def append(self, sequences: Iterable[NDArray[Any]]) -> None:
        """Write these sequences; they have reached the operating system on return."""
        with explained("cannot write", self.folder):
            ends = []
            for sequence in sequences:
                self._values.write(np.asarray(sequence, dtype=np.float32).tobytes())
                self._total += len(sequence)
                ends.append(self._total)
            self._values.flush()
            self._ends.write(np.array(ends, dtype=np.int64).tobytes())
            self._ends.flush()
        self.done += len(ends)

    def close(self) -> None:
        self._values.close()
        self._ends.close()

    def __enter__(self) -> RaggedWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ragged(folder: Path) -> Ragged:
    """The sequences of a folder, memory-mapped. Errors: UserError where there are none."""
    if not (folder / ENDS).is_file():
        raise UserError(f"no entropies in {folder}: no {ENDS}; python -m crucible.cotp entropies makes them")
    ends = _ends(folder)
    size = (folder / VALUES).stat().st_size
    if len(ends) and size < 4 * int(ends[-1]):
        raise UserError(f"{folder} is damaged: {VALUES} is shorter than {ENDS} says; delete the folder")
    values = np.memmap(folder / VALUES, dtype=np.float32, mode="r") if size else np.empty(0, np.float32)
    return Ragged(values, np.concatenate([np.zeros(1, np.int64), ends]))


def _ends(folder: Path) -> NDArray[np.int64]:
    content = (folder / ENDS).read_bytes()
    return np.frombuffer(content[: len(content) // 8 * 8], dtype=np.int64)
