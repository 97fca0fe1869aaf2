"""Errors of a simulated judge at known rates, the same ones each time it reads a program."""

from __future__ import annotations

import hashlib

from crucible.errors import UserError


def refuse_rates(where: str, *, false_accept: float, false_reject: float) -> None:
    """Errors: UserError for a rate that is no share."""
    for name, rate in {"false_accept": false_accept, "false_reject": false_reject}.items():
        if not 0 <= rate <= 1:
            raise UserError(f"{where}.{name}={rate}: a share, from 0 to 1")


def says_right(right: bool, problem: str, program: str, *, false_accept: float, false_reject: float, seed: int) -> bool:
    """The judge's word on a program whose truth is known; whether it errs is a hash of seed, problem and text."""
    text = f"{seed}\x1f{problem}\x1f{program}".encode("utf-8", "surrogatepass")
    chance = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64
    return right is not (chance < (false_reject if right else false_accept))
