"""An engine like the embedded one that says of itself that another program computes its log-probs."""

from __future__ import annotations

from crucible.rollout.embedded import EmbeddedEngine


class Apart(EmbeddedEngine):
    apart = True
