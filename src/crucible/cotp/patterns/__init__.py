"""Pattern chains: the reasoning operations of a chain of thought, in order, as short labels."""

from __future__ import annotations

from crucible.cotp.patterns.annotate import Annotator, Failed, annotate, read_patterns

__all__ = ["Annotator", "Failed", "annotate", "read_patterns"]
