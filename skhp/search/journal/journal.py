"""The journal of a search: each fit is written down as it finishes, and found by the next run."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from skhp.exceptions import (
    JournalDamagedError,
    JournalError,
    JournalMismatchError,
    JournalWarning,
)
from skhp.search.identity.search_identity import SearchIdentity
from skhp.search.journal.file import (
    connection_for_writing,
    create_journal_file,
    is_without_room,
    read_rows,
    write_row,
)
from skhp.search.journal.finished_fold import FinishedFold, FoldKey
from skhp.search.journal.place import JournalPlace
from skhp.search.journal.reading import keep_copy, read_journal_file

__all__ = ["Journal"]


class Journal:
    """The finished fits of a search in an SQLite file that pandas can read.

    Threads may share a journal, and processes a file. What `record` has returned from outlives the
    process. Where the file can no longer be written, one `JournalWarning` says so and the search
    goes on without.

    Parameters
    ----------
    place : JournalPlace
    search : str
        The digest of its identity.
    connection : sqlite3.Connection or None
        None where the file cannot be written.
    answers : mapping
        What was finished when the file was opened.
    failure : Exception, default=None
        Why the file could not even be made; it is warned of.
    """

    def __init__(
        self,
        place: JournalPlace,
        search: str,
        connection: sqlite3.Connection | None,
        answers: Mapping[FoldKey, FinishedFold],
        failure: Exception | None = None,
    ) -> None:
        self._place = place
        self._search = search
        self._connection = connection
        self._answers = dict(answers)
        self._files = {} if connection is None else {place.file: _number(place.file)}
        self._records = True
        self._lock = threading.Lock()
        if failure is not None:
            self._give_up(failure)

    @classmethod
    def opened(cls, path: str | os.PathLike[str], identity: SearchIdentity) -> Self:
        """The journal of this search, made if there is none, else gone on with.

        Parameters
        ----------
        path : path
        identity : SearchIdentity
            What must be as it was when the journal was made.

        Returns
        -------
        Journal

        Raises
        ------
        JournalMismatchError
            The journal is of another search; the message says what differs.
        JournalDamagedError
            The file is damaged or no journal; a copy is kept beside it.
        JournalError
            The file cannot be made or read.
        """
        place, search = JournalPlace.of(path), identity.digest()
        try:
            if not place.file.exists():
                place.refuse_leftovers()
                create_journal_file(place.file, identity)
            recorded, answers = read_journal_file(path)
        except JournalDamagedError as error:
            raise keep_copy(place, error) from None
        except (OSError, sqlite3.Error) as error:
            if not is_without_room(error):
                # The whole of an error of the system would name a file that is gone again.
                reason = getattr(error, "strerror", None) or error
                raise JournalError(
                    f"the journal {place.given!r} cannot be made: {reason}; give `journal` a path "
                    "in a directory that exists and can be written"
                ) from None
            return cls(place, search, None, {}, failure=error)
        if differences := identity.differences(recorded):
            raise JournalMismatchError(
                f"the journal {place.given!r} is of another search. What differs: "
                f"{'; '.join(differences)}. Give `journal` another path, or delete "
                f"{place.all_files}, whichever are there, to start anew"
            )
        try:
            connection = connection_for_writing(place.file)
        except sqlite3.Error:
            connection = None  # A read-only place still answers.
        return cls(place, search, connection, answers)

    def answers(self) -> Mapping[FoldKey, FinishedFold]:
        """What is finished by now, here and in other processes that share the file."""
        with self._lock:
            if self._connection is not None and self._records:
                try:
                    self._answers = read_rows(self._connection, self._search)
                except (sqlite3.Error, ValueError, TypeError) as error:
                    self._give_up(error)
            return dict(self._answers)

    def record(self, finished: FinishedFold) -> None:
        """Write down a fit; of the same key, the first stays."""
        with self._lock:
            if not self._records:
                return
            try:
                if self._connection is None:
                    raise sqlite3.OperationalError("the file cannot be written")
                finished = finished.plain()
                self._write(self._connection, finished)
                self._answers.setdefault(finished.key, finished)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)

    def close(self) -> None:
        """Let go of the file; a fit that is recorded later is not written down."""
        with self._lock:
            records, self._records = self._records, False
            if self._connection is None:
                return
            problem = self._taken_away() if records else None
            connection, self._connection = self._connection, None
            # What is committed stays so; at worst it is not moved from one file to the other.
            with contextlib.suppress(sqlite3.Error):
                connection.close()
            if problem is not None:
                self._give_up(problem)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, connection: sqlite3.Connection, finished: FinishedFold) -> None:
        # Before, so that nothing is put beside a file of somebody else; and after, so that what is
        # said to be recorded is.
        if (problem := self._taken_away()) is not None:
            raise problem
        write_row(connection, self._search, finished)
        # While a connection that has read or written is open, nobody else removes the WAL.
        self._files.setdefault(self._place.wal, _number(self._place.wal))
        if (problem := self._taken_away()) is not None:
            raise problem

    def _taken_away(self) -> OSError | None:
        """Whether the files have gone: SQLite writes on into what has no name."""
        for path, number in self._files.items():
            if _number(path) != number:
                gone = "another file is in its place" if path.exists() else "it is no longer there"
                return FileNotFoundError(f"{self._place.named(path)} was taken away: {gone}")
        return None

    def _give_up(self, error: Exception) -> None:
        self._records = False
        warnings.warn(
            f"the journal {self._place.given!r} cannot be written: {error}; the search goes on "
            "without it, and what it finishes from here on is not recorded",
            JournalWarning,
            stacklevel=3,
        )


def _number(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of its name; while it is open, no other gets the number."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
