"""Finished folds, and the SQLite tables that hold them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from skhp.search.identity.value_descriptions import hashed
from skhp.search.scores import ScoredFit, Training

APPLICATION = 0x736B6870  # "skhp"
FORMAT = 2

# The number of the rung follows this prefix.
_RUNG_SCORE = "rung_score_"
_ONE_SCORE = "score"
_STOPPING_SCORE = "stopping_score"


class FoldKey(NamedTuple):
    """The key of a fit among the others of its search; `parameters` are canonical text.

    A halving search fits a candidate again on more rows in a later iteration; other searches have
    only iteration 0.
    """

    parameters: str
    fold: int
    iteration: int = 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class FinishedFold:
    """One candidate on one fold, fitted and scored, or failed.

    `scores` maps names such as ``test_score`` and ``train_score`` to numbers; `error` is the text
    of the error of a failed fit; `finished_at` is the time in UTC.
    """

    parameters: str
    fold: int
    scores: Mapping[str, float]
    fit_seconds: float
    score_seconds: float
    iteration: int = 0
    epochs: int | None = None
    best_epoch: int | None = None
    stop_reason: str | None = None
    error: str | None = None
    finished_at: str = field(default_factory=_now)

    @property
    def rung_scores(self) -> tuple[float, ...]:
        """The score by which the fit was ranked at each rung that it reached."""
        return tuple(score for name, score in self.scores.items() if name.startswith(_RUNG_SCORE))

    @property
    def key(self) -> FoldKey:
        """The key of this fit."""
        return FoldKey(self.parameters, self.fold, self.iteration)

    def plain(self) -> Self:
        """The same fold with Python's numbers in place of NumPy's, and text that can be encoded."""
        counts = self.epochs, self.best_epoch
        texts = self.stop_reason, self.error
        epochs, best_epoch = (None if count is None else int(count) for count in counts)
        stop_reason, error = (
            None if text is None else text.encode("utf-8", "backslashreplace").decode()
            for text in texts
        )
        return replace(
            self,
            fold=int(self.fold),
            iteration=int(self.iteration),
            scores={str(name): float(score) for name, score in self.scores.items()},
            fit_seconds=float(self.fit_seconds),
            score_seconds=float(self.score_seconds),
            epochs=epochs,
            best_epoch=best_epoch,
            stop_reason=stop_reason,
            error=error,
        )

    def checksum(self, search: str) -> str:
        """A digest of the plain content and of the search, by which damage is found."""
        content = [
            search,
            self.parameters,
            self.iteration,
            self.fold,
            [[name, score.hex()] for name, score in self.scores.items()],
            self.fit_seconds.hex(),
            self.score_seconds.hex(),
            self.epochs,
            self.best_epoch,
            self.stop_reason,
            self.error,
            self.finished_at,
        ]
        return hashed(json.dumps(content))


def finished_fold(
    key: FoldKey, result: Mapping[str, Any], rung_scores: Sequence[float]
) -> FinishedFold:
    """The record to keep of the result of one of scikit-learn's tasks."""
    scores, training = {}, Training(None, None, None, None)
    for part in ("test", "train"):
        given = result.get(f"{part}_scores")
        named = given if isinstance(given, dict) else {_ONE_SCORE: given}
        for name, score in named.items():
            if score is not None:
                scores[f"{part}_{name}"] = float(score)
            if part == "test" and isinstance(score, ScoredFit):
                training = score.training
    if training.stopping_score is not None:
        scores[_STOPPING_SCORE] = training.stopping_score
    scores |= {f"{_RUNG_SCORE}{number}": score for number, score in enumerate(rung_scores)}
    return FinishedFold(
        parameters=key.parameters,
        fold=key.fold,
        iteration=key.iteration,
        scores=scores,
        fit_seconds=result["fit_time"],
        score_seconds=result["score_time"],
        epochs=_whole(training.n_iter),
        best_epoch=_whole(training.best_epoch),
        stop_reason=training.stop_reason,
        error=result["fit_error"],
    )


def task_result(finished: FinishedFold, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The result that scikit-learn's task would have returned."""
    scores = dict(finished.scores)
    training = Training(
        n_iter=None if finished.epochs is None else float(finished.epochs),
        best_epoch=None if finished.best_epoch is None else float(finished.best_epoch),
        stop_reason=finished.stop_reason,
        stopping_score=scores.pop(_STOPPING_SCORE, None),
    )
    result: dict[str, Any] = {"fit_error": finished.error}
    for part in ("test", "train"):
        named = {
            name.removeprefix(f"{part}_"): score
            for name, score in scores.items()
            if name.startswith(f"{part}_")
        }
        if part == "test" and finished.error is None and named:
            first = next(iter(named))
            named[first] = ScoredFit(named[first], training)
        if named:
            result[f"{part}_scores"] = named.get(_ONE_SCORE, named) if len(named) == 1 else named
    result["n_test_samples"] = len(keywords["test"])
    result["fit_time"] = finished.fit_seconds
    result["score_time"] = finished.score_seconds
    return result


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


# ---------------------------------------------------------------- tables

# `search` is the digest of an identity, so that a row of another journal is recognised.
# `value` has no type, because SQLite would store -0.0 as 0.0 in a REAL column. It stores NaN as
# NULL.
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

_COLUMNS = tuple(part.name for part in fields(FinishedFold) if part.name != "scores")
_SELECT_FOLDS = (
    f"SELECT id, search, {', '.join(_COLUMNS)}, checksum FROM finished_folds ORDER BY id"  # noqa: S608
)
_INSERT_FOLD = (
    f"INSERT OR IGNORE INTO finished_folds (search, {', '.join(_COLUMNS)}, checksum) "  # noqa: S608
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 2))})"
)
_INSERT_SCORE = "INSERT INTO scores (fold_id, name, value) VALUES (?, ?, ?)"


def write_row(connection: sqlite3.Connection, search: str, finished: FinishedFold) -> None:
    """Commit one row of plain values, unless there is a row with the same key."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = [getattr(finished, name) for name in _COLUMNS]
        cursor = connection.execute(_INSERT_FOLD, (search, *row, finished.checksum(search)))
        if cursor.rowcount == 1:
            scores = [(cursor.lastrowid, name, score) for name, score in finished.scores.items()]
            connection.executemany(_INSERT_SCORE, scores)
        connection.execute("COMMIT")
    except BaseException:
        # After some errors, such as a full disk, SQLite has ended the transaction by itself.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def read_rows(connection: sqlite3.Connection, search: str) -> dict[FoldKey, FinishedFold]:
    """Read all rows, or raise sqlite3.Error, ValueError or TypeError if the file is damaged.

    Each row is compared with its checksum and with the search that it has to belong to.
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
    # Without a transaction, two statements would see two states of a file that others write.
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
    return hashed(f"{part}\n{value}")
