"""Search the learning rate and the batch size of a network, and count the candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import joblib
import numpy as np
from scipy.stats import loguniform, randint
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import Scorer, undefined_scores_are_zero
from skhp.search.bayes import BayesSearchCV
from skhp.search.grid import GridSearchCV
from skhp.search.halving import HalvingGridSearchCV
from skhp.search.observer import Candidates, SearchObserver
from skhp.search.randomized import RandomizedSearchCV
from skhp.search.tpe import TPESearchCV

SearchKind = Literal["grid", "random", "halving", "bayes", "tpe"]

NetworkSearch = (
    GridSearchCV | RandomizedSearchCV | HalvingGridSearchCV | BayesSearchCV | TPESearchCV
)

LEARNING_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
# Multiples of 10, so that networks with several batch sizes can share a program.
BATCH_SIZES = (10, 20, 40, 60)


@dataclass(frozen=True)
class SearchSpace:
    """The values of a grid; searches that draw candidates take them as ranges."""

    learning_rates: tuple[float, ...] = LEARNING_RATES
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    more: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def n_candidates(self) -> int:
        """The number of candidates in the grid."""
        more = math.prod(map(len, self.more.values()))
        return len(self.learning_rates) * len(self.batch_sizes) * more

    def values_of(self, network: str) -> dict[str, Sequence[Any]]:
        """The values of each parameter, under its name in a pipeline with a step `network`."""
        of_all = {"learning_rate": self.learning_rates, "batch_size": self.batch_sizes, **self.more}
        return {f"{network}__{name}": list(values) for name, values in of_all.items()}


OF_A_TABLE = SearchSpace()

# The searches whose number of candidates can be set. Searches that learn from scores need several
# rounds of 8 candidates after their first random draws.
DEFAULT_CANDIDATES = {"random": 10, "bayes": 32, "tpe": 32}

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
    space: SearchSpace = OF_A_TABLE,
    n_candidates: int | None = None,
    seed: int = 0,
    time_budget: float | None = None,
    journal: Path | None = None,
    on_candidates: Callable[[int, float | None], None] | None = None,
) -> NetworkSearch:
    """Score candidates of the last step of a pipeline by cross validation; none is refitted.

    "grid" tries the whole grid of the `space`. "halving" trains the same candidates for few epochs,
    the best third of them for three times as many, and so on up to the `epochs` of the network. (It
    does not begin with few rows instead, as a fold might then lack the rare class.) The other
    searches draw the learning rate log-uniformly. "random" draws any batch size in the range.
    "bayes" and "tpe" draw one of the batch sizes, in rounds of 8 that learn from earlier scores.

    A `journal` that cannot be used is refused before any training. Whenever a fit is scored,
    `on_candidates` gets the number of finished candidates and their highest mean score.
    """

    def tell(done: int, best: float | None) -> None:
        if on_candidates is not None:
            on_candidates(done, best)

    count = CandidateCount(folds.get_n_splits(), tell)
    settings: dict[str, Any] = {
        "scoring": scorer,
        "cv": folds,
        "refit": False,
        "error_score": "raise",
        "early_stopping": False,
        "time_budget": time_budget,
        "journal": journal,
    }
    n_candidates = DEFAULT_CANDIDATES.get(kind) if n_candidates is None else n_candidates
    search = _searcher(pipeline, kind, space, n_candidates, seed, settings).observed_by(count)
    # The backend is set here because an outer context could send networks that cannot join a
    # population to other processes, where they would not be counted.
    with undefined_scores_are_zero(), joblib.parallel_config(backend="sequential", n_jobs=None):
        return search.fit(X, y)


def count_candidates(
    kind: SearchKind,
    n_candidates: int | None = None,
    epochs: int = 200,
    space: SearchSpace = OF_A_TABLE,
) -> int:
    """The number of candidates that `search_network` scores, summed over iterations of halving."""
    if kind in DEFAULT_CANDIDATES:
        return DEFAULT_CANDIDATES[kind] if n_candidates is None else n_candidates
    in_grid = space.n_candidates
    if kind == "grid":
        return in_grid
    # scikit-learn's own count is known only after the search.
    needed = math.floor(math.log(in_grid, HALVING_FACTOR))
    fewest = max(1, epochs // HALVING_FACTOR**needed)
    possible = math.floor(math.log(epochs // fewest, HALVING_FACTOR))
    candidates = [in_grid]
    for _ in range(min(needed, possible)):
        candidates.append(math.ceil(candidates[-1] / HALVING_FACTOR))
    return sum(candidates)


def winning_parameters(search: NetworkSearch) -> dict[str, Any]:
    """The parameters of the best candidate, without the epochs that a halving search gave it."""
    resource = getattr(search, "resource", None)
    return {name: value for name, value in search.best_params_.items() if name != resource}


def _searcher(
    pipeline: Pipeline,
    kind: SearchKind,
    space: SearchSpace,
    n_candidates: Any,
    seed: int,
    settings: dict[str, Any],
) -> Any:
    network = pipeline.steps[-1][0]
    rate, size = f"{network}__learning_rate", f"{network}__batch_size"
    values = space.values_of(network)
    if kind == "grid":
        return GridSearchCV(pipeline, values, **settings)
    if kind == "halving":
        resource = f"{network}__{_EPOCHS}"
        return HalvingGridSearchCV(
            pipeline,
            values,
            factor=HALVING_FACTOR,
            resource=resource,
            max_resources=pipeline.get_params()[resource],
            random_state=seed,
            return_train_score=False,
            **settings,
        )
    settings |= {"n_iter": n_candidates, "random_state": seed}
    low, high = min(space.learning_rates), max(space.learning_rates)
    if kind == "random":
        sizes = randint(min(space.batch_sizes), max(space.batch_sizes) + 1)
        draws = {**values, rate: loguniform(low, high), size: sizes}
        return RandomizedSearchCV(pipeline, draws, **settings)
    # Drawing from the whole range of batch sizes would compile new programs in each round: on the
    # digits, the search took twice as long and scored no better.
    drawn = {**values, rate: (low, high, "log-uniform")}
    searcher = BayesSearchCV if kind == "bayes" else TPESearchCV
    return searcher(pipeline, drawn, **settings)


class CandidateCount(SearchObserver):
    """Reports how many candidates are finished, and their highest mean score or None.

    Within a round, it counts the scores of single fits, including fits from a journal; at the end
    of a round, it reads the results of the search.
    """

    def __init__(self, n_folds: int, tell: Callable[[int, float | None], None]) -> None:
        self._n_folds = n_folds
        self._tell = tell
        self._done = 0
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
        """Count all candidates of the round as finished."""
        means = np.asarray(results["mean_test_score"], float)
        self._done, self._scores = len(means), []
        self._best = float(np.nanmax(means)) if np.isfinite(means).any() else None
        self._tell(self._done, self._best)

    def _tell_of_round(self) -> None:
        means = [fmean(scores) for scores in self._scores if len(scores) >= self._n_folds]
        best = max(means if self._best is None else [*means, self._best], default=None)
        self._tell(self._done + len(means), best)
