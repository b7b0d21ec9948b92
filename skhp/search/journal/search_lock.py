"""Lets one run of a search at a time train from a journal, while other runs wait for it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from skhp.search.journal.file import JournalPlace, file_number

_ENDING = "-lock"
_SECONDS_BETWEEN_TRIES = 0.1

# The threads of this process that hold a lock, by its path. A thread that waited for itself would
# wait for ever.
_holders: dict[Path, int] = {}

_log = logging.getLogger("skhp")


class SearchLock:
    """A lock beside a journal; the operating system frees it, whatever ends the process.

    It is an SQLite file that stays empty, because SQLite's locks also tell the threads of a process
    apart, and work on each operating system.
    """

    def __init__(self, place: JournalPlace) -> None:
        self._place = place
        self._path = place.file.with_name(f"{place.file.name}{_ENDING}")
        self._connection: sqlite3.Connection | None = None

    def wait(self, goes_on: Callable[[], None]) -> None:
        """Wait until no other run holds the lock, and take it; call `goes_on` before each try.

        Where no lock can be made, as in a folder that is read-only or full, nobody waits.
        """
        if _holders.get(self._path) == threading.get_ident():
            return
        has_told = False
        while not self._try():
            if not has_told:
                _log.warning(
                    "the journal %r is in use by another run of the same search: this one waits "
                    "until that has ended, and then takes its results",
                    self._place.given,
                )
                has_told = True
            goes_on()
            time.sleep(_SECONDS_BETWEEN_TRIES)

    def release(self) -> None:
        """Let another run go on."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _holders.pop(self._path, None)
            # While the lock is held, nobody else can take the file for theirs.
            with contextlib.suppress(OSError):
                self._path.unlink()
            connection.close()

    def _try(self) -> bool:
        """Take the lock, if no other run holds it; True also if there cannot be a lock."""
        try:
            self._path.touch()
        except OSError:
            return True
        before = file_number(self._path)
        try:
            connection = self._locked()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            has_vanished = code == sqlite3.SQLITE_CANTOPEN and not self._path.exists()
            return code != sqlite3.SQLITE_BUSY and not has_vanished
        # The run that held the lock may have removed this file meanwhile.
        if before is None or file_number(self._path) != before:
            connection.close()
            return False
        self._connection = connection
        _holders[self._path] = threading.get_ident()
        return True

    def _locked(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except BaseException:
            connection.close()
            raise
        return connection
