"""Candidates drawn at random."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn import model_selection

from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.constraints import additional_constraints
from skhp.search.searcher import SearchAdditions
from skhp.search.shared_docs import with_shared_docs
from skhp.search.space.spaces import for_random


@with_shared_docs
class RandomizedSearchCV(SearchAdditions, model_selection.RandomizedSearchCV):
    """scikit-learn's RandomizedSearchCV, for rare classes, with early stopping, as a population.

    Parameters
    ----------
    estimator : estimator
    param_distributions : dict or list of dicts
        Names of parameters and what to draw from: lists of values, distributions with a method
        ``rvs``, as SciPy's, Optuna's distributions, or, as in scikit-optimize, dimensions and
        bounds such as ``(1e-5, 1e-1, "log-uniform")``. Of a list, one dict is drawn first.
    n_iter : int, default=10
        Candidates to draw.
    {scoring}
    {like_scikit_learn}
    random_state : int, RandomState instance or None, default=None
        Decides the draws.
    {outcomes}
    {additions}
    {stop_after}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from skhp import RandomizedSearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = RandomizedSearchCV(
    ...     SGDClassifier(random_state=0), {"alpha": loguniform(1e-5, 10)}, random_state=0
    ... ).fit(X, y)
    >>> len(search.cv_results_["params"]), search.best_estimator_.early_stopping
    (10, True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = additional_constraints(
        model_selection.RandomizedSearchCV, sequential=True
    )

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = "auto",
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        early_stopping: Any = "auto",
        prune: Any = None,
        refit_epochs: str | None = None,
        time_budget: Any = None,
        on_interrupt: str = "raise",
        journal: Any = None,
        population: bool = True,
        stop_after: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self._set_additions(
            early_stopping=early_stopping,
            prune=prune,
            refit_epochs=refit_epochs,
            time_budget=time_budget,
            on_interrupt=on_interrupt,
            journal=journal,
            population=population,
        )
        self.stop_after = stop_after

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_unknown_names(self.estimator, self.param_distributions)
        return {
            **super()._translations(y),
            "param_distributions": for_random(self.param_distributions),
        }
