"""Pipelines, and the estimators within them.

A pipeline is recognised by its list of named steps, not by its class, because imbalanced-learn and
other libraries have pipeline classes of their own.
"""

from __future__ import annotations

from typing import Any

# Attributes that mark a pipeline (the first) or a fitted network (the others).
_MARKS = ("steps", "history_", "loss_curve_")


def is_pipeline(estimator: Any) -> bool:
    """Whether an estimator consists of a list of named steps.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> is_pipeline(make_pipeline(StandardScaler())), is_pipeline(StandardScaler())
    (True, False)
    """
    steps = getattr(estimator, "steps", None)
    return (
        not isinstance(estimator, type)
        and isinstance(steps, list | tuple)
        and len(steps) > 0
        and all(isinstance(step, list | tuple) and len(step) == 2 for step in steps)
        and all(isinstance(name, str) for name, _ in steps)
    )


def last_step(estimator: Any) -> Any:
    """The last step of a pipeline, however deeply nested; any other estimator itself.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> last_step(make_pipeline("passthrough", make_pipeline(Ridge())))
    Ridge()
    """
    while is_pipeline(estimator):
        estimator = estimator.steps[-1][1]
    return estimator


def last_step_prefix(estimator: Any) -> str:
    """The prefix of the names of the last step's parameters; "" outside of a pipeline.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> last_step_prefix(make_pipeline(make_pipeline(Ridge())))
    'pipeline__ridge__'
    """
    prefix = ""
    while is_pipeline(estimator):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix


def steps_before(estimator: Any) -> list[tuple[str, Any]]:
    """The full names and steps before the last step, from the outermost pipeline inwards.

    Steps that do nothing are left out.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> steps_before(make_pipeline("passthrough", make_pipeline(StandardScaler(), Ridge())))
    [('pipeline__standardscaler', StandardScaler())]
    """
    prefix, before = "", []
    while is_pipeline(estimator):
        *earlier, (name, estimator) = estimator.steps
        before += [
            (f"{prefix}{its_name}", step)
            for its_name, step in earlier
            if step is not None and not isinstance(step, str)
        ]
        prefix += f"{name}__"
    return before


def deciding_step(estimator: Any) -> Any:
    """The fitted estimator that predicts, reached through last steps and best estimators."""
    while (inner := getattr(last_step(estimator), "best_estimator_", None)) is not None:
        estimator = inner
    return last_step(estimator)


def held_within(estimator: Any) -> Any | None:
    """The fitted estimator within a pipeline, or within a wrapper of one estimator, or None.

    The names below are those of scikit-learn's `TransformedTargetRegressor` and of its classifiers
    with a threshold. In other estimators, such as a forest, the name may hold an unfitted template.
    """
    if is_pipeline(estimator):
        return estimator.steps[-1][1]
    inner = (getattr(estimator, name, None) for name in ("estimator_", "regressor_"))
    return next((one for one in inner if any(hasattr(one, a) for a in _MARKS)), None)


def trained_within(estimator: Any) -> Any:
    """The estimator that was trained: the innermost one that `held_within` leads to."""
    while (held := held_within(estimator)) is not None:
        estimator = held
    return estimator
