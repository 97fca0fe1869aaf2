"""False accepts and false rejects of a verifier on labelled data.

python analysis/audit_verifier.py reward=math_verify data=gsm8k.jsonl question=question answer=answer
python analysis/audit_verifier.py reward=gsm8k option=method=flexible data=gsm8k.jsonl out=audit.json   # keeps it too
python analysis/audit_verifier.py show=docs/results/verifier_audit.json                                 # as a table

question= takes several columns, which are put behind each other; of an answer that is a list the parts are joined by
commas; keep= is a regular expression whose first group is kept of an answer it matches; rows= takes the first rows.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from crucible.analysis import arguments
from crucible.analysis.audit import Audit, PlainAnswers, audit
from crucible.analysis.audit_tables import markdown, text
from crucible.config.compose import compose
from crucible.data.cells import Row
from crucible.data.jsonl import read_lines
from crucible.data.rows import Columns, prompts_of, read_rows
from crucible.errors import UserError
from crucible.parts import Parts
from crucible.rewards.runtime.runtime import Runtime
from crucible.rundir.atomic import explained, write_text
from crucible.types import Prompt

ROOT = Path(__file__).resolve().parents[1]


def audit_verifier(
    *,
    reward: str = "",
    option: tuple[str, ...] = (),
    data: Path | None = None,
    question: tuple[str, ...] = ("question",),
    answer: str = "answer",
    keep: str = "",
    name: str = "",
    rows: Annotated[int, ">= 1"] | None = None,
    accept: float = 0.5,
    examples: Annotated[int, ">= 0"] = 3,
    workers: Annotated[int, "1 to 1024"] = 2,
    timeout: Annotated[float, "> 0"] = 10.0,
    out: Path | None = None,
    show: Path | None = None,
) -> str:
    if show is not None:
        if not show.is_file():
            raise UserError(f"show={show}: no such file")
        return markdown(read_audits(show))
    if not reward or data is None:
        raise UserError("missing reward=... and data=..., or show=...")
    prompts = read_prompts(data, question, answer, keep)[:rows]
    if not prompts:
        raise UserError(f"{data} has no usable row")
    runtime = Runtime(workers=workers, timeout=timeout)
    try:
        node = compose([f"reward={reward}", *(f"reward.{o}" for o in option)], ROOT).config["reward"]
        built = Parts({}, reward_runtime=runtime, task=PlainAnswers(), seed=1).build(node)
        label = " ".join([reward, *option])
        found = audit(built, prompts, verifier=label, data=name or data.parent.name, accept=accept, examples=examples)
    finally:
        runtime.close()
    if out is not None:
        kept = [a for a in read_audits(out) if a.key() != found.key()]
        records = [json.dumps(a.as_json(), ensure_ascii=False) for a in sorted([*kept, found], key=Audit.key)]
        write_text(out, "[\n" + ",\n".join(records) + "\n]\n")
    return text(found)


def read_prompts(path: Path, question: tuple[str, ...], answer: str, keep: str) -> list[Prompt]:
    """The usable rows of a JSON Lines file, questions and answers as `data=jsonl` reads them."""

    try:
        kept = re.compile(keep)
    except re.error as error:
        raise UserError(f"keep={keep}: no regular expression: {error}") from error
    if keep and kept.groups < 1:
        raise UserError(f"keep={keep}: it needs a group, (...), of what is kept of an answer")

    def prepared(row: Row) -> Row:
        fields: dict[str, Any] = dict(row.fields)
        if all(column in fields for column in question):
            fields["the question"] = " ".join(str(fields[column]) for column in question)
        given = fields.get(answer)
        if isinstance(given, list):
            given = fields[answer] = ", ".join(str(part) for part in given)
        if keep and isinstance(given, str) and (match := kept.match(given)):
            fields[answer] = match[1]
        return replace(row, fields=fields)

    lines = (prepared(row) for row in read_lines(str(path)))
    found, rejected = read_rows(lines, Columns(prompt="the question", answer=answer), path.parent.name)
    if rejected:
        print(f"{len(rejected)} rows are left out, the first: {rejected[0]}", file=sys.stderr)
    return list(prompts_of(found.values()))


def read_audits(path: Path) -> list[Audit]:
    if not path.is_file():
        return []
    try:
        with explained("cannot read", path):
            return [Audit.of_json(record) for record in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f": {' '.join(str(error).split())}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(f"{path} holds no audits, as out= writes them{why}") from error


if __name__ == "__main__":
    sys.exit(arguments.run(audit_verifier, sys.argv[1:], usage=__doc__ or ""))
