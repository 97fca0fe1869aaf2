"""Seeds for the many draws of a run, each a function of what it is for and of nothing else."""

from __future__ import annotations

import hashlib


def derived_seed(*parts: int | str) -> int:
    """A 63-bit seed for these parts. Nothing has to be stored to draw the same again after a resume."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
