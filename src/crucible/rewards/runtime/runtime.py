"""The runtime of a run's rewards: where verifiers are called, and when too many of their calls fail."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from crucible.errors import UserError
from crucible.rewards.runtime.outcome import Outcome
from crucible.rewards.runtime.pool import Pool
from crucible.types import Scores

WINDOW_ROWS = 256  # the shares of failed calls are looked at over at least this many of the newest rows
FEWEST_ROWS = 64  # with fewer rows than this nothing is concluded


class Runtime:
    """Calls verifiers in `workers` processes without torch, each answer within `timeout` seconds.

    A call ends in exactly one of value / abstain / timeout / error. A worker that is over its time is killed, with all
    it started, and replaced; so is one that dies or that needs more than `memory_gb` of address space. No alarm
    signals: it works in threads, under DDP and in SLURM jobs. Rows without a value are left out of group statistics.

    `watch` stops the run where, of the newest rows of a component (at least 256), a share above `max_failed` ended in
    a time-out or an error, or above `max_abstained` in an abstention.

    Errors: UserError for options out of range.
    """

    def __init__(
        self,
        *,
        workers: Annotated[int, "1 to 1024"] = 2,
        timeout: Annotated[float, "> 0"] = 10.0,
        memory_gb: Annotated[float, "> 0"] = 4.0,
        max_failed: Annotated[float, "0 to 1"] = 0.1,
        max_abstained: Annotated[float, "0 to 1"] = 0.9,
    ):
        if workers < 1:
            raise UserError(f"reward_runtime.workers={workers}: at least 1")
        for name, value in {"timeout": timeout, "memory_gb": memory_gb}.items():
            if not value > 0:
                raise UserError(f"reward_runtime.{name}={value}: must be above 0")
        for name, value in {"max_failed": max_failed, "max_abstained": max_abstained}.items():
            if not 0 <= value <= 1:
                raise UserError(f"reward_runtime.{name}={value}: a share, from 0 to 1")
        self.timeout, self.max_failed, self.max_abstained = timeout, max_failed, max_abstained
        self.pool = Pool(workers, memory_gb)
        self._seen: dict[str, deque[tuple[int, float, float]]] = defaultdict(deque)

    def call(
        self,
        function: str,
        options: Mapping[str, Any],
        items: Sequence[tuple[Any, ...]],
        *,
        timeout: float | None = None,
    ) -> list[Outcome]:
        """`function` ("module:name") called with the arguments of each item and with `options`, in the workers.

        `timeout` seconds for one answer instead of the runtime's own, for verifiers that say how long they may take.
        Errors: UserError where the function raises one: the options are wrong, not the text.
        """
        return self.pool.run(function, options, items, timeout or self.timeout) if items else []

    def watch(self, scores: Scores) -> dict[str, float]:
        """Metrics of how the calls of one step ended; UserError where too many did not end in a value."""
        metrics: dict[str, float] = {}
        for name, outcomes in scores.outcomes.items():
            shares = {kind: outcomes.share(kind) for kind in ("abstain", "timeout", "error")}
            metrics |= {f"outcomes/{name}/{kind}": share for kind, share in shares.items()}
            metrics[f"outcomes/{name}/seconds_max"] = outcomes.seconds.max().item()
            seen = self._seen[name]
            seen.append((len(outcomes.kinds), shares["timeout"] + shares["error"], shares["abstain"]))
            while sum(rows for rows, _, _ in seen) - seen[0][0] >= WINDOW_ROWS:
                seen.popleft()
            rows = sum(n for n, _, _ in seen)
            failed, abstained = (sum(step[0] * step[k] for step in seen) / rows for k in (1, 2))
            if rows >= FEWEST_ROWS and failed > self.max_failed:
                raise UserError(
                    f"reward {name}: {failed:.0%} of the last {rows} calls timed out or broke, more than "
                    f"reward_runtime.max_failed={self.max_failed:g}; for example: {outcomes.problem or 'see samples/'}"
                )
            if rows >= FEWEST_ROWS and abstained > self.max_abstained:
                raise UserError(
                    f"reward {name}: no verdict on {abstained:.0%} of the last {rows} answers, more than "
                    f"reward_runtime.max_abstained={self.max_abstained:g}; does it read such reference answers?"
                )
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """What `watch` has seen: a resumed run stops where an undisturbed one does."""
        return {"seen": {name: [list(step) for step in seen] for name, seen in self._seen.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._seen.clear()
        for name, steps in state["seen"].items():
            self._seen[name].extend((int(rows), failed, abstained) for rows, failed, abstained in steps)

    def close(self) -> None:
        self.pool.close()
