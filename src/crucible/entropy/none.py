"""No entropy control."""

from __future__ import annotations

from crucible.entropy.base import EntropyControl


class NoControl(EntropyControl):
    """Leaves the entropy to the policy loss.

    The setting of GRPO (2402.03300), DAPO (2503.14476) and CE-GPPO (2509.20712).
    """
