"""Reports a fit's epochs to scikit-learn's callbacks, and logs why a fit cannot join others."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from skhp.compat.scikit_learn import open_callback_context
from skhp.exceptions import CannotJoinError
from skhp.population.handover import AdoptableFit
from skhp.training.fit_task import FitResult


class EpochTasks:
    """The `EpochObserver` that reports a fit and its epochs to the callbacks set on an estimator.

    Each epoch is one task; a callback ends the training by returning True from
    ``on_fit_task_end``. Without callbacks, or before scikit-learn 1.9, nothing is reported. Called
    after an epoch, `fitted_attributes` returns the attributes with which a copy of the estimator
    predicts as if the fit had stopped there; it is called only if a callback needs them.
    """

    def __init__(
        self,
        estimator: Any,
        epochs: int,
        X: Any,
        y: Any,
        sample_weight: np.ndarray | None,
        fitted_attributes: Callable[[], dict[str, Any]],
    ) -> None:
        self._estimator = estimator
        self._context = open_callback_context(estimator, max_subtasks=epochs)
        self._data = {
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._fitted_attributes = fitted_attributes
        self._has_begun = False

    @property
    def observed(self) -> bool:
        """Whether there are callbacks to report to."""
        return self._context is not None

    def fit_begins(self) -> None:
        """Report the start of the fit, once even if it has two trainings."""
        if self._context is not None and not self._has_begun:
            self._has_begun = True
            self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def fit_ends(self) -> None:
        """Report the end of the fit."""
        self._end(self._context)

    def epoch_begins(self) -> None:
        """Report the start of an epoch."""
        if self._context is not None:
            self._epoch = self._context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_ends(self) -> bool:
        """Report the end of an epoch; True if a callback wants the training to end."""
        return self._end(getattr(self, "_epoch", None))

    def awaited(self, adopted: AdoptableFit) -> FitResult:
        """Wait for the result of a population; report its epochs as they end, or afterwards."""
        reported = 0

        def epoch() -> None:
            nonlocal reported
            reported += 1
            self.epoch_begins()
            self.epoch_ends()

        result: FitResult = adopted.awaited(epoch)
        while reported < result.outcome.n_epochs:
            epoch()
        return result

    def _end(self, context: Any | None) -> bool:
        if context is None:
            return False
        return context.call_on_fit_task_end(
            estimator=self._estimator,
            **self._data,
            reconstruction_attributes=self._fitted_attributes,
        )


def callbacks_reason(callbacks: Any) -> str:
    """Why a fit with Keras' callbacks cannot join a population, with a list of their classes."""
    listed = callbacks if isinstance(callbacks, Iterable) else [callbacks]
    kinds = [one if isinstance(one, type) else type(one) for one in listed]
    return f"callbacks run in Python ({', '.join(dict.fromkeys(kind.__name__ for kind in kinds))})"


def log_refusal(estimator_name: str, refusal: CannotJoinError) -> None:
    """Log, once for each reason, that Keras trains a model by itself."""
    _log_once(estimator_name, refusal.reason)


@functools.lru_cache(256)
def _log_once(estimator_name: str, reason: str) -> None:
    logging.getLogger("skhp").info(
        "Keras trains the model of %s by itself, and not within a population: %s",
        estimator_name,
        reason,
    )
