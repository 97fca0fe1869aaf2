"""A set of chains on disk: a folder with chains.jsonl, patterns.jsonl and entropies/, in one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from crucible.cotp import chains as chain_files
from crucible.cotp.chains import CoT
from crucible.cotp.distance import Chains, evenly_spaced
from crucible.cotp.entropy_chains import Reading
from crucible.cotp.patterns.annotate import labels_of, pattern_rows, read_patterns
from crucible.cotp.ragged import Ragged, open_ragged
from crucible.errors import UserError
from crucible.rundir.atomic import explained

CHAINS, PATTERNS, ENTROPIES = "chains.jsonl", "patterns.jsonl", "entropies"


@dataclass(frozen=True)
class ChainSet:
    """`read_with`: how its entropies are shortened; None: they are not needed."""

    folder: Path
    read_with: Reading | None

    def __post_init__(self) -> None:
        if not (self.folder / CHAINS).is_file():
            raise UserError(
                f"no chains in {self.folder}: a folder with {CHAINS}, {PATTERNS} and {ENTROPIES}/ is expected"
            )
        if not (self.folder / PATTERNS).is_file():
            raise UserError(f"no {PATTERNS} in {self.folder}; python -m crucible.cotp annotate makes it")

    @cached_property
    def size(self) -> int:
        """Number of chains. Errors: UserError where not all of them were annotated, or read by the model."""
        counts = []
        for name in (CHAINS, PATTERNS):
            with explained("cannot read", self.folder / name), (self.folder / name).open("rb") as file:
                counts.append(sum(1 for line in file if line.strip()))
        if counts[0] != counts[1]:
            raise UserError(
                f"{self.folder / PATTERNS} has {counts[1]:,} of {counts[0]:,} chains; "
                "python -m crucible.cotp annotate goes on"
            )
        if self.entropies is not None and len(self.entropies) != counts[0]:
            raise UserError(
                f"{self.folder / ENTROPIES} has {len(self.entropies):,} of {counts[0]:,} chains; "
                "python -m crucible.cotp entropies goes on"
            )
        return counts[0]

    @cached_property
    def entropies(self) -> Ragged | None:
        """Memory-mapped, as they were read."""
        return None if self.read_with is None else open_ragged(self.folder / ENTROPIES)

    def all(self) -> tuple[list[CoT], Chains]:
        """Everything, in memory: for a core set."""
        found = chain_files.read(self.folder / CHAINS)
        patterns = list(read_patterns(self.folder / PATTERNS, (chain.id for chain in found)))
        entropies = None
        if self.size and self.entropies is not None and self.read_with is not None:
            entropies = self.read_with.of(self.entropies)
        return found, Chains([chain.id for chain in found], patterns, entropies)

    def blocks(self, start: int, stop: int, size: int) -> Iterator[tuple[int, Chains]]:
        """(place of the first, chains) of the chains start..stop - 1, `size` at a time."""
        rows = islice(pattern_rows(self.folder / PATTERNS, start), stop - start)
        at = start
        while part := list(islice(rows, size)):
            labels = [labels_of(row.get("patterns"), str(self.folder / PATTERNS)) for row in part]
            yield at, Chains([str(row.get("chain")) for row in part], labels, self._entropies(at, at + len(part)))
            at += len(part)

    def sample(self) -> Chains:
        """Evenly spaced chains, the same whoever asks; those without patterns are passed over."""
        wanted = set(evenly_spaced(self.size).tolist())
        places, ids, patterns = list[int](), list[str](), list[list[str]]()
        for place, row in enumerate(pattern_rows(self.folder / PATTERNS, 0)):
            if place in wanted and (labels := labels_of(row.get("patterns"), str(self.folder / PATTERNS))):
                places.append(place)
                ids.append(str(row.get("chain")))
                patterns.append(labels)
        entropies = None
        if self.entropies is not None and self.read_with is not None:
            entropies = self.read_with.of(self.entropies.rows(places))
        return Chains(ids, patterns, entropies)

    def _entropies(self, start: int, stop: int) -> Ragged | None:
        if self.entropies is None or self.read_with is None:
            return None
        return self.read_with.of(self.entropies.span(start, stop))

    def bytes_each(self, points: int | None) -> float:
        """About how many bytes a chain takes while a block is compared, by what the files hold."""
        labels = (self.folder / PATTERNS).stat().st_size / max(1, self.size)
        mean = float(np.mean(self.entropies.lengths)) if self.entropies is not None and self.size else 0.0
        return 6 * labels + 24 * min(mean, points or mean) + 400
