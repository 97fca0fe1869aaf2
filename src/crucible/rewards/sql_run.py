"""A query's rows on a small SQLite database in memory that the query can read and not change.

The database is built once and kept. A query may select and nothing else: every other action is refused by SQLite's
authorizer, also inside of a WITH; a text of several statements is refused. It may take `steps` steps of SQLite's
virtual machine, give `rows` rows, and make no value longer than 100 kB.
"""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path
from typing import Any

from crucible.errors import UserError

_EVERY = 1000  # steps of the virtual machine between two looks at the limit
_LONGEST_VALUE = 100_000  # bytes
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_NOT_IN_SCRIPTS = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)

Rows = list[tuple[Any, ...]]


def run(database: str, query: str, *, steps: int, rows: int) -> Rows | None:
    """The rows of `query`; None where it is no query, breaks, or needs more than it may.

    `database`: the path of an SQLite file, or a script that builds one (CREATE TABLE ..., INSERT ...).
    Errors: UserError for a database that cannot be read or built.
    """
    connection, taken = _opened(database), 0

    def count() -> int:
        nonlocal taken
        taken += _EVERY
        return taken > steps

    connection.set_progress_handler(count, _EVERY)
    try:
        found = connection.execute(query).fetchmany(rows + 1)
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError):  # no query, or one that asks for too much
        return None
    finally:
        connection.set_progress_handler(None, 0)
    return found if len(found) <= rows else None


@functools.lru_cache(maxsize=8)
def _opened(database: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        if _is_script(database):
            connection.set_authorizer(_script_action)
            connection.executescript(database)
        elif Path(database).is_file():
            source = sqlite3.connect(f"{Path(database).resolve().as_uri()}?mode=ro", uri=True)
            source.backup(connection)
            source.close()
        else:
            raise UserError(f"reward=sql: there is no SQLite file {database}")
        connection.commit()
        connection.execute("PRAGMA temp_store = MEMORY")  # what is sorted goes to no file
    except sqlite3.Error as error:
        raise UserError(f"reward=sql: cannot build the database {database[:60]!r}: {error}") from None
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(_query_action)
    return connection


def _is_script(database: str) -> bool:
    return "\n" in database or "create " in database.lower()


def _query_action(action: int, first: str | None, second: str | None, *_: Any) -> int:
    loads = action == sqlite3.SQLITE_FUNCTION and str(second).lower() == "load_extension"
    return sqlite3.SQLITE_OK if action in _ALLOWED and not loads else sqlite3.SQLITE_DENY


def _script_action(action: int, first: str | None, second: str | None, *_: Any) -> int:
    return sqlite3.SQLITE_DENY if action in _NOT_IN_SCRIPTS else sqlite3.SQLITE_OK
