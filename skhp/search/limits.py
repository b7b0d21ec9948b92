"""Ends a search before its last candidate: by time, for want of improvement, by Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from skhp.search.observer import Candidates, SearchEnds, SearchObserver

StopReason = Literal["completed", "time_budget", "no_improvement", "interrupted"]

# Candidates of a first round, when nothing is known of how long one takes, and of any.
_FIRST_ROUND = 8
_LARGEST_ROUND = 256
# A round may take this share of the time that is left, since it is not broken off.
_SHARE_OF_ROUND = 0.25


class Limits(SearchObserver):
    """When a search ends early; its time runs from here.

    Parameters
    ----------
    seconds : float, default=None
        Bounds the time of the search.
    patience : int, default=None
        Bounds the candidates without a better `metric`.
    metric : str, default="mean_test_score"
        The name of a column of the results.
    keeps_finished : bool, default=False
        Whether Ctrl-C leaves the finished candidates.
    """

    def __init__(
        self,
        seconds: float | None = None,
        patience: int | None = None,
        metric: str = "mean_test_score",
        keeps_finished: bool = False,
    ) -> None:
        self._seconds, self._patience, self._metric = seconds, patience, metric
        self._keeps_finished = keeps_finished
        self._began = self._round_began = time.perf_counter()
        self._candidates = 0
        self._seconds_a_candidate: float | None = None
        self._results: Mapping[str, Any] | None = None
        self.reason: StopReason = "completed"

    def __bool__(self) -> bool:
        return self._seconds is not None or self._patience is not None or self._keeps_finished

    def largest_round(self) -> int | None:
        """As many as fit the time that is left; raises `SearchEnds` where a limit is reached."""
        self._obey()
        size = _LARGEST_ROUND
        if self._patience is not None:
            size = min(size, max(_FIRST_ROUND, self._patience))
        if self._keeps_finished or self._seconds is not None:
            size = min(size, _FIRST_ROUND if self._seconds_a_candidate is None else size)
        if self._seconds is not None and self._seconds_a_candidate:
            time_of_round = _SHARE_OF_ROUND * max(self._seconds_left(), 0.0)
            size = min(size, max(1, int(time_of_round / self._seconds_a_candidate)))
        return size

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Look at the clock."""
        self._round_began, self._candidates = time.perf_counter(), max(len(candidates), 1)

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """Learn how long a candidate takes, and how good each one is."""
        self._results = results
        self._seconds_a_candidate = (time.perf_counter() - self._round_began) / self._candidates

    def round_is_interrupted(self) -> None:
        """End the search with what is finished, where that is wanted and there is anything."""
        if self._keeps_finished and self._results is not None:
            self._end("interrupted")

    def _obey(self) -> None:
        """End the search before another round, if a limit is reached."""
        if self._results is None:
            return
        if self._patience is not None:
            scores = np.asarray(self._results[self._metric], float)
            if np.isfinite(scores).any():
                since_best = len(scores) - 1 - int(np.nanargmax(scores))
                if since_best >= self._patience:
                    self._end("no_improvement")
        if self._seconds is not None and self._seconds_left() <= 0:
            self._end("time_budget")

    def _end(self, reason: StopReason) -> None:
        self.reason = reason
        raise SearchEnds(reason)

    def _seconds_left(self) -> float:
        return (self._seconds or 0.0) - (time.perf_counter() - self._began)
