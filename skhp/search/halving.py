"""Searches that begin with many candidates and few resources, and keep the best of each round."""

from __future__ import annotations

from typing import Any, Self, Unpack

from sklearn import model_selection
from sklearn.base import is_classifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.searcher import SearchAdditions
from skhp.search.settings import HalvingSettings, with_settings
from skhp.search.space.foreign_spaces import refuse_ranges_in_grid
from skhp.search.space.space_reading import for_random
from skhp.shared.class_targets import class_labels


class HalvingAdditions(SearchAdditions):
    """What skhp adds to both halving searches."""

    # scikit-learn's constructors set this attribute, which is not one of their parameters.
    pre_dispatch = "2*n_jobs"

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate on all rows; see `SearchAdditions.fit`."""
        shape = getattr(X, "shape", ())
        if shape and shape[0] == 1:
            # scikit-learn's own message speaks of min_resources_.
            raise ValueError(
                f"Got n_samples=1: {type(self).__name__} needs rows to train on and rows to score."
            )
        return super().fit(X, y, **params)

    def _check_input_parameters(self, X: Any, y: Any, split_params: Any) -> None:
        # scikit-learn counts classes only in a target of one dimension.
        labels = class_labels(y) if is_classifier(self.estimator) else y
        super()._check_input_parameters(X, labels, split_params)  # type: ignore[misc]


@with_settings(ordered_as=model_selection.HalvingGridSearchCV, cv=5, return_train_score=True)
class HalvingGridSearchCV(HalvingAdditions, model_selection.HalvingGridSearchCV):
    """scikit-learn's HalvingGridSearchCV for rare classes, joint training and early stopping.

    Parameters
    ----------
    estimator : estimator
    param_grid : dict or list of dicts
        Maps names of parameters to the values to try; each dict of a list is a separate grid.
    factor : float, default=3
        One in `factor` candidates goes on to the next round, with `factor` times the resources.
    resource : str, default="n_samples"
        The resource that grows from round to round: the rows, or an integer parameter of the
        estimator, such as ``"epochs"``.
    max_resources : int or "auto", default="auto"
        The most resources that a candidate may get; "auto" is all rows.
    min_resources : int, "exhaust" or "smallest", default="exhaust"
        The resources of the first round; with "exhaust", the last round has all resources.
    aggressive_elimination : bool, default=False
        As in scikit-learn.
    scoring : "auto", str, callable or None, default="auto"
        {scoring}
    refit : bool or callable, default=True
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Determines the rows of each round.

    Attributes
    ----------
    n_resources_, n_candidates_ : list of int
        For each round, the resources of a candidate and the number of candidates.
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
        random_state: Any = None,
        **settings: Unpack[HalvingSettings],
    ) -> None: ...

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_ranges_in_grid(self.param_grid)
        # scikit-learn's ParameterGrid refuses what is not a grid.
        grids = model_selection.ParameterGrid(self.param_grid).param_grid
        if not grids:
            raise InvalidParameterError(
                f"param_grid={self.param_grid!r} has no candidate. Name at least one parameter, "
                "with its values."
            )
        # An empty grid is a single candidate, and a tuple of values means the same as a list.
        if named := [
            {name: list(values) for name, values in grid.items()} for grid in grids if grid
        ]:
            refuse_unknown_names(self.estimator, named)
        return super()._translations(y)


@with_settings(ordered_as=model_selection.HalvingRandomSearchCV, cv=5, return_train_score=True)
class HalvingRandomSearchCV(HalvingAdditions, model_selection.HalvingRandomSearchCV):
    """scikit-learn's HalvingRandomSearchCV for rare classes, joint training and early stopping.

    Parameters
    ----------
    estimator : estimator
    param_distributions : dict or list of dicts
        Maps names of parameters to what to draw from, as in RandomizedSearchCV.
    n_candidates : int or "exhaust", default="exhaust"
        The number of candidates to draw; with "exhaust", the last round has all resources.
    factor : float, default=3
        One in `factor` candidates goes on to the next round, with `factor` times the resources.
    resource : str, default="n_samples"
        The resource that grows from round to round: the rows, or an integer parameter of the
        estimator, such as ``"epochs"``.
    max_resources : int or "auto", default="auto"
        The most resources that a candidate may get; "auto" is all rows.
    min_resources : int, "exhaust" or "smallest", default="smallest"
        The resources of the first round; "smallest" is a few rows for each class and fold.
    aggressive_elimination : bool, default=False
        As in scikit-learn.
    scoring : "auto", str, callable or None, default="auto"
        {scoring}
    refit : bool or callable, default=True
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates that are drawn, and the rows of each round.

    Attributes
    ----------
    n_resources_, n_candidates_ : list of int
        For each round, the resources of a candidate and the number of candidates.
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
        random_state: Any = None,
        **settings: Unpack[HalvingSettings],
    ) -> None: ...

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_unknown_names(self.estimator, self.param_distributions)
        return {
            **super()._translations(y),
            "param_distributions": for_random(self.param_distributions),
        }
