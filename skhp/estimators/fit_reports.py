"""What a fit tells: its epochs to scikit-learn's callbacks, and why Keras trains it to the log."""

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
    """Reports a fit and each of its epochs to the callbacks set on an estimator.

    It is the `EpochObserver` of a training: one task an epoch; a callback that returns True from
    ``on_fit_task_end`` ends the training. Without callbacks, or before scikit-learn 1.9, it does
    nothing. `fitted_attributes` returns, after an epoch, the attributes that make a copy of the
    estimator predict as if the fit had stopped there; it is called only for callbacks that ask.
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

    @property
    def observed(self) -> bool:
        """Whether there is anybody to report to."""
        return self._context is not None

    def fit_begins(self) -> None:
        """Report the fit itself."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def fit_ends(self) -> None:
        """Report the end of the fit."""
        self._end(self._context)

    def epoch_begins(self) -> None:
        """Report an epoch."""
        if self._context is not None:
            self._epoch = self._context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_ends(self) -> bool:
        """Report the end of an epoch; True if a callback wants the training to end."""
        return self._end(getattr(self, "_epoch", None))

    def awaited(self, adopted: AdoptableFit) -> FitResult:
        """The result of a population, with its epochs reported, as they are done or afterwards."""
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
    """That there are callbacks of Keras, and which kinds of them."""
    listed = callbacks if isinstance(callbacks, Iterable) else [callbacks]
    kinds = [one if isinstance(one, type) else type(one) for one in listed]
    return f"callbacks run in Python ({', '.join(dict.fromkeys(kind.__name__ for kind in kinds))})"


def log_refusal(estimator_name: str, refusal: CannotJoinError) -> None:
    """Tell, once for each reason, that Keras trains a model by itself."""
    _log_once(estimator_name, refusal.reason)


@functools.lru_cache(256)
def _log_once(estimator_name: str, reason: str) -> None:
    logging.getLogger("skhp").info(
        "Keras trains the model of %s by itself, and not within a population: %s",
        estimator_name,
        reason,
    )
