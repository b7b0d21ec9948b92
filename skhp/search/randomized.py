"""A search over candidates that are drawn at random."""

from __future__ import annotations

from typing import Any, Unpack

from sklearn import model_selection

from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.searcher import SearchAdditions
from skhp.search.settings import SequentialSettings, with_settings
from skhp.search.space.space_reading import for_random


@with_settings(ordered_as=model_selection.RandomizedSearchCV)
class RandomizedSearchCV(SearchAdditions, model_selection.RandomizedSearchCV):
    """scikit-learn's RandomizedSearchCV for rare classes, joint training and early stopping.

    Parameters
    ----------
    estimator : estimator
    param_distributions : dict or list of dicts
        Maps names of parameters to what to draw from: lists of values, distributions with a method
        ``rvs`` (such as SciPy's), Optuna's distributions, scikit-optimize's dimensions, or bounds
        such as ``(1e-5, 1e-1, "log-uniform")``. For each candidate, one dict of a list is drawn
        first.
    n_iter : int, default=10
        The number of candidates to draw.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates that are drawn.

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

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        random_state: Any = None,
        **settings: Unpack[SequentialSettings],
    ) -> None: ...

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_unknown_names(self.estimator, self.param_distributions)
        return {
            **super()._translations(y),
            "param_distributions": for_random(self.param_distributions),
        }
