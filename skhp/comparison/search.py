"""Search the learning rate and the batch size of a network."""

from __future__ import annotations

from typing import Any, Literal

import joblib
import numpy as np
from scipy.stats import loguniform, randint
from sklearn.model_selection import BaseCrossValidator, GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import Scorer, undefined_scores_are_zero

__all__ = [
    "BATCH_SIZES",
    "BATCH_SIZE_RANGE",
    "LEARNING_RATES",
    "LEARNING_RATE_RANGE",
    "SearchKind",
    "count_candidates",
    "search_network",
]

SearchKind = Literal["grid", "random"]

# What a random search draws from; the grid spans the same.
LEARNING_RATE_RANGE = (1e-5, 1e-1)
BATCH_SIZE_RANGE = (10, 60)

LEARNING_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
# Multiples of 10, so that networks of several sizes can share a program.
BATCH_SIZES = (10, 20, 40, 60)


def search_network(
    pipeline: Pipeline,
    X: object,
    y: np.ndarray,
    scorer: Scorer,
    folds: BaseCrossValidator,
    *,
    kind: SearchKind = "grid",
    n_candidates: int = 10,
    seed: int = 0,
) -> GridSearchCV | RandomizedSearchCV:
    """Score candidates of the last step of a pipeline by cross validation; none is refitted.

    The networks of all candidates and folds train together, where they can join a population.

    Parameters
    ----------
    pipeline : Pipeline
        Its last step has the parameters `learning_rate` and `batch_size`.
    X : array-like of shape (n_rows, n_columns)
    y : ndarray of int, shape (n_rows,)
    scorer : callable
        As scikit-learn's scorers.
    folds : cross validator
    kind : {"grid", "random"}, default="grid"
        Every pair of `LEARNING_RATES` and `BATCH_SIZES`, or draws from the two ranges: the
        logarithm of the learning rate is uniform.
    n_candidates : int, default=10
        Number of draws of a random search.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    GridSearchCV or RandomizedSearchCV
        Fitted, with ``cv_results_`` and ``best_params_``.
    """
    settings: dict[str, Any] = {
        "scoring": scorer,
        "cv": folds,
        "refit": False,
        "error_score": "raise",
    }
    network = pipeline.steps[-1][0]
    if kind == "grid":
        grid = {f"{network}__learning_rate": LEARNING_RATES, f"{network}__batch_size": BATCH_SIZES}
        search = GridSearchCV(pipeline, grid, **settings)
    else:
        low, high = BATCH_SIZE_RANGE
        distributions = {
            f"{network}__learning_rate": loguniform(*LEARNING_RATE_RANGE),
            f"{network}__batch_size": randint(low, high + 1),
        }
        search = RandomizedSearchCV(
            pipeline, distributions, n_iter=n_candidates, random_state=seed, **settings
        )
    # n_jobs is named, so that no outer context sends networks which cannot join to other processes.
    with undefined_scores_are_zero(), joblib.parallel_config(backend="skhp", n_jobs=None):
        return search.fit(X, y)


def count_candidates(kind: SearchKind, n_candidates: int = 10) -> int:
    """How many candidates `search_network` scores."""
    return len(LEARNING_RATES) * len(BATCH_SIZES) if kind == "grid" else n_candidates
