"""The attributes that our own networks learn in a fit, each with what it may be in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from skhp.estimators.convolutional.convolutional_network import ConvolutionalNetwork
from skhp.estimators.network.class_decisions import OneHotForm
from skhp.estimators.network.estimator import NetworkEstimator
from skhp.estimators.recurrent.recurrent_network import RecurrentNetwork
from skhp.estimators.threshold import Threshold
from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.networks.description import NetworkDescription
from skhp.networks.layers import EmbeddingDescription
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, short, whole
from skhp.saving.networks import network_written, read_network
from skhp.saving.values import read, written

_NETWORK = "_trained_network"
STOP_REASONS = frozenset({"patience", "epochs", "non_finite_loss", "callback", "pruned"})

Check = Callable[[Any], bool]


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0 up."""
    return type(value) is int and 0 <= value < 2**53


def is_size(value: Any) -> bool:
    """Whether a value is a whole number from 1 up."""
    return is_count(value) and value > 0


def is_floats(value: Any) -> bool:
    """Whether a value is a list of floats."""
    return type(value) is list and all(type(item) is float for item in value)


def is_history(value: Any) -> bool:
    """Whether a value has a list of floats for each name."""
    return type(value) is dict and all(
        type(name) is str and is_floats(item) for name, item in value.items()
    )


def is_text_array(value: Any) -> bool:
    """Whether a value is a vector of texts, as the names of columns are."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and all(isinstance(item, str) for item in value.tolist())
    )


def is_classes(value: Any) -> bool:
    """Whether a value is a vector of at least two labels, sorted and each there once."""
    if not isinstance(value, np.ndarray) or value.ndim != 1 or len(value) < 2:
        return False
    try:
        return np.array_equal(np.unique(value), value)
    except TypeError:
        return False


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim == 1


def _is_window(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float32 and value.ndim == 2


def _is_shape(value: Any) -> bool:
    return type(value) is tuple and len(value) == 3 and all(map(is_size, value))


def _is_names(value: Any) -> bool:
    return type(value) is tuple and all(name in _CHECKS or name == "rare_class_" for name in value)


_CHECKS: Mapping[str, Check] = {
    "n_features_in_": is_size,
    "feature_names_in_": is_text_array,
    "n_channels_in_": is_size,
    "vocabulary_size_": is_size,
    "image_shape_": _is_shape,
    "classes_": is_classes,
    "_weight_of_class": _is_numbers,
    "_rarest": is_count,
    "_one_hot": lambda value: value is None or type(value) is OneHotForm,
    "_one_target": lambda value: type(value) is bool,
    "_n_targets": is_size,
    "target_mean_": _is_numbers,
    "target_scale_": _is_numbers,
    "_newest_window": _is_window,
    "_learnt": _is_names,
    "_epochs_run": is_count,
    "history_": is_history,
    "n_iter_": is_count,
    "best_epoch_": is_count,
    "stop_reason_": lambda value: value in STOP_REASONS,
    "learning_rate_": is_floats,
    "_threshold": lambda value: type(value) is Threshold,
}
# Recomputed, so that they cannot contradict the others.
_DERIVED = frozenset({"rare_class_", _NETWORK})
_NEEDED = frozenset({"n_features_in_", "_epochs_run", "history_", "n_iter_", "best_epoch_"})
_NEEDED_OF_CLASSES = frozenset({"classes_", "_weight_of_class", "_rarest", "_one_hot"})
_NEEDED_OF_NUMBERS = frozenset({"_one_target", "_n_targets", "target_mean_", "target_scale_"})
_NEEDED_OF_KIND: tuple[tuple[type, frozenset[str]], ...] = (
    (ConvolutionalNetwork, frozenset({"image_shape_"})),
    (RecurrentNetwork, frozenset({"n_channels_in_"})),
)


def learnt_written(estimator: NetworkEstimator, parts: WrittenParts) -> dict[str, Any] | None:
    """What a fitted network has learnt, as JSON; None if it is not fitted."""
    state = vars(estimator)
    if _NETWORK not in state:
        return None
    parameters = estimator.get_params(deep=False)
    found: dict[str, Any] = {}
    for name, value in state.items():
        if name in parameters or name in _DERIVED:
            continue
        if name not in _CHECKS:
            raise foreign_attribute(estimator, name)
        if type(value) is OneHotForm:
            value = {"n_columns": int(value.n_columns), "dtype": value.dtype}
        elif type(value) is Threshold:
            value = {"value": float(value.value), "rare": int(value.rare)}
        elif isinstance(value, np.integer):
            value = int(value)
        elif name in ("history_", "learning_rate_"):
            value = _plain_floats(value)
        found[name] = written(value, name, parts)
    return {"attributes": found, "trained": network_written(state[_NETWORK], parts)}


def foreign_attribute(estimator: Any, name: str) -> CannotSaveError:
    """The error of an attribute that no method of skhp sets."""
    return CannotSaveError(
        f"{type(estimator).__name__} has the attribute {name!r}, which skhp did not give it, and "
        "which would be lost. Delete it before saving."
    )


def _plain_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain_floats(values) for name, values in value.items()}
    return [float(item) for item in value]


def read_learnt(estimator: NetworkEstimator, document: Any, parts: ReadParts) -> None:
    """Set on a new estimator what a fitted one has learnt, or refuse what does not fit together."""
    given = {name: read(v, parts) for name, v in field(document, "attributes", dict).items()}
    if isinstance(given.get("_one_hot"), dict):
        given["_one_hot"] = _read_one_hot(given["_one_hot"])
    if "_threshold" in given:
        given["_threshold"] = read_threshold(given["_threshold"])
    for name, value in given.items():
        if name not in _CHECKS or not _CHECKS[name](value):
            raise FileRefusedError(f"has the attribute {name}={short(value)}, which cannot be")
    needed = _NEEDED | (_NEEDED_OF_CLASSES if is_classifier(estimator) else _NEEDED_OF_NUMBERS)
    for kind, names in _NEEDED_OF_KIND:
        needed |= names if isinstance(estimator, kind) else frozenset()
    if needed - given.keys():
        raise FileRefusedError(f"lacks the attributes {short(sorted(needed - given.keys()))}")
    network = read_network(field(document, "trained", dict), parts)
    _refuse_mismatch(estimator, given, network)
    if "classes_" in given:
        given["rare_class_"] = given["classes_"][given["_rarest"]]
    estimator.__dict__.update(given, **{_NETWORK: network})


def _read_one_hot(value: dict[str, Any]) -> OneHotForm:
    dtype = value.get("dtype")
    if not isinstance(dtype, np.dtype):
        raise FileRefusedError(f"has a one-hot target of the dtype {short(dtype)}")
    return OneHotForm(whole(value, "n_columns", 2), dtype)


def read_threshold(value: Any) -> Threshold:
    """A threshold on the probability of the rarer of two classes."""
    least = field(value, "value", float, int)
    if not 0 <= least <= 1:
        raise FileRefusedError(f"has a threshold of {least}")
    return Threshold(float(least), whole(value, "rare", most=1))


def _refuse_mismatch(estimator: Any, given: dict[str, Any], network: Any) -> None:
    """Refuse attributes that belong to a network of another shape."""
    description = network.description
    n_outputs = network.network.output_shape[-1]
    if is_classifier(estimator):
        n_classes = len(given["classes_"])
        expected = ("binary", 1) if n_classes == 2 else ("multiclass", n_classes)
        fits = (
            len(given["_weight_of_class"]) == n_classes
            and given["_rarest"] < n_classes
            and ("_threshold" not in given or n_classes == 2)
            and (given["_one_hot"] is None or n_classes <= given["_one_hot"].n_columns)
        )
    else:
        n_targets = given["_n_targets"]
        expected = ("regression", n_targets)
        scale = given["target_scale_"]
        fits = (
            len(given["target_mean_"]) == len(scale) == n_targets
            and bool((scale > 0).all())
            and (n_targets == 1 or not given["_one_target"])
        )
    names = given.get("feature_names_in_")
    fits &= names is None or len(names) == given["n_features_in_"]
    if not fits or (description.output, n_outputs) != expected:
        raise FileRefusedError(
            f"has a network with {n_outputs} outputs ({description.output}), and attributes that "
            "belong to another one"
        )
    _refuse_rows(given, description)


def _refuse_rows(given: dict[str, Any], description: NetworkDescription) -> None:
    shape, first = description.input_shape, description.layers[0]
    fits = shape == (given["n_features_in_"],)
    if "image_shape_" in given:
        fits = given["image_shape_"] == shape
    elif "n_channels_in_" in given:
        fits = given["n_channels_in_"] == (shape[1] if len(shape) == 2 else 1)
        if isinstance(first, EmbeddingDescription):
            fits &= given.get("vocabulary_size_") == first.vocabulary_size
    if "_newest_window" in given:
        fits &= given["_newest_window"].shape == shape
    if not fits:
        raise FileRefusedError(
            f"has a network for rows of the shape {shape}, and attributes of rows of another shape"
        )
