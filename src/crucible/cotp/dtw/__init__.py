"""Dynamic time warping of one chain against many: distances, lower bounds, and two engines of the same numbers."""

from __future__ import annotations

from crucible.cotp.dtw.engine import Engine, engine_named
from crucible.cotp.dtw.warp import Many, Rows, Warp

__all__ = ["Engine", "Many", "Rows", "Warp", "engine_named"]
