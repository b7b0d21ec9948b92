"""Batches of a search that learns from scores, whatever happens to a candidate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning

from skhp.exceptions import InvalidParameterError


class Batches:
    """Scores batches of candidates; a batch in which every fit fails does not end the search.

    Parameters
    ----------
    evaluate : callable
        scikit-learn's `evaluate_candidates`.
    error_score : "raise" or float
    refit : bool, str or callable
        With several metrics, the name of the one to search by.
    """

    def __init__(self, evaluate: Callable[..., Any], error_score: Any, refit: Any) -> None:
        self._evaluate = evaluate
        self._raises = error_score == "raise"
        self._refit = refit
        self._any_finished = False
        self._failure: ValueError | None = None
        self.any_asked = False

    def scores(self, candidates: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Mean test score of each candidate, NaN where it failed."""
        self.any_asked = True
        try:
            results = self._evaluate(candidates)
        except ValueError as error:
            # scikit-learn has no type of its own for this.
            if self._raises or "fits failed" not in str(error):
                raise
            self._failure = error
            warnings.warn(str(error), FitFailedWarning, stacklevel=3)
            return np.full(len(candidates), np.nan)
        self._any_finished = True
        return np.asarray(searched_score(results, self._refit)[-len(candidates) :], float)

    def end(self) -> None:
        """Raise the last failure if there was nothing else."""
        if self._failure is not None and not self._any_finished:
            raise self._failure


def searched_score(results: Mapping[str, Any], refit: Any) -> Any:
    """Mean test scores of the metric that is searched by."""
    if "mean_test_score" in results:
        return results["mean_test_score"]
    name = f"mean_test_{refit}"
    if name not in results:
        metrics = [
            key.removeprefix("mean_test_") for key in results if key.startswith("mean_test_")
        ]
        raise unknown_aim(refit, metrics)
    return results[name]


def unknown_aim(refit: Any, metrics: list[str]) -> InvalidParameterError:
    """The error of a search among several metrics that does not know which to search by."""
    return InvalidParameterError(
        f"With several metrics, refit={refit!r} must be the name of the one to search by: one of "
        f"{metrics}."
    )
