"""Do programs that a model wrote pass their hidden tests? Run in the sandbox, several at a time, each text once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from crucible.data.programs.forms import LONGEST, parsed
from crucible.types import Prompt

if TYPE_CHECKING:
    from crucible.sandbox import Sandbox

THREADS = 2
_KEPT = 200_000  # verdicts that are remembered


@functools.lru_cache(maxsize=1)
def box() -> Sandbox:
    """One warm sandbox for this process; it ends with it."""
    from crucible.sandbox import Limits, Sandbox

    return Sandbox(limits=Limits(wall_seconds=2.0, cpu_seconds=1.0, suite_seconds=10.0, memory_mb=256.0))


class Judge:
    """Remembers its verdicts: a program is run once for each task."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}
        self._lock = threading.Lock()

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[bool | None]:
        """Does each text pass all of reference "gold"? None where the sandbox broke."""
        asked = [(prompt.id, text) for prompt, text in zip(prompts, texts, strict=True)]
        new = {key: p for key, p in zip(asked, prompts, strict=True) if key not in self._known}
        if new:
            with ThreadPoolExecutor(min(THREADS, len(new))) as threads:
                found = threads.map(lambda item: passes(item[1], item[0][1]), new.items())
                verdicts = dict(zip(new, found, strict=True))
        else:
            verdicts = {}
        with self._lock:
            if len(self._known) > _KEPT:
                self._known.clear()
            known = {**{key: self._known.get(key) for key in asked}, **verdicts}
            self._known |= {key: verdict for key, verdict in verdicts.items() if verdict is not None}
        return [known[key] for key in asked]


def passes(prompt: Prompt, text: str) -> bool | None:
    from crucible.sandbox import SandboxError, program_of
    from crucible.sandbox.formats import suite_of

    reference: Any = prompt.reference
    program = program_of(text, "python", reference.get("program"))
    if not program.strip() or (len(program) <= LONGEST and parsed(program) is None):
        return False  # what does not parse cannot run
    try:
        suite = suite_of(reference["gold"], reference["entry_point"], reference.get("support", ""))
        report = box().check(program, suite)
    except SandboxError:
        return None
    return report.passed == report.total
