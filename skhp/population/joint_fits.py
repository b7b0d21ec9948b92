"""`fit_together`: the fits of several estimators, trained as one population."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skhp.population.backend import trained_by_cohorts
from skhp.population.handover import shared_preparation
from skhp.population.joint_training import JoiningTask, Member, train_and_run
from skhp.population.options import PopulationOptions
from skhp.population.progress import ProgressObserver, SilentProgress
from skhp.population.report import ReportedCall
from skhp.population.requests.planner import Plan, PlannedFit, Planner


class _Fit(JoiningTask):
    """The fit of one estimator, of which the exception is kept."""

    def __init__(
        self, request: tuple[Any, Any, Any, Mapping[str, Any]], plan: Plan, reported: ReportedCall
    ) -> None:
        super().__init__(plan.fits)
        self._request = request
        self._refusals = plan.refusals
        self._reported = reported
        self.outcome: Any = None

    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        estimator, X, y, fit_params = self._request
        try:
            return estimator.fit(X, y, **fit_params)
        except Exception as error:
            return error

    def report(self, outcome: Any) -> None:
        self.outcome = outcome
        self._reported.count(self.n_together, self._refusals)
        self.results.clear()


def fit_together(
    fits: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    memory_limit: int | str | None = None,
    chunk: int | None = None,
    progress: ProgressObserver | None = None,
) -> list[Any]:
    """Fit estimators, and train the networks among them as one population.

    Each estimator ends up as its own `fit` would have left it. Estimators of skhp, by themselves or
    as the last step of a pipeline, are trained together; all others are fitted one after another.
    Where Keras has to train more than half of them, a line of the logger ``skhp`` says why.
    Fits share what is made of their rows where `X` and `y` are the same objects.

    Parameters
    ----------
    fits : iterable of tuples (estimator, X, y) or (estimator, X, y, fit_params)
        Estimators are fitted themselves, and not a copy of them; `fit_params` is a mapping of what
        else `fit` takes.
    n_jobs : int or None, default=None
        Threads that train cohorts at the same time; None and -1 are one for each core.
    memory_limit : int, str or None, default=None
        The most memory that the cohorts in training may take: bytes, "500MB", "1GiB".
    chunk : int or None, default=None
        Epochs trained between two looks at progress and Ctrl-C.
    progress : ProgressObserver, default=None
        Is told of each chunk of each cohort.

    Returns
    -------
    list of fitted estimators or exceptions
        In the order of `fits`; where a fit raised an exception, that exception.

    Raises
    ------
    ValueError
        If an estimator is given twice, or one of `fits` is not such a tuple.
    InvalidParameterError
        If an option has a value that it cannot have.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skhp import KerasMLPClassifier
    >>> from skhp.population import fit_together
    >>> X, y = make_classification(random_state=0)
    >>> networks = [KerasMLPClassifier(epochs=5, random_state=seed) for seed in range(3)]
    >>> [network.n_iter_ for network in fit_together((network, X, y) for network in networks)]
    [5, 5, 5]
    """
    options = PopulationOptions(n_jobs, None, memory_limit, chunk)
    requests = _requests(fits)
    planner = Planner()
    population: list[Any] = []
    members: dict[int, Member] = {}
    tasks: list[_Fit] = []
    reported = ReportedCall()
    with shared_preparation():
        for request in requests:
            tasks.append(_Fit(request, planner.plan_fit(*request), reported))
            for fit in tasks[-1].fits:
                members[len(population)] = Member(tasks[-1], fit)
                population.append(fit.task)
    for task in tasks:
        if not task.fits:
            task.report(task.run({}))
    if members:
        observer = SilentProgress() if progress is None else progress
        train_and_run(population, members, options, observer, trained_by_cohorts)
    reported.end()
    return [task.outcome for task in tasks]


def _requests(fits: Iterable[tuple[Any, ...]]) -> list[tuple[Any, Any, Any, Mapping[str, Any]]]:
    requests: list[tuple[Any, Any, Any, Mapping[str, Any]]] = []
    seen: set[int] = set()
    for number, fit in enumerate(fits):
        if not isinstance(fit, tuple) or len(fit) not in (3, 4):
            raise ValueError(
                f"fit {number} of fit_together is {fit!r}: give a tuple (estimator, X, y) or "
                "(estimator, X, y, fit_params)."
            )
        estimator, X, y, *rest = fit
        if id(estimator) in seen:
            raise ValueError(
                f"fit {number} of fit_together is of an estimator that an earlier one fits, too: "
                "give a clone of it (sklearn.base.clone)."
            )
        seen.add(id(estimator))
        requests.append((estimator, X, y, dict(rest[0] or {}) if rest else {}))
    return requests
