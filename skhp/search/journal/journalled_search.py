"""A search whose finished fits are written down, and answered where they are known."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from skhp.population.parallel_call import Recalled
from skhp.search.checks.folds import FixedFolds
from skhp.search.identity.code_descriptions import UndescribableError
from skhp.search.identity.descriptions import CandidateTexts
from skhp.search.identity.search_identity import SearchIdentity, undescribable
from skhp.search.journal.finished_fold import RUNG_SCORE, FinishedFold, FoldKey
from skhp.search.journal.journal import Journal
from skhp.search.observer import PART_OF_SEARCH, Candidates, SearchObserver
from skhp.search.scores import ScoredFit, Training

_ONE_SCORE = "score"
_STOPPING_SCORE = "stopping_score"


class JournalledSearch(SearchObserver):
    """Stands between the tasks of a search and its journal.

    Parameters
    ----------
    path : path
        Of the journal; it is opened when the first task is known, and with it rows and folds.
    estimator : estimator
    scoring : object
    folds : FixedFolds
    settings : mapping
        What else decides a score.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        estimator: Any,
        scoring: Any,
        folds: FixedFolds,
        settings: Mapping[str, Any],
    ) -> None:
        self._path = path
        self._folds = folds
        self._parts = {"estimator": estimator, "scoring": scoring, "settings": dict(settings)}
        self._identity: SearchIdentity | None = None
        self._texts = CandidateTexts()
        self._journal: Journal | None = None
        self._answers: Mapping[FoldKey, FinishedFold] = {}
        self._iteration = 0

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Learn the iteration of a halving search, and what is finished by now."""
        if len(more_results.get("iter", ())):
            self._iteration = int(more_results["iter"][0])
            if self._journal is None:
                self._note_rounds(candidates, more_results)
        if self._journal is not None:
            self._answers = self._journal.answers()

    def _note_rounds(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """With the first round, how many rows each round has, which the other candidates decide."""
        settings = self._parts["settings"]
        if settings.get("resource") != "n_samples":
            return  # What grows stands among the parameters of each candidate.
        rounds = {"n_samples": int(more_results["n_resources"][0])}
        if settings.get("aggressive_elimination"):
            rounds["n_candidates"] = len(candidates)
        # In front, where the message shows them.
        self._parts["settings"] = rounds | settings

    def recalled(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recalled | None:
        """The result of a fit that the journal knows."""
        if self._journal is None:
            self._open(arguments[1], arguments[2], keywords)
        finished = self._answers.get(self._key(keywords))
        if finished is None:
            return None
        return Recalled(_result(finished, keywords), finished.epochs, finished.rung_scores)

    def fit_finished(
        self, keywords: Mapping[str, Any], result: Mapping[str, Any], rung_scores: Sequence[float]
    ) -> None:
        """Write a fit down."""
        key = self._key(keywords)
        if self._journal is not None and key not in self._answers:
            self._journal.record(_finished_fold(key, result, rung_scores))

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()
        if self._identity is not None:
            self._identity.remember_changes(**self._parts)

    def _open(self, X: Any, y: Any, keywords: Mapping[str, Any]) -> None:
        # Before any fit: what the user's code counts up is as it begins, in the next run as well.
        passed = {name: keywords.get(name) or {} for name in ("fit_params", "score_params")}
        identity = SearchIdentity.of(
            X, y, self._folds.folds or (), fit_params=passed, **self._parts
        )
        self._journal = Journal.opened(self._path, identity)
        self._identity = identity
        self._answers = self._journal.answers()

    def _key(self, keywords: Mapping[str, Any]) -> FoldKey:
        fold, _ = keywords[PART_OF_SEARCH]
        try:
            text = self._texts.text(keywords["parameters"])
        except UndescribableError as error:
            raise undescribable("parameters", error) from None
        return FoldKey(text, fold, self._iteration)


def _finished_fold(
    key: FoldKey, result: Mapping[str, Any], rung_scores: Sequence[float]
) -> FinishedFold:
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
    scores |= {f"{RUNG_SCORE}{number}": score for number, score in enumerate(rung_scores)}
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


def _result(finished: FinishedFold, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """What scikit-learn's task would have returned."""
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
