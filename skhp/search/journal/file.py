"""The SQLite file of a journal: its tables, how it is made, and how rows go in and out."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from skhp.search.identity.search_identity import SearchIdentity
from skhp.search.journal.finished_fold import FinishedFold, FoldKey

__all__ = [
    "APPLICATION",
    "BUSY_SECONDS",
    "FORMAT",
    "SCHEMA",
    "connection_for_writing",
    "create_journal_file",
    "is_without_room",
    "part_checksum",
    "read_rows",
    "write_row",
]

APPLICATION = 0x736B6870  # "skhp"
FORMAT = 2
BUSY_SECONDS = 60.0

# `search` is that of the identity: a row that another journal has left counts for nothing here.
# `value` has no type: SQLite would make 0.0 of -0.0 in a REAL column. It keeps NaN as NULL.
SCHEMA = {
    "search": """CREATE TABLE search (
  part TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  checksum TEXT NOT NULL
)""",
    "finished_folds": """CREATE TABLE finished_folds (
  id INTEGER PRIMARY KEY,
  search TEXT NOT NULL,
  parameters TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  fold INTEGER NOT NULL,
  fit_seconds,
  score_seconds,
  epochs INTEGER,
  best_epoch INTEGER,
  stop_reason TEXT,
  error TEXT,
  finished_at TEXT NOT NULL,
  checksum TEXT NOT NULL,
  UNIQUE (parameters, iteration, fold)
)""",
    "scores": """CREATE TABLE scores (
  id INTEGER PRIMARY KEY,
  fold_id INTEGER NOT NULL REFERENCES finished_folds (id),
  name TEXT NOT NULL,
  value,
  UNIQUE (fold_id, name)
)""",
}

_COLUMNS = (
    "parameters",
    "iteration",
    "fold",
    "fit_seconds",
    "score_seconds",
    "epochs",
    "best_epoch",
    "stop_reason",
    "error",
    "finished_at",
)
_SELECT_FOLDS = (
    f"SELECT id, search, {', '.join(_COLUMNS)}, checksum FROM finished_folds ORDER BY id"  # noqa: S608
)
_INSERT_FOLD = (
    f"INSERT OR IGNORE INTO finished_folds (search, {', '.join(_COLUMNS)}, checksum) "  # noqa: S608
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 2))})"
)
_INSERT_SCORE = "INSERT INTO scores (fold_id, name, value) VALUES (?, ?, ?)"


# SQLite codes of a write that found no room; shared memory is a file, too.
_WITHOUT_ROOM = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}
# Where the header of an SQLite file says that it is read and written with a WAL, and how.
_MODE_BYTES, _WAL_MODE = slice(18, 20), b"\x02\x02"


def is_without_room(error: Exception) -> bool:
    """Whether a file could not be written for want of room, of which a search need not die."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(error, "sqlite_errorcode", None) in _WITHOUT_ROOM


def create_journal_file(path: Path, identity: SearchIdentity) -> None:
    """Make the journal of a search, unless the file is there.

    The file gets its name when it is complete, so that a process that is killed, a disk that is
    full, or two that begin at once, leave no half of one.

    Raises
    ------
    OSError, sqlite3.Error
        The file cannot be made.
    """
    content = _empty_journal(identity)
    with tempfile.TemporaryDirectory(prefix=f"{path.name[:64]}.new-", dir=path.parent) as folder:
        new = Path(folder) / "journal"
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            _name_if_free(new, path)


def _empty_journal(identity: SearchIdentity) -> bytes:
    # In memory, as SQLite's last word on a file that it closes is none where the disk is full.
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        for statement in SCHEMA.values():
            connection.execute(statement)
        for part, value in asdict(identity).items():
            row = part, value, part_checksum(part, value)
            connection.execute("INSERT INTO search VALUES (?, ?, ?)", row)
        content = bytearray(connection.serialize())
    content[_MODE_BYTES] = _WAL_MODE
    return bytes(content)


def _name_if_free(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:  # A file system without hard links.
        if path.exists():
            raise FileExistsError(path) from None
        new.rename(path)


def connection_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that waits for other processes; what it commits outlives the process."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # A commit is in the file of the system then, which is safe from a kill; an answer of the
        # disk to each of thousands would take longer than the fits.
        connection.execute("PRAGMA synchronous=NORMAL")
        # Few pages stay outside the file itself, in case a person copies it alone.
        connection.execute("PRAGMA wal_autocheckpoint=64")
    except BaseException:
        connection.close()
        raise
    return connection


def write_row(connection: sqlite3.Connection, search: str, finished: FinishedFold) -> None:
    """Commit one row of plain values of a search, unless there is one of the same key."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = [getattr(finished, name) for name in _COLUMNS]
        cursor = connection.execute(_INSERT_FOLD, (search, *row, finished.checksum(search)))
        if cursor.rowcount == 1:
            scores = [(cursor.lastrowid, name, score) for name, score in finished.scores.items()]
            connection.executemany(_INSERT_SCORE, scores)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has ended the transaction by itself after some errors, such as a full disk.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def read_rows(connection: sqlite3.Connection, search: str) -> dict[FoldKey, FinishedFold]:
    """Every row, each held to its checksum and to the search that it has to be of.

    Raises
    ------
    sqlite3.Error, ValueError, TypeError
        The file is damaged; the message says where.
    """
    with _one_view(connection):
        scores: dict[int, dict[str, float]] = {}
        for fold_id, name, value in connection.execute(
            "SELECT fold_id, name, value FROM scores ORDER BY id"
        ):
            scores.setdefault(fold_id, {})[name] = _as_float(value)
        finished = {}
        for fold_id, of_search, *values, checksum in connection.execute(_SELECT_FOLDS):
            columns: dict[str, Any] = dict(zip(_COLUMNS, values, strict=True))
            for name in ("fit_seconds", "score_seconds"):
                columns[name] = _as_float(columns[name])
            fold = FinishedFold(**columns, scores=scores.pop(fold_id, {}))
            if of_search != search:
                raise ValueError(f"row {fold_id} of finished_folds is of another search")
            if fold.checksum(search) != checksum:
                raise ValueError(f"row {fold_id} of finished_folds does not match its checksum")
            finished[fold.key] = fold
    if scores:
        raise ValueError(f"scores are of rows that are not there: {sorted(scores)}")
    return finished


@contextlib.contextmanager
def _one_view(connection: sqlite3.Connection) -> Iterator[None]:
    # Two statements would see two states of a file that another process writes.
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _as_float(value: Any) -> float:
    if value is not None and not isinstance(value, float):
        raise ValueError(f"a number was expected, found {value!r}")
    return float("nan") if value is None else value


def part_checksum(part: str, value: str) -> str:
    """A digest of one part of the identity."""
    return hashlib.sha256(f"{part}\n{value}".encode()).hexdigest()[:16]
