"""Reading the file of a journal, and finding whether it is a whole one."""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from skhp.exceptions import JournalDamagedError, JournalError, JournalMismatchError
from skhp.search.finished_fold import FinishedFold, FoldKey
from skhp.search.journal_file import (
    APPLICATION,
    BUSY_SECONDS,
    FORMAT,
    SCHEMA,
    part_checksum,
    read_rows,
)
from skhp.search.search_identity import SearchIdentity

__all__ = ["JournalContents", "keep_copy", "read_journal_file"]

_READ_ATTEMPTS = 3
_RETRY_SECONDS = 0.05
_NOT_OF_THE_FILE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}


class JournalContents(NamedTuple):
    """What a journal holds: of which search it is, and what that has finished."""

    identity: SearchIdentity
    finished: dict[FoldKey, FinishedFold]


class _UnreadableError(Exception):
    """What is wrong with a file; it may be read while another process is at work on it."""


class _ForeignFileError(JournalDamagedError):
    """A healthy file of something else."""


def read_journal_file(path: Path) -> JournalContents:
    """Read a journal and leave it as it is, unmoved data of a killed process included.

    Raises
    ------
    JournalDamagedError
        The file is damaged or no journal; the message says what was found.
    JournalMismatchError
        The file was written by another version of skhp.
    JournalError
        There is no such file, or it cannot be opened.
    """
    if path.is_dir():
        raise JournalError(f"the journal {str(path)!r} is a directory: give the path of a file")
    reason = ""
    for attempt in range(_READ_ATTEMPTS):
        # A process that moves data into the file meanwhile can make it look damaged.
        time.sleep(_RETRY_SECONDS * attempt)
        try:
            with _connection_for_reading(path) as connection:
                return _read_whole(path, connection)
        except FileNotFoundError:
            raise JournalError(f"no such journal: {str(path)!r}: give the path of one") from None
        except PermissionError as error:
            raise JournalError(f"the journal {str(path)!r} cannot be read: {error}") from None
        except _UnreadableError as error:
            reason = str(error)
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            if isinstance(error, JournalError):
                raise
            # The lower byte is the kind of the error, the rest tells more.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_OF_THE_FILE:
                raise JournalError(f"the journal {str(path)!r} cannot be read: {error}") from None
            reason = f"{type(error).__name__}: {error}"
        if not Path(f"{path}-shm").exists():
            break  # No process is at work on it.
    raise JournalDamagedError(f"the journal {str(path)!r} is damaged: {reason}")


@contextlib.contextmanager
def _connection_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes neither the file nor what is beside it."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise _UnreadableError("it is empty")
    if head != b"SQLite format 3\0":
        raise _UnreadableError(f"it is no SQLite file, it begins with {head!r}")
    wal, shared_memory = (Path(f"{path}{end}") for end in ("-wal", "-shm"))
    with contextlib.ExitStack() as stack:
        # SQLite would make both files beside one that has none of them, and leave them there.
        options = "mode=ro"
        if not shared_memory.exists():
            options = "immutable=1"
            if wal.exists() and wal.stat().st_size:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                path = _copied(path, folder / "journal")
                options = "mode=ro"
        yield stack.enter_context(
            contextlib.closing(
                sqlite3.connect(
                    f"{path.absolute().as_uri()}?{options}",
                    uri=True,
                    timeout=BUSY_SECONDS,
                    isolation_level=None,
                )
            )
        )


def _read_whole(path: Path, connection: sqlite3.Connection) -> JournalContents:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    schema = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    application, written_format = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if found == ["ok"] and application != APPLICATION and not SCHEMA.keys() & schema.keys():
        tables = ", ".join(sorted(schema)) or "no table"
        raise _ForeignFileError(
            f"{str(path)!r} is no journal but an SQLite file of something else, which holds "
            f"{tables}: name another path"
        )
    if found != ["ok"]:
        raise _UnreadableError("; ".join(" ".join(line.split()) for line in found))
    if application == APPLICATION and written_format != FORMAT:
        raise JournalMismatchError(
            f"the journal {str(path)!r} is of format {written_format}, which another version of "
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
    return JournalContents(SearchIdentity(**parts), read_rows(connection))


def keep_copy(path: Path, error: JournalDamagedError) -> JournalDamagedError:
    """Copy a damaged file, and return the error with the name of the copy and what to do.

    A copy that is there already, and is equal, is not made again; a healthy file of something else
    is not copied at all.
    """
    if isinstance(error, _ForeignFileError):
        return error
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
        f"{error}; {kept}. Delete the file to start anew, or give `journal` another path"
    )


def _copied(path: Path, copy: Path) -> Path:
    shutil.copyfile(path, copy)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
    return copy
