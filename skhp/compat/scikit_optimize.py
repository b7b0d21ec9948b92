"""scikit-optimize's surrogate of boosted trees, mended."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.utils import RegressorTags
from skopt.learning import GradientBoostingQuantileRegressor

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
