"""What is kept of one candidate on one fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple, Self

__all__ = ["RUNG_SCORE", "FinishedFold", "FoldKey"]

# Followed by the number of the rung.
RUNG_SCORE = "rung_score_"


class FoldKey(NamedTuple):
    """Which fit of a search: the candidate's parameters as canonical text, the fold, the iteration.

    A halving search fits a candidate again on more rows in a later iteration; other searches have
    iteration 0 only.
    """

    parameters: str
    fold: int
    iteration: int = 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class FinishedFold:
    """One candidate on one fold, fitted and scored, or failed.

    `parameters` is what `parameters_text` of the descriptions makes of the candidate; `scores` are
    by name, such as ``test_score`` and ``train_score``; `error` is the text of what made the fit
    fail, and None otherwise; `finished_at` is the time of day in UTC.
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
        """What the fit was ranked by at each rung that it reached, where it could be pruned."""
        return tuple(score for name, score in self.scores.items() if name.startswith(RUNG_SCORE))

    @property
    def key(self) -> FoldKey:
        """What tells this fit from the others of its search."""
        return FoldKey(self.parameters, self.fold, self.iteration)

    def plain(self) -> Self:
        """The same with Python's own numbers in place of NumPy's, and text that a file can hold."""
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
        """A digest of all that is kept, plain as it is, by which a damaged number is found.

        Parameters
        ----------
        search : str
            Of which search it is kept.
        """
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
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
