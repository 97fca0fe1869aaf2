"""Which code computes distances. Both give the same numbers to the bit: the same operations in the same order."""

from __future__ import annotations

import importlib.util
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from crucible.cotp.dtw.warp import Floats, Many, Rows, Warp
from crucible.errors import UserError

Name = Literal["auto", "numba", "numpy"]


class Engine(Protocol):
    """Distances of one chain to those of `many` in `index`."""

    name: str

    def distances(
        self, rows: Rows, many: Many, warp: Warp, index: NDArray[np.int64], limits: Floats | None = None
    ) -> Floats:
        """(len(index),). A distance above its limit may be given as infinity (early abandoning); no other is."""
        ...


def engine_named(name: Name = "auto") -> Engine:
    """auto: numba where it is installed, else numpy, which takes 4 to 25 times as long (benchmarks/dtw.py)."""
    if name not in ("auto", "numba", "numpy"):
        raise UserError(f"engine={name}: auto, numba or numpy")
    there = importlib.util.find_spec("numba") is not None
    if name == "numba" and not there:
        raise UserError("engine=numba: numba is not installed; pip install 'crucible-rl[dtw]', or engine=numpy")
    if name == "numpy" or not there:
        from crucible.cotp.dtw.by_numpy import NumpyEngine

        return NumpyEngine()
    from crucible.cotp.dtw.by_numba import NumbaEngine

    return NumbaEngine()
