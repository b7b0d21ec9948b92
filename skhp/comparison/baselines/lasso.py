"""The baseline that a network has to beat: logistic regression with lasso, well tuned."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import BaseCrossValidator, GridSearchCV
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import Scorer, undefined_scores_are_zero

# From "no input matters" to hardly any penalty, for scaled inputs and hundreds of rows or more.
BASELINE_C = np.logspace(-3, 1, 9)


class QuietSearch(GridSearchCV):
    """A search that does not warn of the convergence of its candidates.

    They are ours, so that nobody could mend it: a strength at which the solver does not come to
    its end in time is judged by its score as any other.
    """

    def fit(self, X: Any, y: Any = None, **parameters: Any) -> Self:
        """Fit as scikit-learn's own search does."""
        with without_convergence_warnings():
            return super().fit(X, y, **parameters)


@contextmanager
def without_convergence_warnings() -> Iterator[None]:
    """Where a model of ours is fitted, whose strength was tuned as it is."""
    with warnings.catch_warnings():
        # By their words, as a network may warn by this class of something else.
        for words in ("Liblinear failed", "The max_iter was reached", "Objective did not"):
            warnings.filterwarnings("ignore", words, ConvergenceWarning)
        yield


def make_lasso(n_classes: int, seed: int = 0) -> LogisticRegression:
    """Logistic regression with an l1 penalty, for scaled inputs.

    Examples
    --------
    >>> make_lasso(2).solver, make_lasso(3).solver
    ('liblinear', 'saga')
    """
    if n_classes == 2:
        # Measured on five tables: the lower objective in a tenth of saga's time. It penalises the
        # intercept as well, which a large intercept_scaling makes next to nothing.
        lasso = LogisticRegression(solver="liblinear", intercept_scaling=100, random_state=seed)
    else:
        # The only solver of the multinomial lasso. With the default tol it takes thousands of
        # passes without a better F1.
        lasso = LogisticRegression(solver="saga", tol=1e-3, max_iter=5000, random_state=seed)
    # Up to scikit-learn 1.7 penalty says which penalty it is; since 1.8 that is deprecated, and
    # l1_ratio says it alone.
    by_penalty = lasso.get_params().get("penalty") == "l2"
    return lasso.set_params(**({"penalty": "l1"} if by_penalty else {"l1_ratio": 1.0}))


def tune_baseline(
    preparation: TransformerMixin,
    X: object,
    y: np.ndarray,
    scorer: Scorer,
    folds: BaseCrossValidator,
    seed: int = 0,
) -> GridSearchCV:
    """Tune the strength of the lasso by cross validation."""
    with undefined_scores_are_zero():
        return lasso_search(preparation, len(np.unique(y)), scorer, folds, seed).fit(X, y)


def lasso_search(
    preparation: TransformerMixin,
    n_classes: int,
    scorer: Any,
    folds: BaseCrossValidator,
    seed: int = 0,
) -> QuietSearch:
    """The search over the strength of the lasso, not fitted."""
    return QuietSearch(
        Pipeline([("preparation", preparation), ("baseline", make_lasso(n_classes, seed))]),
        {"baseline__C": BASELINE_C},
        scoring=scorer,
        cv=folds,
        error_score="raise",
    )
