"""Replies on disk, by a hash of what was asked: nothing is paid for twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from crucible.errors import UserError
from crucible.rundir.atomic import explained, write_json


@dataclass(frozen=True, slots=True)
class Reply:
    """What a judge said, and the tokens that are billed for it."""

    text: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Cache:
    """One small file a reply, made whole or not at all: processes can share a folder, the last to write wins.

    Errors: UserError for a folder that cannot be written and for a file that is no reply.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        with explained("cannot create", folder):
            folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> Reply | None:
        path = self.path(key)
        try:
            return Reply(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is no reply of a judge ({error}); delete it") from None

    def put(self, key: str, reply: Reply) -> None:
        path = self.path(key)
        with explained("cannot create", path.parent):
            path.parent.mkdir(exist_ok=True)
        write_json(path, asdict(reply))

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"
