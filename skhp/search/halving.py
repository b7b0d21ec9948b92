"""Many candidates with few resources, ever fewer with ever more."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn import model_selection
from sklearn.base import is_classifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.constraints import additional_constraints
from skhp.search.searcher import SearchAdditions
from skhp.search.shared_docs import with_shared_docs
from skhp.search.space.foreign_spaces import refuse_ranges_in_grid
from skhp.search.space.spaces import for_random
from skhp.shared.class_targets import class_labels


class HalvingAdditions(SearchAdditions):
    """What both halving searches add."""

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate on all rows; see `SearchAdditions.fit`."""
        shape = getattr(X, "shape", ())
        if shape and shape[0] == 1:
            # scikit-learn speaks of its min_resources_ there.
            raise ValueError(
                f"Got n_samples=1: {type(self).__name__} needs rows to train on and rows to score."
            )
        return super().fit(X, y, **params)

    def _check_input_parameters(self, X: Any, y: Any, split_params: Any) -> None:
        # scikit-learn counts the classes in a target of one dimension.
        labels = class_labels(y) if is_classifier(self.estimator) else y
        super()._check_input_parameters(X, labels, split_params)  # type: ignore[misc]


@with_shared_docs
class HalvingGridSearchCV(HalvingAdditions, model_selection.HalvingGridSearchCV):
    """scikit-learn's HalvingGridSearchCV, for rare classes, with early stopping, as a population.

    Parameters
    ----------
    estimator : estimator
    param_grid : dict or list of dicts
        Names of parameters and the values to try; each dict of a list is a grid of its own.
    factor : float, default=3
        Of each round's candidates, one in so many goes on, with so many times the resources.
    resource : str, default="n_samples"
        What grows from round to round: rows, or a whole-number parameter of the estimator, such as
        ``"epochs"``.
    max_resources : int or "auto", default="auto"
        The most of it that a candidate may get; "auto" is all rows.
    min_resources : int, "exhaust" or "smallest", default="exhaust"
        Of the first round; "exhaust" so that the last round gets as much as there is.
    aggressive_elimination : bool, default=False
        As in scikit-learn.
    cv : int, cross-validation generator or iterable, default=5
        As in scikit-learn; the folds are drawn once for a `fit`.
    {one_scoring}
    refit : bool or callable, default=True
        As in scikit-learn.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn.
    return_train_score : bool, default=True
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the rows of each round.
    n_jobs : int, default=None
        As in scikit-learn.
    verbose : int, default=0
        As in scikit-learn.
    {additions}

    Attributes
    ----------
    n_resources_, n_candidates_ : list of int
        Of each round.
    n_remaining_candidates_, n_iterations_, n_possible_iterations_, n_required_iterations_ : int
    min_resources_, max_resources_ : int
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from skhp import HalvingGridSearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = HalvingGridSearchCV(
    ...     SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-2, 1, 100]}, random_state=0
    ... ).fit(X, y)
    >>> search.n_candidates_
    [4, 2]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = additional_constraints(
        model_selection.HalvingGridSearchCV
    )

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: Any = "auto",
        min_resources: Any = "exhaust",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = "auto",
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        early_stopping: Any = "auto",
        prune: Any = None,
        refit_epochs: str | None = None,
        time_budget: Any = None,
        on_interrupt: str = "raise",
        journal: Any = None,
        population: bool = True,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
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

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_ranges_in_grid(self.param_grid)
        # What is no grid at all, scikit-learn says first.
        grids = model_selection.ParameterGrid(self.param_grid).param_grid
        if not grids:
            raise InvalidParameterError(
                f"param_grid={self.param_grid!r} has no candidate. Name one parameter at least, "
                "with its values."
            )
        # An empty grid is a single candidate; values in a tuple are as good as in a list.
        if named := [
            {name: list(values) for name, values in grid.items()} for grid in grids if grid
        ]:
            refuse_unknown_names(self.estimator, named)
        return super()._translations(y)


@with_shared_docs
class HalvingRandomSearchCV(HalvingAdditions, model_selection.HalvingRandomSearchCV):
    """scikit-learn's HalvingRandomSearchCV, for rare classes, with early stopping, as a population.

    Parameters
    ----------
    estimator : estimator
    param_distributions : dict or list of dicts
        Names of parameters and what to draw from, as of a RandomizedSearchCV.
    n_candidates : int or "exhaust", default="exhaust"
        Candidates to draw; "exhaust" so that the last round gets as much as there is.
    factor : float, default=3
        Of each round's candidates, one in so many goes on, with so many times the resources.
    resource : str, default="n_samples"
        What grows from round to round: rows, or a whole-number parameter of the estimator, such as
        ``"epochs"``.
    max_resources : int or "auto", default="auto"
        The most of it that a candidate may get; "auto" is all rows.
    min_resources : int, "exhaust" or "smallest", default="smallest"
        Of the first round; "smallest" is a few rows for each class and fold.
    aggressive_elimination : bool, default=False
        As in scikit-learn.
    cv : int, cross-validation generator or iterable, default=5
        As in scikit-learn; the folds are drawn once for a `fit`.
    {one_scoring}
    refit : bool or callable, default=True
        As in scikit-learn.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn.
    return_train_score : bool, default=True
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the rows of each round, and the draws.
    n_jobs : int, default=None
        As in scikit-learn.
    verbose : int, default=0
        As in scikit-learn.
    {additions}

    Attributes
    ----------
    n_resources_, n_candidates_ : list of int
        Of each round.
    n_remaining_candidates_, n_iterations_, n_possible_iterations_, n_required_iterations_ : int
    min_resources_, max_resources_ : int
    {attributes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from skhp import HalvingRandomSearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = HalvingRandomSearchCV(
    ...     SGDClassifier(random_state=0),
    ...     {"alpha": loguniform(1e-5, 10)},
    ...     n_candidates=9,
    ...     min_resources=50,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.n_candidates_, search.n_resources_
    ([9, 3, 1], [50, 150, 450])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = additional_constraints(
        model_selection.HalvingRandomSearchCV
    )

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: Any = "exhaust",
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: Any = "auto",
        min_resources: Any = "smallest",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = "auto",
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        early_stopping: Any = "auto",
        prune: Any = None,
        refit_epochs: str | None = None,
        time_budget: Any = None,
        on_interrupt: str = "raise",
        journal: Any = None,
        population: bool = True,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
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

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_unknown_names(self.estimator, self.param_distributions)
        return {
            **super()._translations(y),
            "param_distributions": for_random(self.param_distributions),
        }
