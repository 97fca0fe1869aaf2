"""Models that answer: loading, tokenising, and the log-probability of what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crucible.policy.policy import Policy, load

__all__ = ["Policy", "load"]


def __getattr__(name: str) -> Any:
    """`Policy` and `load` on first use: naming a submodule in a config must not load torch."""
    if name in __all__:
        from crucible.policy import policy

        return getattr(policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
