"""No entropy control."""

from __future__ import annotations

from crucible.entropy.base import EntropyControl


class NoControl(EntropyControl):
    """Leaves the entropy to the policy loss: the setting of GRPO, DAPO and CE-GPPO."""
