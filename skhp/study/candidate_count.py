"""Counts the candidates of a search while their folds are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from skhp.search.observer import Candidates, SearchObserver


class CandidateCount(SearchObserver):
    """Tells how many candidates are done, and their highest mean score.

    Within a round of candidates it goes by the scores of single fits, those that a journal holds
    included; at the end of a round, by the results of the search.

    `tell` takes the number of candidates done and the highest mean score, None before there is one.
    """

    def __init__(self, n_folds: int, tell: Callable[[int, float | None], None]) -> None:
        self._n_folds = n_folds
        self._tell = tell
        self._done = 0
        self._best: float | None = None
        self._scores: list[list[float]] = []

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """None of the candidates of the round is done yet."""
        self._scores = [[] for _ in candidates]
        self._tell_of_round()

    def fit_finished(
        self, keywords: Mapping[str, Any], result: Mapping[str, Any], rung_scores: Sequence[float]
    ) -> None:
        """A fit of one of the candidates is done."""
        number, _ = keywords["candidate_progress"]
        self._scores[number].append(float(result["test_scores"]))
        self._tell_of_round()

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """All candidates of the round are done."""
        means = np.asarray(results["mean_test_score"], float)
        self._done, self._scores = len(means), []
        self._best = float(np.nanmax(means)) if np.isfinite(means).any() else None
        self._tell(self._done, self._best)

    def _tell_of_round(self) -> None:
        means = [fmean(scores) for scores in self._scores if len(scores) >= self._n_folds]
        best = max(means if self._best is None else [*means, self._best], default=None)
        self._tell(self._done + len(means), best)
