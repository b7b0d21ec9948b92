"""Prepares the fits of tasks, so that a population can train them before the tasks run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from warnings import WarningMessage

import sklearn
from sklearn.base import clone

from skhp.exceptions import CannotJoinError
from skhp.population.pipeline_steps import (
    FittedStep,
    RecordingMemory,
    SharedSteps,
    raise_where_warnings_are_errors,
    recorded_warnings,
)
from skhp.population.requested_fits import (
    TAKES_ROWS,
    RequestedFit,
    RequestingTask,
    SharedRows,
    may_join,
    requested_fits,
    requesting_task,
)
from skhp.shared.pipelines import is_pipeline, last_step


class PipelineSteps(NamedTuple):
    """A pipeline of a task, and its fitted steps before the last one."""

    pipeline: Any
    steps: Sequence[FittedStep]


@dataclass(frozen=True, eq=False)
class PlannedFit:
    """A prepared fit; `task` is the `FitTask` that the estimator made of the rows.

    `pipelines` are the pipelines around the estimator, the outermost first.
    """

    estimator: Any
    X: Any
    y: Any
    fit_params: Mapping[str, Any]
    task: Any
    pipelines: Sequence[PipelineSteps]
    warnings: Sequence[WarningMessage]
    returns_estimator: bool
    failure_is_scored: bool


class Plan(NamedTuple):
    """The fits of a task that join a population, and a refusal for each fit that Keras trains."""

    fits: Sequence[PlannedFit] = ()
    refusals: Sequence[CannotJoinError] = ()


class Planner:
    """Plans the tasks of one call; work that several tasks need is done once."""

    def __init__(self) -> None:
        self._rows = SharedRows()
        self._steps = SharedSteps()

    def plan(self, function: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Plan:
        """Prepare the fits of a task that joblib submits, or tell why Keras will train them."""
        task = requesting_task(function, arguments, keywords)
        if task is None:
            return Plan()
        try:
            with sklearn.config_context(**task.configuration):
                return self._plan(task)
        except Exception:
            # The task itself will raise the error again, where `error_score` decides about it.
            return Plan()

    def _plan(self, task: RequestingTask) -> Plan:
        if task.parameters is not None:
            # The task will set the same parameters again, so this changes nothing for it.
            task.estimator.set_params(**clone(task.parameters, safe=False))
        if not may_join(task.estimator):
            return Plan()
        fits = list(requested_fits(task))
        try:
            return Plan([self._cut_and_prepare(fit, task) for fit in fits])
        except CannotJoinError as refusal:
            return _trained_by_keras(task.estimator, refusal, len(fits))

    def plan_fit(self, estimator: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> Plan:
        """Prepare the fit on all of these rows, or tell why Keras will train it."""
        if not may_join(estimator):
            return Plan()
        try:
            return Plan([self._prepare(estimator, X, y, dict(fit_params), True, False)])
        except CannotJoinError as refusal:
            return _trained_by_keras(estimator, refusal, 1)
        except Exception:
            # The fit itself will raise the error again.
            return Plan()

    def _cut_and_prepare(self, fit: RequestedFit, requesting: RequestingTask) -> PlannedFit:
        fit_params = self._rows.cut_parameters(fit.X, fit.fit_params, fit.train)
        X, y = self._rows.cut(fit.estimator, fit.X, fit.y, fit.train)
        return self._prepare(
            fit.estimator,
            X,
            y,
            fit_params,
            requesting.returns_estimator,
            requesting.failure_is_scored,
        )

    def _prepare(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        fit_params: dict[str, Any],
        returns_estimator: bool,
        failure_is_scored: bool,
    ) -> PlannedFit:
        pipelines = []
        kept = X
        if is_pipeline(estimator) or not hasattr(type(estimator), TAKES_ROWS):
            X = self._rows.read(X)
        while is_pipeline(estimator):
            memory = None
            if hasattr(estimator, "memory"):
                memory = RecordingMemory(self._steps, estimator.memory)
                pipelines.append(PipelineSteps(estimator, memory.steps))
            X, y, fit_params = _reach_last_step(estimator, memory, X, y, fit_params)
            estimator = estimator.steps[-1][1]
            kept = X
        with recorded_warnings() as recorded:
            task = estimator.__skhp_fit_task__(X, y, **fit_params)
        # A fit with a warning that is an error is not planned: its own task will raise the error.
        raise_where_warnings_are_errors(recorded)
        return PlannedFit(
            estimator,
            kept,
            y,
            fit_params,
            task,
            pipelines,
            recorded,
            returns_estimator,
            failure_is_scored,
        )


def _trained_by_keras(estimator: Any, refusal: CannotJoinError, n_fits: int) -> Plan:
    # With engine="population" the fit raises the refusal, and Keras does not train it.
    fails = getattr(last_step(estimator), "engine", None) == "population"
    return Plan(refusals=[] if fails else [refusal] * n_fits)


class _LastStep:
    """Takes the place of the last step of a pipeline, and keeps the arguments of its `fit`."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.is_reached = False

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> _LastStep:
        self.is_reached = True
        self.X, self.y, self.fit_params = X, y, fit_params
        return self

    def get_metadata_routing(self) -> Any:
        return self._estimator.get_metadata_routing()


def _reach_last_step(
    pipeline: Any, memory: RecordingMemory | None, X: Any, y: Any, fit_params: Mapping[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Fit a pipeline up to its last step, and return the arguments of the last step's fit."""
    *earlier, (name, final) = pipeline.steps
    last = _LastStep(final)
    if memory is None:
        # A pipeline without a memory fits its own steps, not clones of them.
        earlier = [(its_name, clone(step, safe=False)) for its_name, step in earlier]
    parameters = pipeline.get_params(deep=False) | {"steps": [*earlier, (name, last)]}
    quiet = {"verbose": False} if memory is None else {"verbose": False, "memory": memory}
    parameters |= {name: value for name, value in quiet.items() if name in parameters}
    # This new pipeline is without the user's callbacks, which would see the fit twice.
    try:
        type(pipeline)(**parameters).fit(X, y, **fit_params)
    except Exception:
        # An error after the last step is left to the task.
        if not last.is_reached:
            raise
    return last.X, last.y, last.fit_params
