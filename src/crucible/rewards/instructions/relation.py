"""How IFEval compares a number found with a number asked for."""

from __future__ import annotations

from crucible.errors import UserError, nearest

RELATIONS = ("less than", "at least")


def holds(found: int, relation: str, wanted: int) -> bool:
    if relation not in RELATIONS:
        raise UserError(f"instruction relation {relation!r}{nearest(relation, RELATIONS)}; less than, or at least")
    return found < wanted if relation == "less than" else found >= wanted
