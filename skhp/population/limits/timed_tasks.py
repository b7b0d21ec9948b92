"""Calls that may take only so long; a call that does not return is left behind in its thread."""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from skhp.compat.joblib import tasks_of
from skhp.compat.scikit_learn import FIT_AND_SCORE
from skhp.population.caller_settings import (
    CallerSettings,
    set_warning_settings,
    warning_settings,
)

T = TypeVar("T")

_left_behind: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

# What may take too long, as an error names it.
PREPARATION, TRAINING, RUN = "preparation", "training", "run"


class CandidateTimeoutError(TimeoutError):
    """A fit took longer than the `candidate_timeout` of its search."""

    @classmethod
    def of_preparation(cls) -> str:
        """The beginning of the message on a preparation, in the text of an error."""
        return f"{cls.__name__}: the {PREPARATION} of this fit took longer"

    @classmethod
    def during(cls, what: str, seconds: float) -> CandidateTimeoutError:
        """The error of a fit whose preparation or training, `what`, took too long."""
        return cls(
            f"the {what} of this fit took longer than candidate_timeout={seconds:g} seconds: allow "
            "more time, or leave such candidates out"
        )


def called_within(seconds: float | None, call: Callable[[], T], what: str) -> T:
    """The result of a call; a `CandidateTimeoutError` if it takes longer than `seconds`.

    Nothing can end a thread that sleeps or computes. So the call has a daemon thread, which is left
    behind if the time runs out, and which the end of the process does not wait for.
    """
    if seconds is None:
        return call()
    settings = CallerSettings()
    outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put((settings.run(call), None))
        except BaseException as error:
            # The caller raises it.
            outcome.put((None, error))

    around = warning_settings()
    thread = threading.Thread(target=work, name="skhp-timed", daemon=True)
    thread.start()
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        _left_behind.add(thread)
        # The thread may be within `catch_warnings`, which all threads share.
        set_warning_settings(around)
        raise CandidateTimeoutError.during(what, seconds) from None
    if error is not None:
        raise error
    return result


def is_left_behind() -> bool:
    """Whether nobody waits for this thread any more, so that it must not change what all share."""
    return threading.current_thread() in _left_behind


class TimedBatch:
    """A batch of joblib whose tasks fail by a timeout if they take longer than `seconds`."""

    def __init__(self, batch: Any, seconds: float) -> None:
        self._batch = batch
        self._seconds = seconds

    @property
    def items(self) -> Any:
        """The tasks: function, arguments and keywords."""
        return self._batch.items

    def __call__(self) -> Any:
        """Run the tasks, each for itself."""
        return [
            self._run(function, arguments, keywords) for function, arguments, keywords in self.items
        ]

    def _run(self, function: Any, arguments: Any, keywords: Any) -> Any:
        try:
            return _timed(function, self._seconds)(*arguments, **keywords)
        except CandidateTimeoutError as error:
            return run_failing(function, arguments, keywords, error)


def _timed(function: Any, seconds: float) -> Any:
    """The function of a task, which may take only so long."""
    inner = getattr(function, "function", function)

    def run(*arguments: Any, **keywords: Any) -> Any:
        return called_within(seconds, lambda: inner(*arguments, **keywords), RUN)

    if inner is function:
        return run
    # scikit-learn's wrapper sets warning filters, which all threads share. So it is called here,
    # where it also restores them, and only the function within gets a thread.
    wrapper = copy.copy(function)
    wrapper.function = run
    return wrapper


def is_timed(batch: Any) -> bool:
    """Whether all tasks of a batch are fits of a search, which can fail one by one."""
    return all(_is_fit_of_search(function) for function, _, _ in tasks_of(batch))


def failing_results(batch: Any, error: Exception) -> list[Any]:
    """The results of the tasks of a batch if their fits raise this error."""
    return [run_failing(*task, error) for task in tasks_of(batch)]


def run_failing(function: Any, arguments: Any, keywords: Any, error: Exception) -> Any:
    """Run a task of a search whose fit raises this error: `error_score` decides about it."""
    if not _is_fit_of_search(function):
        raise error
    estimator, *others = arguments
    return function(FailingEstimator(estimator, error), *others, **keywords)


def _is_fit_of_search(function: Any) -> bool:
    return getattr(getattr(function, "function", function), "__name__", "") == FIT_AND_SCORE


class FailingEstimator(BaseEstimator):
    """Stands in for an estimator whose fit is known to fail."""

    def __init__(self, estimator: Any = None, error: Exception | None = None) -> None:
        self.estimator = estimator
        self.error = error

    def set_params(self, **parameters: Any) -> FailingEstimator:
        """Ignore parameters, which are those of the estimator."""
        return self

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> FailingEstimator:
        """Raise the error."""
        assert self.error is not None
        raise self.error

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)
