"""The names of scikit-optimize that are not documented, and its faults that skhp mends."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.utils import RegressorTags
from skopt.learning import GradientBoostingQuantileRegressor

# Calls the callbacks of a search, and tells whether one of them ends it.
from skopt.utils import eval_callbacks as eval_callbacks

# How the warning begins that a point was asked for again. scikit-optimize has no class for it.
ASKED_AGAIN = "The objective has been evaluated at point"

# As scikit-optimize builds it for "GBRT".
_TREES = 30


class BoostedSurrogate(GradientBoostingQuantileRegressor):
    """Quantiles of the score by boosted trees.

    scikit-optimize 0.10.2 calls `numpy.in1d` where the spread is asked for, which NumPy 2.4 has no
    longer; and its mixin comes last among the bases, so scikit-learn takes it for no regressor.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        return tags

    def predict(
        self, X: ArrayLike, return_std: bool = False, return_quantiles: bool = False
    ) -> Any:
        """Median of the score; with its spread, or all quantiles, where asked for."""
        if not return_std:
            return super().predict(X, return_quantiles=return_quantiles)
        of_quantile = dict(
            zip(self.quantiles, super().predict(X, return_quantiles=True).T, strict=True)
        )
        return of_quantile[0.5], (of_quantile[0.84] - of_quantile[0.16]) / 2.0


def boosted_surrogate() -> BoostedSurrogate:
    """What ``base_estimator="GBRT"`` stands for."""
    trees = GradientBoostingRegressor(n_estimators=_TREES, loss="quantile")
    return BoostedSurrogate(base_estimator=trees)


def forget_asked_points(optimizer: Any) -> None:
    """Let an optimizer that was told no score ask for other points.

    scikit-optimize 0.10.2 keeps what it asked for in `cache_` until it is told of a score, and
    asks for the same points again.
    """
    optimizer.cache_ = {}


def categories_at(dimension: Any, transformed: ArrayLike) -> list[Any]:
    """The categories of transformed points, as the transformer of a dimension has them.

    `Categorical.inverse_transform` passes them through an array, which makes arrays of tuples.
    """
    return list(dimension.transformer.inverse_transform(transformed))
