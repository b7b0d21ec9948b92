"""A search over every combination of the values of a grid."""

from __future__ import annotations

from typing import Any, Unpack

from sklearn import model_selection

from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.searcher import SearchAdditions
from skhp.search.settings import SearchSettings, with_settings
from skhp.search.space.foreign_spaces import refuse_ranges_in_grid


@with_settings(ordered_as=model_selection.GridSearchCV)
class GridSearchCV(SearchAdditions, model_selection.GridSearchCV):
    """scikit-learn's GridSearchCV for rare classes, joint training and early stopping.

    Parameters
    ----------
    estimator : estimator
    param_grid : dict or list of dicts
        Maps names of parameters to the values to try; each dict of a list is a separate grid.

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skhp import GridSearchCV, KerasMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> network = make_pipeline(StandardScaler(), KerasMLPClassifier(random_state=0))
    >>> grid = {"kerasmlpclassifier__learning_rate": [1e-2, 1e-3]}
    >>> search = GridSearchCV(network, grid, cv=3).fit(X, y)
    >>> bool(search.best_score_ > 0.9), search.scorer_
    (True, make_scorer(f1_score, response_method='predict', pos_label=0, zero_division=0.0))
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        **settings: Unpack[SearchSettings],
    ) -> None: ...

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_ranges_in_grid(self.param_grid)
        # scikit-learn's ParameterGrid refuses what is not a grid. An empty grid is a single
        # candidate, and a tuple of values means the same as a list.
        if grids := [
            {name: list(values) for name, values in grid.items()}
            for grid in model_selection.ParameterGrid(self.param_grid).param_grid
            if grid
        ]:
            refuse_unknown_names(self.estimator, grids)
        return super()._translations(y)
