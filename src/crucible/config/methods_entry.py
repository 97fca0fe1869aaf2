"""One entry of the catalogue of methods: what its YAML and its docstring say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crucible.config.catalogue import Setting
from crucible.config.methods_studies import Ran
from crucible.config.signatures import Signature

ARXIV = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?![\d.])")
DIFFERS = "Differs from "
FORMULA_FROM = "Formula from: "  # a line in the header of a reward's YAML: "paper and library (TRL); what else"
ORIGINS = {
    "paper": "the paper's own text was read",
    "authors' code": "the authors' repository was read",
    "library": "a well-kept library that has it was read",
    "re-implementations": "only code of others was read: inferred",
    "recalled": "known from the paper, which was not read again for this: inferred",
    "ours": "there is no paper, or what it has is left out or another thing",
}


@dataclass(frozen=True)
class Method:
    """One YAML. `pieces`: of a preset, the option it chooses on each axis of its own."""

    axis: str
    name: str
    file: Path
    summary: str
    launch: tuple[str, ...]
    notes: str  # the rest of the YAML's header
    signature: Signature | None
    defaults: tuple[Setting, ...]
    pieces: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[Path, ...] = ()
    ran: tuple[Ran, ...] = ()  # the studies it was run in
    formula_from: str = ""  # what the formula was taken from, of a reward

    @property
    def spelling(self) -> str:
        """How it is written on the command line."""
        return f"{self.axis}={self.name}"

    @property
    def target(self) -> str:
        """The function or class of a part, "" of a preset and of an option that is no part."""
        return "" if self.pieces or self.signature is None else self.signature.target

    @property
    def place(self) -> str:
        """Where a run's config holds the part: "algo.loss", "algo.auxiliary.positive_nll"."""
        names = {s.path.partition(".")[0] for s in self.defaults if "." in s.path}
        inside = self.axis.replace("/", ".")
        return f"{inside}.{self.name}" if self.name in names else inside

    @property
    def options(self) -> dict[str, Any]:
        """What the YAML sets, by path in a run's config."""
        inside = self.axis.replace("/", ".")
        return {f"{inside}.{s.path}": _read(s.value) for s in self.defaults if s.value}

    @property
    def origins(self) -> tuple[str, ...]:
        """The kinds of source that `formula_from` names, of `ORIGINS` if it is in order."""
        told = re.sub(r"\([^)]*\)", "", self.formula_from.partition(";")[0])
        return tuple(kind.strip() for kind in told.split(" and ")) if told.strip() else ()

    @property
    def docstring(self) -> str:
        return "" if self.pieces or self.signature is None else self.signature.docstring

    @property
    def formula(self) -> str:
        """The first block of the docstring, its lines under each other as they stand in the source."""
        first, *rest = _blocks(self.docstring)[0].splitlines() if self.docstring else [""]
        quotes = 3 if rest and all(line.startswith("   ") for line in rest) else 0
        return "\n".join([first, *(line[quotes:] for line in rest)])

    @property
    def body(self) -> str:
        """The blocks between the formula and the differences."""
        return "\n\n".join(b for b in _blocks(self.docstring)[1:] if not _tells_difference(b))

    @property
    def differs(self) -> str:
        """What the code does otherwise than its source, as the docstring or the YAML's header says."""
        told = [b for b in _blocks(self.docstring) if _tells_difference(b)]
        if DIFFERS in self.notes:
            told.append(self.notes[self.notes.index(DIFFERS) :])
        return "\n\n".join(told)

    @property
    def papers(self) -> tuple[str, ...]:
        """arXiv ids, the method's own first: the header's, then the docstring's."""
        return tuple(dict.fromkeys(ARXIV.findall(f"{self.summary}\n{self.notes}\n{self.docstring}")))


def _read(text: str) -> Any:
    """A value as Hydra reads it: 1e9 is a number, which it is not for plain YAML."""
    return float(text) if re.fullmatch(r"[-+]?[\d.]+e[-+]?\d+", text, flags=re.IGNORECASE) else yaml.safe_load(text)


def _blocks(docstring: str) -> list[str]:
    return re.split(r"\n\s*\n", _split_differences(docstring)) if docstring else []


def _split_differences(docstring: str) -> str:
    """A paragraph that ends in "Differs from ..." lines becomes two."""
    return re.sub(rf"(?<!\n)\n(?={DIFFERS})", "\n\n", docstring)


def _tells_difference(block: str) -> bool:
    return block.lstrip().startswith(DIFFERS)
