"""A chain of thought as the selection sees it, and files of them: one JSON object a line.

    {"chain": "c17", "question": "q3", "prompt": "7+8=", "completion": "...", "answer": "15", "correct": true}

`question` may be left out: chains with the same prompt then have the same question. `answer`, `correct`, `kind` and
`chosen` may be left out; of a core file the chains with `"chosen": false` only say which patterns matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from crucible.data.split import content_id
from crucible.errors import UserError
from crucible.rundir.atomic import explained
from crucible.rundir.jsonl import write_jsonl


@dataclass(frozen=True, slots=True)
class CoT:
    """One chain of thought. `kind` is how a generated one was written, `correct` whether it ends right, if known."""

    id: str
    question: str
    prompt: str
    completion: str
    answer: str | None = None
    correct: bool | None = None
    kind: str | None = None
    chosen: bool = True

    def row(self) -> dict[str, Any]:
        fields = asdict(self)
        return {"chain": fields.pop("id"), **{k: v for k, v in fields.items() if v is not None and v != CHOSEN.get(k)}}


CHOSEN = {"chosen": True}
TEXTS = ("chain", "question", "prompt", "completion", "answer", "kind")
FLAGS = ("correct", "chosen")


def stream(path: Path) -> Iterator[CoT]:
    """The chains of a file, line by line. Errors: UserError that names file and line."""
    with explained("cannot read", path), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _read(line, f"{path}:{number}")


def read(path: Path) -> list[CoT]:
    """All chains of a file; no two may have one id. Errors: UserError, also for a file without any."""
    chains = list(stream(path))
    if not chains:
        raise UserError(f"{path} has no chains: one JSON object a line is expected, with prompt and completion")
    seen: set[str] = set()
    for chain in chains:
        if chain.id in seen:
            raise UserError(f"{path}: two chains have the id {chain.id!r}")
        seen.add(chain.id)
    return chains


def write(path: Path, chains: Iterable[CoT]) -> None:
    with explained("cannot write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(path, (chain.row() for chain in chains))


def _read(line: bytes, where: str) -> CoT:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not JSON ({str(error)[:60]})") from None
    if not isinstance(row, dict):
        raise UserError(f"{where} is no JSON object")
    for key in ("prompt", "completion"):
        if key not in row:
            raise UserError(f"{where} has no {key}; it has {', '.join(map(str, row)) or 'nothing'}")
    for key in TEXTS:
        if key in row and not isinstance(row[key], str):
            raise UserError(f"{where}: {key} must be a text")
    for key in FLAGS:
        if key in row and not isinstance(row[key], bool):
            raise UserError(f"{where}: {key} must be true or false")
    if not row["completion"].strip():
        raise UserError(f"{where} is an empty chain: its completion has no text")
    question = row.get("question") or content_id("question", row["prompt"])
    given = {key: row[key] for key in ("prompt", "completion", "answer", "correct", "kind", "chosen") if key in row}
    return CoT(
        id=row.get("chain") or content_id("chain", f"{question}\x1f{row['completion']}"), question=question, **given
    )


def digest(chains: Sequence[CoT]) -> str:
    """A hash of what is said in the chains, in this order."""
    found = blake2b(digest_size=12)
    for chain in chains:
        found.update(json.dumps([chain.question, chain.prompt, chain.completion]).encode())
    return found.hexdigest()
