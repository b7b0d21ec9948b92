"""Reads the file of a journal, and tells whether it is whole."""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from skhp.exceptions import JournalDamagedError, JournalError, JournalMismatchError
from skhp.search.identity.search_identity import SearchIdentity
from skhp.search.journal.file import BUSY_SECONDS, JournalPlace, is_without_room
from skhp.search.journal.finished_folds import (
    APPLICATION,
    FORMAT,
    SCHEMA,
    FinishedFold,
    FoldKey,
    part_checksum,
    read_rows,
)

_SQLITE = b"SQLite format 3\0"
_HEADER_BYTES = 100
_APPLICATION_BYTES = slice(68, 72)
_READ_ATTEMPTS = 3
_RETRY_SECONDS = 0.05
_NOT_FROM_CONTENT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}


class JournalContents(NamedTuple):
    """What a journal holds: the identity of its search, and the folds that are finished."""

    identity: SearchIdentity
    finished: dict[FoldKey, FinishedFold]


class _UnreadableError(Exception):
    """A file cannot be read, perhaps only while another process writes to it."""


class _LeftAloneError(JournalDamagedError):
    """A file that is not a journal, and that nobody should delete."""


class _LeftBesideError(JournalDamagedError):
    """A journal is whole, but a file beside it is not."""


def read_journal_file(path: str | os.PathLike[str]) -> JournalContents:
    """Read a journal, and change neither it nor files that a killed process has left beside it.

    Raises a JournalError, or one of its subclasses, if something is wrong with the file.
    """
    place = JournalPlace.of(path)
    if place.file.exists():
        place.refuse_rollback()
    reason, in_use = "", place.shared_memory.exists()
    for attempt in range(_READ_ATTEMPTS):
        # While another process moves data into the file, the file can look damaged.
        time.sleep(_RETRY_SECONDS * attempt)
        try:
            with _connection_for_reading(place, in_use) as connection:
                return _read_whole(place, connection)
        except FileNotFoundError:
            place.refuse_leftovers()
            raise JournalError(f"no such journal: {place.given!r}: give the path of one") from None
        except OSError as error:
            if is_without_room(error):
                raise
            raise JournalError(f"the journal {place.given!r} cannot be read: {error}") from None
        except _UnreadableError as error:
            reason = str(error)
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            if in_use and is_without_room(error):
                in_use = False  # Without room for shared memory, no process can use the journal.
                continue
            if isinstance(error, JournalError) or is_without_room(error):
                raise
            # The lowest byte of the code is the kind of error.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_FROM_CONTENT:
                raise JournalError(f"the journal {place.given!r} cannot be read: {error}") from None
            reason = f"{type(error).__name__}: {error}"
        if not in_use:
            break
    if _is_whole_alone(place):
        wal, shared_memory = map(place.named, (place.wal, place.shared_memory))
        raise _LeftBesideError(
            f"the journal {place.given!r} is whole, but {wal} beside it does not belong to it, or "
            f"is damaged ({reason}): move that and {shared_memory} away to go on with the content "
            "of the journal alone, or give `journal` another path"
        )
    raise JournalDamagedError(f"the journal {place.given!r} is damaged: {reason}")


@contextlib.contextmanager
def _connection_for_reading(place: JournalPlace, in_use: bool) -> Iterator[sqlite3.Connection]:
    """A connection that changes neither the file nor the files beside it.

    `in_use` tells whether another process may use the journal.
    """
    _refuse_other_kinds(place)
    with contextlib.ExitStack() as stack:
        # Without these options SQLite would make the two files beside the journal, and leave them.
        file, options = place.file, "mode=ro"
        if not in_use:
            options = "immutable=1"
            if place.wal.exists() and place.wal.stat().st_size:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                file = _copied(place.file, folder / "journal")
                options = "mode=ro"
        yield stack.enter_context(_connected(file, options))


def _connected(file: Path, options: str) -> contextlib.closing[sqlite3.Connection]:
    connection = sqlite3.connect(
        f"{file.as_uri()}?{options}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    # A schema of somebody else may call no function that does more than compute.
    connection.execute("PRAGMA trusted_schema = OFF")
    return contextlib.closing(connection)


def _refuse_other_kinds(place: JournalPlace) -> None:
    with place.file.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head.startswith(_SQLITE):
        found = f"not an SQLite file, it begins with {head[: len(_SQLITE)]!r}" if head else "empty"
        raise _LeftAloneError(
            f"{place.given!r} is not a journal: it is {found}. The file is left as it is"
        )
    if len(head) < _HEADER_BYTES:
        raise _UnreadableError("it ends within its header")
    if head[_APPLICATION_BYTES] != APPLICATION.to_bytes(4):
        raise _LeftAloneError(
            f"{place.given!r} is not a journal but an SQLite file of something else, "
            f"{_tables_of(place.file)}. The file is left as it is"
        )


def _tables_of(file: Path) -> str:
    try:
        with _connected(file, "immutable=1") as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return f"which holds {', '.join(sorted(name for (name,) in names)) or 'no table'}"
    except sqlite3.Error as error:
        return f"which cannot be read ({error})"


def _is_whole_alone(place: JournalPlace) -> bool:
    """Whether a file is a journal without the files beside it."""
    try:
        if not place.wal.stat().st_size:
            return False
        with _connected(place.file, "immutable=1") as connection:
            _read_whole(place, connection)
    except (OSError, sqlite3.Error, ValueError, TypeError, OverflowError, _UnreadableError):
        return False
    return True


def _read_whole(place: JournalPlace, connection: sqlite3.Connection) -> JournalContents:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    schema = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    application, written_format = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if found != ["ok"]:
        raise _UnreadableError("; ".join(" ".join(line.split()) for line in found))
    if application == APPLICATION and written_format != FORMAT:
        raise JournalMismatchError(
            f"the journal {place.given!r} is of format {written_format}, which another version of "
            f"skhp wrote; this one has format {FORMAT}: name another path"
        )
    if application != APPLICATION or any(schema.get(name) != SCHEMA[name] for name in SCHEMA):
        raise _UnreadableError("its tables are not those of a journal")
    parts = {}
    for part, value, checksum in connection.execute("SELECT part, value, checksum FROM search"):
        if checksum != part_checksum(part, value):
            raise _UnreadableError(f"part {part!r} of the table search does not match its checksum")
        parts[part] = value
    if parts.keys() != {part.name for part in fields(SearchIdentity)}:
        raise _UnreadableError(f"the table search holds {', '.join(sorted(parts)) or 'nothing'}")
    identity = SearchIdentity(**parts)
    return JournalContents(identity, read_rows(connection, identity.digest()))


def keep_copy(place: JournalPlace, error: JournalDamagedError) -> JournalDamagedError:
    """Copy a damaged file, and return the error with the name of the copy and what to do.

    An existing equal copy is used again. A file that nobody should delete is not copied.
    """
    if isinstance(error, _LeftBesideError):
        return error
    if isinstance(error, _LeftAloneError):
        return JournalDamagedError(f"{error}; give `journal` another path")
    path = place.file
    for number in itertools.count(1):
        copy = path.with_name(f"{path.name}.damaged-{number}")
        try:
            if copy.exists():
                if not filecmp.cmp(path, copy, shallow=False):
                    continue
            else:
                _copied(path, copy)
            kept = f"a copy is kept as {copy.name!r}"
        except OSError as problem:
            kept = f"no copy could be made ({problem.strerror})"
        break
    return JournalDamagedError(
        f"{error}; {kept}. Give `journal` another path, or delete {place.all_files}, whichever are "
        "there, to start anew"
    )


def _copied(path: Path, copy: Path) -> Path:
    shutil.copyfile(path, copy)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
    return copy
