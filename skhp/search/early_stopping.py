"""Switches early stopping on, in each part of an estimator that has a parameter for it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from skhp.exceptions import InvalidParameterError
from skhp.shared.class_targets import class_labels
from skhp.shared.nearest_name import nearest_name
from skhp.shared.pipelines import last_step, last_step_prefix

# The names that scikit-learn and skhp give to the switch, and to the number of rounds without an
# improvement.
_SWITCH = "early_stopping"
_ROUNDS = ("patience", "n_iter_no_change")
_DEFAULT_ROUNDS = 10
_HELD_OUT = "validation_fraction"
_HELD_OUT_BY_DEFAULT = 0.1
_FEWEST_HELD_OUT = 5
# Wrapped Keras models hold out their last rows by `_LAST_ROWS`, and `_CALLBACKS` may contain Keras'
# own callback.
_LAST_ROWS = "validation_split"
_CALLBACKS = ("callbacks", "fit__callbacks")
_CALLBACK = "EarlyStopping"


def with_early_stopping(estimator: Any, setting: Any, y: Any = None, n_folds: int = 5) -> Any:
    """A copy of the estimator that stops early as `setting` says; itself if nothing changes.

    "auto" leaves out each part that would hold out too few rows, and each part in which somebody
    has switched early stopping off. If nothing in the estimator can stop early, "auto" changes
    nothing, and other settings raise an error.
    """
    if setting is False:
        return estimator
    parameters = estimator.get_params(deep=True)
    owners = _owners(parameters)
    if not owners:
        if setting == "auto":
            return estimator
        raise InvalidParameterError(
            f"early_stopping={setting!r}, but {type(estimator).__name__} has no parameter to stop "
            f'early by ({_SWITCH}, {" or ".join(_ROUNDS)}): leave it at "auto", or set it to False.'
        )
    changes: dict[str, Any] = {}
    for owner in owners:
        if setting == "auto" and (
            stops_by_callback(parameters, owner) or _was_switched_off(estimator, parameters, owner)
        ):
            continue
        if setting != "auto" or _has_enough_rows(estimator, parameters, owner, y, n_folds):
            changes |= _switched_on(parameters, owner, setting)
    if isinstance(setting, Mapping):
        changes |= _set_by_dict(parameters, owners, setting)
    changes = {name: value for name, value in changes.items() if parameters[name] is not value}
    return clone(estimator).set_params(**changes) if changes else estimator


def switched_off(parameters: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The parameters with which the estimator with the prefix `owner` trains for all its epochs."""
    if owner not in _owners(parameters):
        return {}
    if f"{owner}{_SWITCH}" in parameters:
        holds_out = parameters.get(f"{owner}{_LAST_ROWS}")
        kept = {f"{owner}{_LAST_ROWS}": 0.0} if holds_out else {}
        return {f"{owner}{_SWITCH}": False, **kept}
    return {f"{owner}{name}": None for name in _ROUNDS if f"{owner}{name}" in parameters}


def _was_switched_off(estimator: Any, parameters: Mapping[str, Any], owner: str) -> bool:
    """Whether early stopping is off though it is on by default, so that somebody chose this."""
    part = parameters[owner.removesuffix("__")] if owner else estimator
    known = inspect.signature(type(part)).parameters.get(_SWITCH)
    return known is not None and known.default is True and parameters[f"{owner}{_SWITCH}"] is False


def can_stop_early(estimator: Any) -> bool:
    """Whether an estimator itself has a parameter to stop early by."""
    return "" in _owners(estimator.get_params(deep=False)) or hasattr(estimator, "stop_reason_")


def stops_by_callback(parameters: Mapping[str, Any], owner: str) -> bool:
    """Whether an estimator stops early by a callback of Keras."""
    return any(
        _is_early_stopping(callback)
        for name in _CALLBACKS
        for callback in _flat(parameters.get(f"{owner}{name}"))
    )


def _flat(given: Any) -> Iterator[Any]:
    given = list(given.values()) if isinstance(given, Mapping) else given
    if isinstance(given, (list, tuple)):
        for part in given:
            yield from _flat(part)
    else:
        yield given


def _is_early_stopping(callback: Any) -> bool:
    kind = callback if isinstance(callback, type) else type(callback)
    return any(ancestor.__name__ == _CALLBACK for ancestor in kind.__mro__)


def _owners(parameters: Mapping[str, Any]) -> list[str]:
    """The prefixes of the estimators that can stop early, "" for the outermost."""
    prefixes = []
    for name in parameters:
        prefix, _, last = name.rpartition("__")
        if prefix and not hasattr(parameters.get(prefix), "get_params"):
            # The prefix is not an estimator; it may be an argument of a build function.
            continue
        prefix += "__" if prefix else ""
        is_rounds = last == "n_iter_no_change" and f"{prefix}{_SWITCH}" not in parameters
        if last == _SWITCH or is_rounds:
            prefixes.append(prefix)
    return prefixes


def _switched_on(parameters: Mapping[str, Any], owner: str, setting: Any) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    rounds = next((f"{owner}{name}" for name in _ROUNDS if f"{owner}{name}" in parameters), None)
    if f"{owner}{_SWITCH}" in parameters:
        changes[f"{owner}{_SWITCH}"] = True
    elif rounds is not None and parameters[rounds] is None:
        changes[rounds] = _DEFAULT_ROUNDS
    if isinstance(setting, Integral) and not isinstance(setting, bool) and rounds is not None:
        changes[rounds] = int(setting)
    return changes


def _set_by_dict(
    parameters: Mapping[str, Any], owners: list[str], setting: Mapping[str, Any]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, value in setting.items():
        targets = [f"{owner}{name}" for owner in owners if f"{owner}{name}" in parameters]
        if not targets:
            known = sorted(
                full.removeprefix(owner)
                for owner in owners
                for full in parameters
                if full.startswith(owner) and "__" not in full.removeprefix(owner)
            )
            raise InvalidParameterError(
                f"early_stopping has {name!r}, which is not a parameter of any estimator that can "
                f"stop early.{nearest_name(name, known)}"
            )
        changes |= dict.fromkeys(targets, value)
    return changes


def _has_enough_rows(
    estimator: Any, parameters: Mapping[str, Any], owner: str, y: Any, n_folds: int
) -> bool:
    """Whether enough rows of a training fold are held out to compare epochs."""
    if parameters.get(f"{owner}{_SWITCH}") is True:
        return True
    if y is None:
        return False
    target = np.asarray(class_labels(y) if is_classifier(estimator) else y)
    shares = (parameters.get(f"{owner}{name}") for name in (_LAST_ROWS, _HELD_OUT))
    share = next((share for share in shares if share), _HELD_OUT_BY_DEFAULT)
    held_out = len(target) * (1 - 1 / max(n_folds, 2)) * share
    if not is_classifier(estimator) or target.ndim != 1:
        return held_out >= _FEWEST_HELD_OUT
    _, counts = np.unique(target, return_counts=True)
    # A class of one row in a fold cannot be both trained on and held out.
    return held_out >= max(_FEWEST_HELD_OUT, 2 * len(counts)) and counts.min() >= 4


_EPOCHS = ("epochs", "max_iter")


def refuse_refit_epochs(estimator: Any) -> None:
    """Raise InvalidParameterError if `for_median` could not be applied to an estimator."""
    for_median(estimator, np.array([1.0]))


def for_median(estimator: Any, epochs: np.ndarray) -> Any:
    """A copy of an estimator whose last step trains for the median of `epochs` (NaN if unknown)."""
    parameters = estimator.get_params(deep=True)
    prefix, last = last_step_prefix(estimator), last_step(estimator)
    off = switched_off(parameters, prefix)
    name = next((f"{prefix}{name}" for name in _EPOCHS if f"{prefix}{name}" in parameters), None)
    if name is None or not off:
        raise InvalidParameterError(
            f"refit_epochs='median' needs an estimator that counts epochs ({' or '.join(_EPOCHS)}) "
            f"and stops early, and {type(last).__name__} does not: leave refit_epochs out."
        )
    if stops_by_callback(parameters, prefix):
        raise InvalidParameterError(
            f"refit_epochs='median' trains on all rows, and the callback EarlyStopping of "
            f"{type(last).__name__} would stop that training, too: set early_stopping=True in "
            "place of the callback, or leave refit_epochs out."
        )
    if not np.isfinite(epochs).any():
        raise InvalidParameterError(
            f"refit_epochs='median', but no fit of {type(last).__name__} reported its best "
            "epoch: leave refit_epochs out."
        )
    median = max(1, round(float(np.nanmedian(epochs))))
    return clone(estimator).set_params(**off, **{name: median})
