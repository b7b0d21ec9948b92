"""The journal of a search: each fit is written down as it finishes, and found by the next run."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from skhp.exceptions import (
    JournalDamagedError,
    JournalError,
    JournalMismatchError,
    JournalWarning,
)
from skhp.population.cohorts.kept_states import KeptStates
from skhp.population.cohorts.state_files import StatePlace
from skhp.population.parallel_call import Recalled
from skhp.search.checks.folds import FixedFolds
from skhp.search.identity.code_descriptions import UndescribableError
from skhp.search.identity.descriptions import parameters_text
from skhp.search.identity.search_identity import SearchIdentity, undescribable
from skhp.search.journal.file import (
    JournalPlace,
    OpenFiles,
    connection_for_writing,
    create_journal_file,
    is_without_permission,
    is_without_room,
)
from skhp.search.journal.finished_folds import (
    FinishedFold,
    FoldKey,
    finished_fold,
    read_rows,
    task_result,
    write_row,
)
from skhp.search.journal.reading import keep_copy, read_journal_file
from skhp.search.journal.search_lock import SearchLock
from skhp.search.observer import PART_OF_SEARCH, Candidates, SearchObserver
from skhp.search.scores import stopped_by


class Journal:
    """The finished fits of a search in an SQLite file that pandas can read.

    Threads may share a journal, and processes may share its file. Once `record` has returned, the
    fit outlives the process. If the file can no longer be written, one `JournalWarning` says so,
    and the search goes on without it.

    `search` is the digest of the identity. `connection` is None if the file cannot be written;
    `failure` is the error if the file could not even be made.
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
        self._files = OpenFiles(place)
        if connection is not None:
            self._files.add(place.file)
        self._records = True
        self._lock = threading.Lock()
        if failure is not None:
            self._give_up(failure)

    @classmethod
    def opened(cls, path: str | os.PathLike[str], identity: SearchIdentity) -> Self:
        """Open the journal of this search, and make it if the file is absent.

        Raises a JournalError, or one of its subclasses, if something is wrong with the file. A
        damaged file is copied.
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
            if not (is_without_room(error) or is_without_permission(error)):
                raise JournalError(
                    f"the journal {place.given!r} cannot be made: {_reason(error)}; give "
                    "`journal` a path in a directory that exists and can be written"
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
            connection = None  # A journal that is read-only still has results.
        return cls(place, search, connection, answers)

    @property
    def states(self) -> StatePlace | None:
        """Where states of cohorts are kept; None if the journal cannot be written."""
        if self._connection is None or not self._records:
            return None
        return StatePlace(self._place.file, self._search)

    def warn(self, problem: str) -> None:
        """Warn of a problem, which does not end the search."""
        warnings.warn(f"the journal {self._place.given!r}: {problem}", JournalWarning, stacklevel=3)

    @property
    def place(self) -> JournalPlace:
        """Where the file lies."""
        return self._place

    @property
    def can_be_written(self) -> bool:
        """Whether the file was opened for writing, and no write has failed."""
        return self._connection is not None and self._records

    def answers(self) -> Mapping[FoldKey, FinishedFold]:
        """Each fit that is finished by now, here or in another process that shares the file."""
        with self._lock:
            if self._connection is not None and self._records:
                try:
                    self._answers = read_rows(self._connection, self._search)
                except (sqlite3.Error, ValueError, TypeError) as error:
                    self._give_up(error)
            return dict(self._answers)

    def record(self, finished: FinishedFold) -> None:
        """Write down a fit, unless one with the same key is there."""
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
        """Close the file; a fit that is recorded later is not written down."""
        with self._lock:
            records, self._records = self._records, False
            if self._connection is None:
                return
            problem = self._files.taken_away() if records else None
            connection, self._connection = self._connection, None
            # What is committed stays committed, at worst in the file beside the journal.
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
        # The files are checked before writing, so that nothing is put beside somebody else's file,
        # and afterwards, so that the file has each fit that is said to be recorded.
        if (problem := self._files.taken_away()) is not None:
            raise problem
        write_row(connection, self._search, finished)
        # While a connection that has read or written is open, nobody else removes the WAL.
        self._files.add(self._place.wal)
        if (problem := self._files.taken_away()) is not None:
            raise problem

    def _give_up(self, error: Exception) -> None:
        self._records = False
        warnings.warn(
            f"the journal {self._place.given!r} cannot be written: {_reason(error)}; the search "
            "goes on without it, and does not record the fits that it finishes from now on",
            JournalWarning,
            stacklevel=3,
        )


def _reason(error: Exception) -> object:
    # The whole text of an OSError would name a temporary file.
    return getattr(error, "strerror", None) or error


class JournalledSearch(SearchObserver):
    """An observer that finds known results of a search in its journal, and records new ones.

    It opens the journal at the first task, which has the rows, and waits there while another run of
    the same search uses it, for `patience` seconds if that is not None. `settings` are all else
    that affects the results.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        estimator: Any,
        scoring: Any,
        folds: FixedFolds,
        settings: Mapping[str, Any],
        patience: float | None = None,
    ) -> None:
        self._path = path
        self._lock: SearchLock | None = None
        self._until = None if patience is None else time.monotonic() + patience
        self._folds = folds
        self._parts = {"estimator": estimator, "scoring": scoring, "settings": dict(settings)}
        self._identity: SearchIdentity | None = None
        # The text of each candidate, by the `id` of its parameters, which are kept alive so that no
        # other candidate gets the same `id`. The text is made once: a candidate may hold a function
        # that counts its calls, which would change a later text.
        self._texts: dict[int, tuple[Mapping[str, Any], str]] = {}
        self._journal: Journal | None = None
        self._answers: Mapping[FoldKey, FinishedFold] = {}
        self._iteration = 0

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Note the iteration of a halving search, and the fits that are finished by now."""
        if len(more_results.get("iter", ())):
            self._iteration = int(more_results["iter"][0])
            if self._journal is None:
                self._note_rounds(candidates, more_results)
        if self._journal is not None:
            self._answers = self._journal.answers()

    def _note_rounds(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Add the number of rows of the first round, which depends on all candidates."""
        settings = self._parts["settings"]
        if settings.get("resource") != "n_samples":
            return  # Each candidate has the resource among its parameters.
        rounds = {"n_samples": int(more_results["n_resources"][0])}
        if settings.get("aggressive_elimination"):
            rounds["n_candidates"] = len(candidates)
        # They come first, because the message about a difference shows only the first settings.
        self._parts["settings"] = rounds | settings

    def recalled(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recalled | None:
        """The result of a fit that the journal knows."""
        if self._journal is None:
            self._open(arguments[1], arguments[2], keywords)
        finished = self._answers.get(self._key(keywords))
        if finished is None:
            return None
        return Recalled(task_result(finished, keywords), finished.epochs, finished.rung_scores)

    def fit_finished(
        self, keywords: Mapping[str, Any], result: Mapping[str, Any], rung_scores: Sequence[float]
    ) -> None:
        """Write a fit down, unless a time budget ended it: the next run trains it further."""
        if stopped_by(result) == "time_budget":
            return
        key = self._key(keywords)
        if self._journal is not None and key not in self._answers:
            self._journal.record(finished_fold(key, result, rung_scores))

    def kept_states(self, fits: Sequence[Mapping[str, Any]]) -> KeptStates | None:
        """What keeps the states of cohorts of these fits; None if there is nowhere to write."""
        if self._journal is None or self._journal.states is None:
            return None
        keys = [json.dumps(self._key(keywords)) for keywords in fits]
        return KeptStates(self._journal.states, keys, self._journal.warn)

    def search_is_complete(self) -> None:
        """Remove all states of cohorts, which no later run can go on from."""
        if self._journal is not None and self._journal.states is not None:
            self._journal.states.remove_all()

    def release(self) -> None:
        """Let another run of the search go on, which finds the results of this one."""
        if self._lock is not None:
            self._lock.release()

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
        self.release()
        if self._identity is not None:
            self._identity.remember_changes(**self._parts)

    def _open(self, X: Any, y: Any, keywords: Mapping[str, Any]) -> None:
        # Before any fit, as in the next run: the user's code has not counted anything yet.
        passed = {name: keywords.get(name) or {} for name in ("fit_params", "score_params")}
        identity = SearchIdentity.of(
            X, y, self._folds.folds or (), fit_params=passed, **self._parts
        )
        self._journal = Journal.opened(self._path, identity)
        self._identity = identity
        if self._journal.can_be_written:
            self._lock = SearchLock(self._journal.place)
            self._lock.wait(self._check_patience)
        self._answers = self._journal.answers()

    def _check_patience(self) -> None:
        if self._until is not None and time.monotonic() > self._until:
            raise JournalError(
                f"the journal {os.fspath(self._path)!r} is in use by another run of the same "
                "search, and the time budget of this one has passed while it waited: start it "
                "again when the other has ended, or give `journal` another path"
            )

    def _key(self, keywords: Mapping[str, Any]) -> FoldKey:
        fold, _ = keywords[PART_OF_SEARCH]
        parameters = keywords["parameters"]
        if id(parameters) not in self._texts:
            try:
                self._texts[id(parameters)] = parameters, parameters_text(parameters)
            except UndescribableError as error:
                raise undescribable("parameters", error) from None
        return FoldKey(self._texts[id(parameters)][1], fold, self._iteration)
