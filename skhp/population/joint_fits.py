"""`fit_together`: the fits of several estimators, trained as one population."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from skhp.population.backend import active_population
from skhp.population.handover import shared_computations, shared_preparation
from skhp.population.joint_training import (
    JoiningTask,
    Member,
    PopulationTrainer,
)
from skhp.population.options import PopulationOptions
from skhp.population.planner import Plan, PlannedFit, Planner
from skhp.population.report import PrintedProgress, ProgressObserver, ReportedCall, SilentProgress
from skhp.population.workers.dispatch import train_and_run, trained_by_cohorts

OnFitted = Callable[[int, Any, float], Any]


class _Fit(JoiningTask):
    """The fit of one estimator; its outcome is the fitted estimator or the exception."""

    def __init__(
        self,
        number: int,
        request: tuple[Any, Any, Any, Mapping[str, Any]],
        plan: Plan,
        on_fitted: OnFitted | None,
        reported: ReportedCall,
    ) -> None:
        super().__init__(plan.fits)
        self.number = number
        self._request: Any = request
        self._refusals = plan.refusals
        self._on_fitted = on_fitted
        self._reported = reported
        self._seconds = 0.0
        self.outcome: Any = None

    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        estimator, X, y, fit_params = self._request
        begin = time.perf_counter()
        try:
            return estimator.fit(X, y, **fit_params)
        except Exception as error:
            return error
        finally:
            self._seconds = time.perf_counter() - begin

    def report(self, outcome: Any) -> None:
        if self._on_fitted is not None:
            trained = sum(getattr(one, "seconds", 0.0) for one in self.results.values())
            outcome = self._on_fitted(self.number, outcome, self._seconds + trained)
        self.take(outcome)

    def take(self, outcome: Any) -> None:
        """Keep the outcome for the list, and free the estimator and the rows."""
        self.outcome = outcome
        self._reported.count(self.results.values(), self._refusals)
        self._request, self.fits = None, []
        self.results.clear()


@shared_computations()
def fit_together(
    fits: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    memory_limit: int | str | None = None,
    chunk: int | None = None,
    progress: ProgressObserver | None = None,
    on_fitted: OnFitted | None = None,
    fit_others: Callable[[Sequence[int]], Iterable[Any]] | None = None,
) -> list[Any]:
    """Fit estimators, and train the networks among them as one population.

    Each estimator ends as its own `fit` would leave it. Estimators of skhp, alone or as the last
    step of a pipeline, are trained together; all others are fitted one after another.
    If fewer than half of the networks could train together, the logger ``skhp`` warns and says why.
    Fits whose `X` and `y` are the same objects share the preparation of these rows.

    Within a `skhp.population` context, an option that is None here has the value of the context.

    Parameters
    ----------
    fits : iterable of tuples (estimator, X, y) or (estimator, X, y, fit_params)
        The estimators themselves are fitted, not copies of them; `fit_params` is a mapping of
        further arguments of `fit`.
    n_jobs : int or None, default=None
        The number of threads that train cohorts at the same time; None and -1 are one for each
        core.
    memory_limit : int, str or None, default=None
        The most memory that the cohorts in training may take: a number of bytes, or a text such as
        "500MB" or "1GiB". None is no limit.
    chunk : int or None, default=None
        Epochs trained between two looks at progress and Ctrl-C. None chooses a number by the time
        that an epoch takes.
    progress : ProgressObserver or None, default=None
        Its method `advanced` is called after each chunk of each cohort.
    on_fitted : callable or None, default=None
        Called in this thread as ``on_fitted(number, fitted, seconds)`` as soon as an estimator is
        fitted. `number` is the place of the fit in `fits`, `fitted` the estimator or the exception
        that its fit raised, and `seconds` the time of the fit and of its training in the
        population. The list that is returned holds what `on_fitted` returns, not the estimator, so
        that thousands of fitted estimators need not be kept. An exception that it raises ends all
        fits.
    fit_others : callable or None, default=None
        Called once before the training, with the numbers of the fits that cannot join the
        population, if there are any. It may fit them elsewhere, for example in other processes, and
        returns one result for each number, which the returned list then holds; `on_fitted` is not
        called for these fits. None fits them here.

    Returns
    -------
    list of fitted estimators or exceptions
        One for each fit, in the order of `fits`: the estimator, or the exception that its fit
        raised, or the result of `on_fitted` or `fit_others` in their place.

    Raises
    ------
    ValueError
        If an estimator is given twice without an `on_fitted`, if one of `fits` is not a tuple as
        above, or if `fit_others` does not return one result for each number.
    InvalidParameterError
        If an option has an invalid value.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skhp import KerasMLPClassifier
    >>> from skhp.population import fit_together
    >>> X, y = make_classification(random_state=0)
    >>> networks = [KerasMLPClassifier(epochs=5, random_state=seed) for seed in range(3)]
    >>> [network.n_iter_ for network in fit_together((network, X, y) for network in networks)]
    [5, 5, 5]

    Keep only the score of each fit:

    >>> def score(number, fitted, seconds):
    ...     if isinstance(fitted, Exception):
    ...         raise fitted
    ...     return fitted.score(X, y)
    >>> fits = ((KerasMLPClassifier(epochs=5, random_state=seed), X, y) for seed in range(3))
    >>> len(fit_together(fits, on_fitted=score))
    3
    """
    options = PopulationOptions(n_jobs, None, memory_limit, chunk)
    train: PopulationTrainer = trained_by_cohorts
    around = active_population()
    if around is not None:
        given: dict[str, Any] = {"n_jobs": n_jobs, "memory_limit": memory_limit, "chunk": chunk}
        options = dataclasses.replace(
            around.options, **{name: value for name, value in given.items() if value is not None}
        )
        train = around.trainer
    planner = Planner()
    population: list[Any] = []
    members: dict[int, Member] = {}
    tasks: list[_Fit] = []
    reported = ReportedCall()
    with shared_preparation():
        for number, request in enumerate(_requests(fits, may_repeat=on_fitted is not None)):
            tasks.append(_Fit(number, request, planner.plan_fit(*request), on_fitted, reported))
            for fit in tasks[-1].fits:
                members[len(population)] = Member(tasks[-1], fit)
                population.append(fit.task)
    _fit_others([task for task in tasks if not task.fits], fit_others)
    if members:
        if progress is None:
            progress = PrintedProgress("fit_together") if options.verbose else SilentProgress()
        train_and_run(population, members, options, progress, train)
    reported.end()
    return [task.outcome for task in tasks]


def _fit_others(
    others: Sequence[_Fit], fit_others: Callable[[Sequence[int]], Iterable[Any]] | None
) -> None:
    if fit_others is None or not others:
        for task in others:
            task.report(task.run({}))
        return
    outcomes = list(fit_others([task.number for task in others]))
    if len(outcomes) != len(others):
        raise ValueError(
            f"fit_others returned {len(outcomes)} results for {len(others)} fits: return one for "
            "each number that it is given."
        )
    for task, outcome in zip(others, outcomes, strict=True):
        task.take(outcome)


def _requests(
    fits: Iterable[tuple[Any, ...]], may_repeat: bool
) -> list[tuple[Any, Any, Any, Mapping[str, Any]]]:
    requests: list[tuple[Any, Any, Any, Mapping[str, Any]]] = []
    seen: set[int] = set()
    for number, fit in enumerate(fits):
        if not isinstance(fit, tuple) or len(fit) not in (3, 4):
            raise ValueError(
                f"fit {number} of fit_together is {fit!r}: give a tuple (estimator, X, y) or "
                "(estimator, X, y, fit_params)."
            )
        estimator, X, y, *rest = fit
        if id(estimator) in seen and not may_repeat:
            raise ValueError(
                f"fit {number} of fit_together has the same estimator as an earlier fit: give a "
                "clone of it (sklearn.base.clone)."
            )
        seen.add(id(estimator))
        requests.append((estimator, X, y, dict(rest[0] or {}) if rest else {}))
    return requests
