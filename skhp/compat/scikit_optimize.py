"""Undocumented names of scikit-optimize, and repairs of its faults."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.utils import RegressorTags
from skopt.learning import GradientBoostingQuantileRegressor

# Calls the callbacks of a search, and tells whether one of them ends it.
from skopt.utils import eval_callbacks as eval_callbacks

# The start of the warning that a point was asked for again; the warning has no class of its own.
ASKED_AGAIN = "The objective has been evaluated at point"

# The number of trees that scikit-optimize takes for "GBRT".
_TREES = 30


class BoostedSurrogate(GradientBoostingQuantileRegressor):
    """Boosted trees that predict quantiles of the score.

    For the spread, scikit-optimize 0.10.2 calls `numpy.in1d`, which NumPy 2.4 has removed. Its
    class has the regressor mixin as its last base, so scikit-learn does not see a regressor.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        return tags

    def predict(
        self, X: ArrayLike, return_std: bool = False, return_quantiles: bool = False
    ) -> Any:
        """The median of the score; on request with its spread, or all quantiles instead."""
        if not return_std:
            return super().predict(X, return_quantiles=return_quantiles)
        of_quantile = dict(
            zip(self.quantiles, super().predict(X, return_quantiles=True).T, strict=True)
        )
        return of_quantile[0.5], (of_quantile[0.84] - of_quantile[0.16]) / 2.0


def boosted_surrogate() -> BoostedSurrogate:
    """The surrogate that ``base_estimator="GBRT"`` stands for."""
    trees = GradientBoostingRegressor(n_estimators=_TREES, loss="quantile")
    return BoostedSurrogate(base_estimator=trees)


def forget_asked_points(optimizer: Any) -> None:
    """Make an optimizer ask for other points, although it was not told the scores of the last.

    scikit-optimize 0.10.2 keeps the points in `cache_` until it is told a score, and asks for the
    same points again.
    """
    optimizer.cache_ = {}


def categories_at(dimension: Any, transformed: ArrayLike) -> list[Any]:
    """The categories of transformed points, as the objects that the dimension was given.

    `Categorical.inverse_transform` passes them through an array, which turns tuples into arrays.
    """
    return list(dimension.transformer.inverse_transform(transformed))
