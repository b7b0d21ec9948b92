"""Search the settings of a network, and count the candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import joblib
import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import Scorer, undefined_scores_are_zero
from skhp.population.report import PopulationProgress
from skhp.search.bayes import BayesSearchCV
from skhp.search.grid import GridSearchCV
from skhp.search.halving import HalvingGridSearchCV, HalvingRandomSearchCV
from skhp.search.observer import Candidates, SearchObserver
from skhp.search.randomized import RandomizedSearchCV
from skhp.search.tpe import TPESearchCV
from skhp.study.search_space import SearchKind, SearchSpace, WideSpace

NetworkSearch = (
    GridSearchCV
    | RandomizedSearchCV
    | HalvingGridSearchCV
    | HalvingRandomSearchCV
    | BayesSearchCV
    | TPESearchCV
)

OF_A_TABLE = SearchSpace()

HALVING_FACTOR = 3
_EPOCHS = "epochs"


def search_network(
    pipeline: Pipeline,
    X: object,
    y: np.ndarray,
    scorer: Scorer,
    folds: BaseCrossValidator,
    *,
    kind: SearchKind = "grid",
    space: SearchSpace | WideSpace = OF_A_TABLE,
    n_candidates: int | None = None,
    seed: int = 0,
    time_budget: float | None = None,
    journal: Path | None = None,
    on_candidates: Callable[[int, float | None], None] | None = None,
    on_training: Callable[[float, float | None], None] | None = None,
) -> NetworkSearch:
    """Score candidates of the last step of a pipeline by cross validation; none is refitted.

    "grid" tries the whole grid of the `space`. "halving" trains the same candidates (of a wide
    space: random ones) for few epochs, then the best third of them for three times as many, and so
    on up to the `epochs` of the network. (It does not begin with few rows instead, as a fold might
    then lack the rare class.) "random" draws at random, and prunes candidates of a wide space.
    "bayes" and "tpe" draw in rounds of 8 that learn from earlier scores.

    A `journal` that cannot be used is refused before any training. Whenever a fit is scored,
    `on_candidates` gets the number of finished candidates and their highest mean score. While
    networks train, `on_training` gets how many candidates the work done so far amounts to, beside
    the finished ones, and an estimate of the seconds that all candidates still take, or None.
    """

    def tell(done: int, best: float | None) -> None:
        if on_candidates is not None:
            on_candidates(done, best)

    most = 0
    if on_training is not None:
        most = count_candidates(
            kind, n_candidates, pipeline[-1].get_params().get(_EPOCHS, 1), space
        )
    count = CandidateCount(folds.get_n_splits(), tell, most, on_training)
    settings: dict[str, Any] = {
        "scoring": scorer,
        "cv": folds,
        "refit": False,
        "error_score": "raise",
        "early_stopping": False,
        "time_budget": time_budget,
        "journal": journal,
    }
    search = _searcher(pipeline, kind, space, n_candidates, seed, settings).observed_by(count)
    # The backend is set here because an outer context could send networks that cannot join a
    # population to other processes, where they would not be counted.
    with undefined_scores_are_zero(), joblib.parallel_config(backend="sequential", n_jobs=None):
        return search.fit(X, y)


def count_candidates(
    kind: SearchKind,
    n_candidates: int | None = None,
    epochs: int = 200,
    space: SearchSpace | WideSpace = OF_A_TABLE,
) -> int:
    """The number of candidates that `search_network` scores, summed over iterations of halving."""
    first = _first_candidates(kind, n_candidates, space)
    if kind != "halving":
        return first
    # scikit-learn's own count is known only after the search.
    needed = math.floor(math.log(first, HALVING_FACTOR))
    fewest = max(1, epochs // HALVING_FACTOR**needed)
    possible = math.floor(math.log(epochs // fewest, HALVING_FACTOR))
    candidates = [first]
    for _ in range(min(needed, possible)):
        candidates.append(math.ceil(candidates[-1] / HALVING_FACTOR))
    return sum(candidates)


def _first_candidates(
    kind: SearchKind, n_candidates: int | None, space: SearchSpace | WideSpace
) -> int:
    """The number of different candidates."""
    if n_candidates is None and isinstance(space, SearchSpace) and kind in ("grid", "halving"):
        return space.n_candidates
    return space.default_candidates[kind] if n_candidates is None else n_candidates


def winning_parameters(search: NetworkSearch) -> dict[str, Any]:
    """The parameters of the best candidate, without the epochs that a halving search gave it."""
    resource = getattr(search, "resource", None)
    return {name: value for name, value in search.best_params_.items() if name != resource}


def _searcher(
    pipeline: Pipeline,
    kind: SearchKind,
    space: SearchSpace | WideSpace,
    n_candidates: int | None,
    seed: int,
    settings: dict[str, Any],
) -> Any:
    network = pipeline.steps[-1][0]
    n_candidates = _first_candidates(kind, n_candidates, space)
    values = space.values_of(kind, network, n_candidates, seed)
    if kind == "grid":
        return GridSearchCV(pipeline, values, **settings)
    settings |= {"random_state": seed}
    if kind == "halving":
        resource = f"{network}__{_EPOCHS}"
        settings |= {
            "factor": HALVING_FACTOR,
            "resource": resource,
            "min_resources": "exhaust",
            "max_resources": pipeline.get_params()[resource],
            "return_train_score": False,
        }
        if isinstance(space, SearchSpace):
            return HalvingGridSearchCV(pipeline, values, **settings)
        return HalvingRandomSearchCV(pipeline, values, n_candidates=n_candidates, **settings)
    settings |= {"n_iter": n_candidates}
    if kind == "random":
        prune = None if space.rungs is None else {"rungs": space.rungs}
        return RandomizedSearchCV(pipeline, values, prune=prune, **settings)
    searcher = BayesSearchCV if kind == "bayes" else TPESearchCV
    return searcher(pipeline, values, **settings)


class CandidateCount(SearchObserver):
    """Reports how many candidates are finished, and their highest mean score or None.

    Within a round, it counts the scores of single fits, including fits from a journal; at the end
    of a round, it reads the results of the search.
    """

    def __init__(
        self,
        n_folds: int,
        tell: Callable[[int, float | None], None],
        total: int = 0,
        tell_of_training: Callable[[float, float | None], None] | None = None,
    ) -> None:
        self._n_folds = n_folds
        self._tell = tell
        self._total = total
        self._tell_of_training = tell_of_training
        self._done = self._finished = 0
        self._best: float | None = None
        self._scores: list[list[float]] = []

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Begin to count the candidates of a round."""
        self._scores = [[] for _ in candidates]
        self._tell_of_round()

    def fit_finished(
        self, keywords: Mapping[str, Any], result: Mapping[str, Any], rung_scores: Sequence[float]
    ) -> None:
        """Count a finished fit."""
        number, _ = keywords["candidate_progress"]
        self._scores[number].append(float(result["test_scores"]))
        self._tell_of_round()

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """Count all candidates of the round as finished, also those that ended with the time."""
        means = np.asarray(results["mean_test_score"], float)
        self._done, self._scores = len(means), []
        if "pruned_at_epoch" in results:
            # A pruned candidate is scored, but it is never the best.
            means = np.where(np.isfinite(results["pruned_at_epoch"]), np.nan, means)
        self._best = float(np.nanmax(means)) if np.isfinite(means).any() else None
        self._tell(self._done, self._best)

    def _tell_of_round(self) -> None:
        means = [fmean(scores) for scores in self._scores if len(scores) >= self._n_folds]
        best = max(means if self._best is None else [*means, self._best], default=None)
        self._finished = len(means)
        self._tell(self._done + len(means), best)

    def training_advanced(self, progress: PopulationProgress) -> None:
        """Tell of the work that the candidates in training amount to, and of the time left."""
        of_round = len(self._scores)
        if self._tell_of_training is None or not of_round:
            return
        left = progress.seconds_left
        if left is not None:
            # Candidates of later rounds take as long as those of this one.
            later = max(self._total - self._done - of_round, 0)
            left += later * (progress.seconds + left) / of_round
        done = progress.share_done * of_round
        self._tell_of_training(max(done - self._finished, 0.0), left)
