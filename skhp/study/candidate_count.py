"""Counts the candidates of a search while their folds are scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from skhp.exceptions import JournalError
from skhp.search.journal.reading import read_journal_file


class CandidateCount:
    """Tells how many candidates are done, and their highest mean score.

    Within a round of candidates it goes by the scores of single fits, those that a journal holds
    included; at the end of a round, by the results of the search.

    `tell` takes the number of candidates done and the highest mean score, None before there is one;
    `known_scores` gives the parameters and the score of each fit that an earlier run has finished.
    """

    def __init__(
        self,
        n_folds: int,
        tell: Callable[[int, float | None], None],
        known_scores: Callable[[], Iterable[tuple[Mapping[str, Any], float]]] | None = None,
    ) -> None:
        self._n_folds = n_folds
        self._tell = tell
        self._known_scores = known_scores or (lambda: ())
        self._done = 0
        self._best: float | None = None
        self._names: Sequence[str] = ()
        self._scores: dict[Hashable, list[float]] = {}

    def in_rounds(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """scikit-learn's `evaluate_candidates`, each call of which is a round."""

        def evaluating(candidate_params: Any, *arguments: Any, **keywords: Any) -> Any:
            candidates = list(candidate_params)
            self._begin(candidates)
            results = evaluate(candidates, *arguments, **keywords)
            self._end(results)
            return results

        return evaluating

    def scored(self, estimator: Any, score: float) -> None:
        """Take notice of the score of one fit."""
        if self._add(estimator.get_params(), score):
            self._tell_of_round()

    def _begin(self, candidates: Sequence[Mapping[str, Any]]) -> None:
        self._names = sorted({name for candidate in candidates for name in candidate})
        self._scores = {self._key(candidate): [] for candidate in candidates}
        for parameters, score in self._known_scores():
            self._add(parameters, score)
        self._tell_of_round()

    def _end(self, results: Mapping[str, Any]) -> None:
        means = np.asarray(results["mean_test_score"], float)
        self._done, self._scores = len(means), {}
        self._best = float(np.nanmax(means)) if np.isfinite(means).any() else None
        self._tell(self._done, self._best)

    def _add(self, parameters: Mapping[str, Any], score: float) -> bool:
        of_candidate = self._scores.get(self._key(parameters))
        if of_candidate is not None:
            of_candidate.append(float(score))
        return of_candidate is not None

    def _tell_of_round(self) -> None:
        means = [fmean(scores) for scores in self._scores.values() if len(scores) >= self._n_folds]
        best = max(means if self._best is None else [*means, self._best], default=None)
        self._tell(self._done + len(means), best)

    def _key(self, parameters: Mapping[str, Any]) -> Hashable:
        return tuple(parameters.get(name) for name in self._names)


def scores_in_journal(path: Path) -> list[tuple[dict[str, Any], float]]:
    """The parameters and the test score of each finished fit; for a look, without any check.

    Empty where there is no journal, or none that can be read: the search says why.
    """
    try:
        finished = read_journal_file(path).finished.values()
    except JournalError:
        return []
    return [
        (json.loads(fold.parameters), fold.scores["test_score"])
        for fold in finished
        if "test_score" in fold.scores
    ]
