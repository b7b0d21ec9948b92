"""Fits the steps of a pipeline before its network, once for all tasks that need them."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from warnings import WarningMessage

from sklearn.base import clone
from sklearn.utils.validation import check_memory

from skhp.population.limits.timed_tasks import is_left_behind
from skhp.shared.equality import equal


@contextlib.contextmanager
def recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Record every warning, and show none."""
    catching = warnings.catch_warnings(record=True)
    recorded = catching.__enter__()
    try:
        warnings.simplefilter("always")
        yield recorded
    finally:
        # A thread that was left behind would restore what is long outdated.
        if not is_left_behind():
            catching.__exit__(None, None, None)


def give_warnings(recorded: Sequence[warnings.WarningMessage]) -> None:
    """Give recorded warnings again, from the lines that gave them first."""
    for warning in recorded:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def raise_where_warnings_are_errors(recorded: Sequence[warnings.WarningMessage]) -> None:
    """Raise the first warning that the warning filters turn into an error."""
    with warnings.catch_warnings(record=True):
        give_warnings(recorded)


@dataclass(frozen=True, eq=False)
class FittedStep:
    """A transformer and the arguments of its fit, and the result of this fit.

    `outputs` are the transformed rows; with a sampler, they are the rows and their targets.
    """

    transformer: Any
    X: Any
    y: Any
    params: Any
    outputs: tuple[Any, ...]
    fitted: Any
    warnings: Sequence[WarningMessage]

    def answers(self, transformer: Any, X: Any, y: Any, params: Any) -> bool:
        """Whether fitting this transformer on these rows would give the same."""
        return (
            equal(transformer, self.transformer)
            and equal(params, self.params)
            and equal(y, self.y)
            and equal(X, self.X)
        )


class SharedSteps:
    """Fits the transformers of all tasks, an equal transformer on the same rows only once."""

    def __init__(self) -> None:
        self._fitted: dict[tuple[int, int], list[FittedStep]] = {}

    def fit(
        self, transformer: Any, X: Any, y: Any, params: Any, fit_transform: Callable[..., Any]
    ) -> FittedStep:
        """The step, fitted now or earlier."""
        # The steps keep X and y alive, so that no other object gets the same `id`.
        steps = self._fitted.setdefault((id(X), id(y)), [])
        for step in steps:
            if equal(transformer, step.transformer) and equal(params, step.params):
                return step
        # A transformer may write into its rows, which other tasks share.
        rows = X.copy() if hasattr(X, "copy") else X
        with recorded_warnings() as recorded:
            *outputs, fitted = fit_transform(clone(transformer), rows, y)
        step = FittedStep(transformer, X, y, params, tuple(outputs), fitted, recorded)
        steps.append(step)
        return step


class RecordingMemory:
    """The memory of a pipeline that is planned: fits through the user's memory, and keeps steps."""

    location = None

    def __init__(self, shared: SharedSteps, memory: Any) -> None:
        self._shared = shared
        self._memory = check_memory(memory)
        self.steps: list[FittedStep] = []

    def cache(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Wrap the function by which a pipeline fits a transformer."""
        cached = self._memory.cache(function, **options)

        def fit_transform(
            transformer: Any, X: Any, y: Any, *arguments: Any, **keywords: Any
        ) -> tuple[Any, ...]:
            step = self._shared.fit(
                transformer,
                X,
                y,
                keywords.get("params"),
                lambda unfitted, rows, targets: cached(
                    unfitted, rows, targets, *arguments, **keywords
                ),
            )
            self.steps.append(step)
            return *step.outputs, step.fitted

        return fit_transform


class AnsweringMemory:
    """The memory of a pipeline that runs: answers with the steps that the planner fitted.

    With `copies`, each answer is a copy, for pipelines that outlive their task.
    """

    location = None

    def __init__(self, steps: Sequence[FittedStep], copies: bool) -> None:
        self._steps = steps
        self._copies = copies

    def cache(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Wrap the function by which a pipeline fits a transformer."""

        def fit_transform(
            transformer: Any, X: Any, y: Any, *arguments: Any, **keywords: Any
        ) -> tuple[Any, ...]:
            for step in self._steps:
                if step.answers(transformer, X, y, keywords.get("params")):
                    fitted = copy.deepcopy(step.fitted) if self._copies else step.fitted
                    # `function` also reports to callbacks, and prints if the pipeline is verbose.
                    function(FittedTransformer(fitted, step), X, y, *arguments, **keywords)
                    return *step.outputs, fitted
            # Other tasks may share the transformer.
            return function(clone(transformer), X, y, *arguments, **keywords)

        return fit_transform


class FittedTransformer:
    """Stands in for a transformer that was fitted before, while a pipeline fits it again."""

    def __init__(self, fitted: Any, step: FittedStep) -> None:
        self._fitted = fitted
        self._step = step

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Give the warnings of the fit, and return the transformed rows."""
        give_warnings(self._step.warnings)
        return self._step.outputs[0]

    def fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, ...]:
        """Give the warnings of the fit of a sampler, and return the rows and their targets."""
        give_warnings(self._step.warnings)
        return self._step.outputs

    def __getattr__(self, name: str) -> Any:
        if name == "_fitted":
            # `copy` asks for attributes before the instance has any.
            raise AttributeError(name)
        return getattr(self._fitted, name)
