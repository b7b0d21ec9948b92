"""Search the learning rate and the batch size of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
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
from skhp.search.randomized import RandomizedSearchCV
from skhp.search.tpe import TPESearchCV
from skhp.study.candidate_count import CandidateCount

SearchKind = Literal["grid", "random", "halving", "bayes", "tpe"]

NetworkSearch = (
    GridSearchCV | RandomizedSearchCV | HalvingGridSearchCV | BayesSearchCV | TPESearchCV
)

# What the searches that draw may draw from; the grid spans the same.
LEARNING_RATE_RANGE = (1e-5, 1e-1)
BATCH_SIZE_RANGE = (10, 60)

LEARNING_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
# Multiples of 10, so that networks of several sizes can share a program.
BATCH_SIZES = (10, 20, 40, 60)

# Of the searches whose number of candidates is a choice. Those that learn from scores begin with
# draws at random, and need some rounds of 8 after these.
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
    n_candidates: int | None = None,
    seed: int = 0,
    time_budget: float | None = None,
    journal: Path | None = None,
    on_candidates: Callable[[int, float | None], None] | None = None,
) -> NetworkSearch:
    """Score candidates of the last step of a pipeline by cross validation; none is refitted.

    The networks of all candidates and folds train together, where they can join a population. When
    they stop is their own affair: the searcher does not change it.

    "grid" is every pair of `LEARNING_RATES` and `BATCH_SIZES`. "halving" trains the same pairs for
    few epochs, the best third of them for thrice as many, and so on up to the `epochs` of the
    network. Epochs, and not rows: of the few rows that a first round would have, a fold may hold
    none of the rare class, and early stopping needs a share of them for itself. The others draw the
    logarithm of the learning rate from its range: "random" without a plan, with any batch size in
    the range of these; "bayes" and "tpe" with one of `BATCH_SIZES`, in rounds of 8 that learn from
    the scores before.

    A `journal` that cannot be used is refused before any training. `on_candidates` is told how many
    candidates are done, and their highest mean score, whenever a fit is scored.
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
    search = _searcher(pipeline, kind, n_candidates, seed, settings).observed_by(count)
    # Named, so that no outer context sends networks which cannot join to other processes, where
    # nobody would count them. The searcher puts the population in its place.
    with undefined_scores_are_zero(), joblib.parallel_config(backend="sequential", n_jobs=None):
        return search.fit(X, y)


def count_candidates(kind: SearchKind, n_candidates: int | None = None, epochs: int = 200) -> int:
    """How many candidates `search_network` scores; in a halving search, in all its iterations.

    Examples
    --------
    >>> count_candidates("grid"), count_candidates("halving"), count_candidates("tpe")
    (20, 30, 32)
    """
    if kind in DEFAULT_CANDIDATES:
        return DEFAULT_CANDIDATES[kind] if n_candidates is None else n_candidates
    n_pairs = len(LEARNING_RATES) * len(BATCH_SIZES)
    if kind == "grid":
        return n_pairs
    # scikit-learn's own count is known only when the search is over.
    needed = math.floor(math.log(n_pairs, HALVING_FACTOR))
    fewest = max(1, epochs // HALVING_FACTOR**needed)
    possible = math.floor(math.log(epochs // fewest, HALVING_FACTOR))
    candidates = [n_pairs]
    for _ in range(min(needed, possible)):
        candidates.append(math.ceil(candidates[-1] / HALVING_FACTOR))
    return sum(candidates)


def winning_parameters(search: NetworkSearch) -> dict[str, Any]:
    """The parameters of the best candidate, without the epochs that a halving search gave it."""
    resource = getattr(search, "resource", None)
    return {name: value for name, value in search.best_params_.items() if name != resource}


def _searcher(
    pipeline: Pipeline, kind: SearchKind, n_candidates: Any, seed: int, settings: dict[str, Any]
) -> Any:
    network = pipeline.steps[-1][0]
    rate, size = f"{network}__learning_rate", f"{network}__batch_size"
    grid = {rate: LEARNING_RATES, size: BATCH_SIZES}
    if kind == "grid":
        return GridSearchCV(pipeline, grid, **settings)
    if kind == "halving":
        resource = f"{network}__{_EPOCHS}"
        return HalvingGridSearchCV(
            pipeline,
            grid,
            factor=HALVING_FACTOR,
            resource=resource,
            max_resources=pipeline.get_params()[resource],
            random_state=seed,
            return_train_score=False,
            **settings,
        )
    settings |= {"n_iter": n_candidates, "random_state": seed}
    if kind == "random":
        low, high = BATCH_SIZE_RANGE
        draws = {rate: loguniform(*LEARNING_RATE_RANGE), size: randint(low, high + 1)}
        return RandomizedSearchCV(pipeline, draws, **settings)
    # Measured on the digits: with the whole range of batch sizes, every round has programs of its
    # own, for twice the time and no better score.
    space = {rate: (*LEARNING_RATE_RANGE, "log-uniform"), size: list(BATCH_SIZES)}
    searcher = BayesSearchCV if kind == "bayes" else TPESearchCV
    return searcher(pipeline, space, **settings)
