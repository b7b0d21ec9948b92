"""The best candidate trained on all rows for as long as its folds took, with none held out."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from skhp.exceptions import InvalidParameterError
from skhp.search.early_stopping import switched_off
from skhp.shared.pipelines import last_step, last_step_prefix

# Where a search keeps the best epochs of each candidate, by folds, until it ends.
EPOCHS_TO_TRAIN = "_epochs_to_train"

_EPOCHS = ("epochs", "max_iter")


def refuse_refit_epochs(estimator: Any) -> None:
    """Raise InvalidParameterError if an estimator could not be trained for so many epochs."""
    for_median(estimator, np.array([1.0]))


def for_median(estimator: Any, epochs: np.ndarray) -> Any:
    """A copy of an estimator that trains for the median of some numbers of epochs.

    Parameters
    ----------
    estimator : estimator
        What trains is its last step, where it is a pipeline.
    epochs : ndarray of float
        NaN where a fold does not tell.
    """
    parameters = estimator.get_params(deep=True)
    prefix, last = last_step_prefix(estimator), last_step(estimator)
    off = switched_off(parameters, prefix)
    name = next((f"{prefix}{name}" for name in _EPOCHS if f"{prefix}{name}" in parameters), None)
    if name is None or not off:
        raise InvalidParameterError(
            f"refit_epochs='median' needs an estimator that counts epochs ({' or '.join(_EPOCHS)}) "
            f"and stops early, and {type(last).__name__} does not: leave refit_epochs out."
        )
    if not np.isfinite(epochs).any():
        raise InvalidParameterError(
            f"refit_epochs='median', but no {type(last).__name__} told after how many epochs it "
            "was best: leave refit_epochs out."
        )
    median = max(1, round(float(np.nanmedian(epochs))))
    return clone(estimator).set_params(**off, **{name: median})


class RefittedEstimator:
    """The attribute `best_estimator_`, which scikit-learn sets before it refits it.

    There is no other moment at which a search could still change what is refitted.
    """

    def __get__(self, search: Any, of: type | None = None) -> Any:
        if search is None:
            return self
        try:
            return vars(search)["best_estimator_"]
        except KeyError:
            raise AttributeError(
                f"{type(search).__name__} has no best_estimator_ before it has refitted one."
            ) from None

    def __set__(self, search: Any, estimator: Any) -> None:
        epochs = vars(search).get(EPOCHS_TO_TRAIN)
        if search.refit_epochs is not None and epochs is not None:
            estimator = for_median(estimator, epochs[search.best_index_])
        vars(search)["best_estimator_"] = estimator

    def __delete__(self, search: Any) -> None:
        del vars(search)["best_estimator_"]
