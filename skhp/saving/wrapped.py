"""KerasClassifier and KerasRegressor as JSON and arrays."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.base import is_classifier

from skhp.compat.keras import DefaultSeeds
from skhp.estimators.keras_model.classifier import KerasClassifier
from skhp.estimators.keras_model.label_decisions import LabelDecisions
from skhp.estimators.keras_model.regressor import KerasRegressor
from skhp.estimators.keras_model.transfer.base_model import portable_base
from skhp.estimators.keras_model.wrapped_fit import KerasWrapper
from skhp.estimators.several_inputs import PackedInputs
from skhp.estimators.threshold import Threshold
from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.build_function import build_read, build_written
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, only, short
from skhp.saving.keras_models import model_written, read_model
from skhp.saving.learnt import (
    STOP_REASONS,
    foreign_attribute,
    is_count,
    is_history,
    is_size,
    is_text_array,
    read_threshold,
)
from skhp.saving.values import read, written
from skhp.shared.equality import equal
from skhp.training.training_rows import TrainingSeeds

_WRAPPERS: dict[str, Any] = {"KerasClassifier": KerasClassifier, "KerasRegressor": KerasRegressor}
_KINDS_OF_TARGET = frozenset(
    {
        "binary",
        "multiclass",
        "multiclass-multioutput",
        "multilabel-indicator",
        "continuous",
        "continuous-multioutput",
    }
)
_MOST_COLUMNS = 2**20


def _is_dtype(value: Any) -> bool:
    return isinstance(value, np.dtype)


def _is_shape(value: Any) -> bool:
    return type(value) is tuple and len(value) >= 1 and all(map(is_count, value))


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _is_labels(value: Any) -> bool:
    return value is None or (isinstance(value, np.ndarray) and value.ndim == 1)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "n_features_in_": is_size,
    "feature_names_in_": is_text_array,
    "X_dtype_": _is_dtype,
    "X_shape_": _is_shape,
    "y_dtype_": _is_dtype,
    "y_ndim_": lambda value: value in (1, 2),
    "target_type_": lambda value: value in _KINDS_OF_TARGET,
    "_one_hot_columns": _or_none(is_size),
    "_rarest": lambda value: value in (0, 1),
    "classes_": _is_labels,
    "n_classes_": _or_none(is_size),
    "n_outputs_": is_size,
    "n_outputs_expected_": _or_none(is_size),
    "_output_units": _or_none(is_size),
    "history_": is_history,
    "n_iter_": is_count,
    "best_epoch_": is_count,
    "stop_reason_": lambda value: value in STOP_REASONS,
    "_threshold": lambda value: type(value) is Threshold,
    "_frozen_part": _or_none(lambda value: type(value) is str),
    "_is_fine_tuned": _is_flag,
    "_takes_features": _is_flag,
    "_random_state": lambda value: value is None,
}
# Made anew when a file is loaded, or not needed any more.
_ELSEWHERE = frozenset(
    {
        "model_",
        "target_encoder_",
        "feature_encoder_",
        "_seeds",
        "_default_seeds",
        "_built_with",
        "_packed_inputs",
        "_stand_in",
        "callbacks_",
        "rare_class_",
        "_set_names",
        "_extra_parameters",
    }
)
_NEEDED = frozenset({"X_dtype_", "X_shape_", "y_dtype_", "y_ndim_", "target_type_", "n_outputs_"})


def wrapped_written(estimator: Any, parts: WrittenParts) -> dict[str, Any]:
    """A wrapped model as JSON, fitted or not."""
    state = vars(estimator)
    parameters = {
        **estimator.get_params(deep=False),
        **state.get("_extra_parameters", {}),
    }
    return {
        "parameters": {
            name: _parameter_written(name, value, parts) for name, value in parameters.items()
        },
        "set": sorted(state.get("_set_names", ())),
        "learnt": _learnt_written(estimator, state, parts) if "model_" in state else None,
    }


def _parameter_written(name: str, value: Any, parts: WrittenParts) -> Any:
    what = f"the parameter {name!r}"
    if name.partition("__")[0] == "callbacks" and value is not None:
        raise CannotSaveError(
            f"{what} is {short(value)}. Callbacks are code and are not saved. Call "
            "set_params(callbacks=None) before saving; predictions do not need them."
        )
    if name == "base_model" and isinstance(value, (str, os.PathLike)):
        # The path would be another file, or none, where the estimator is loaded.
        value = portable_base(value).restored()
    if isinstance(value, keras.Model):
        return {"kind": "keras_model", **model_written(value, what, parts)}
    if name in ("model", "build_fn") and value is not None:
        return build_written(value, what, parts)
    return written(value, what, parts)


def _learnt_written(estimator: Any, state: dict[str, Any], parts: WrittenParts) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    parameters = estimator.get_params(deep=False)
    for name, value in state.items():
        if name in parameters or name in _ELSEWHERE:
            continue
        if name not in _CHECKS:
            raise foreign_attribute(estimator, name)
        attributes[name] = written(_plain(name, value), name, parts)
    seeds, packed = state["_seeds"], state.get("_packed_inputs")
    return {
        "attributes": attributes,
        "seeds": [int(seeds.split), int(seeds.network), int(seeds.order)],
        "target": _encoder_written(state["target_encoder_"], parts),
        "inputs": None
        if packed is None
        else {
            "names": written(packed.names, "X", parts),
            "shapes": [list(shape) for shape in packed.shapes],
            "dtypes": [written(dtype, "X", parts) for dtype in packed.dtypes],
        },
        "changed": _changed_written(estimator, state, parts),
        "model": model_written(state["model_"], "model_", parts),
    }


def _plain(name: str, value: Any) -> Any:
    if type(value) is Threshold:
        return {"value": float(value.value), "rare": int(value.rare)}
    if name == "history_":
        return {key: [float(item) for item in items] for key, items in value.items()}
    return int(value) if isinstance(value, np.integer) else value


def _changed_written(estimator: Any, state: dict[str, Any], parts: WrittenParts) -> dict[str, Any]:
    """The parameters that the model was built with, where they have been changed since."""
    now, before = KerasWrapper._building_parameters(estimator), state["_built_with"]
    changed = {
        name: written(value, f"the former value of {name!r}", parts)
        for name, value in before.items()
        if name not in now or not equal(now[name], value)
    }
    return {"values": changed, "without": sorted(now.keys() - before.keys())}


def _encoder_written(encoder: Any, parts: WrittenParts) -> dict[str, Any]:
    state = vars(encoder)
    given = state.get("categories", "auto")
    return {
        "row_shape": [int(size) for size in state["_y_shape"][1:]],
        "kind": state.get("_target_type"),
        "given": given != "auto" if isinstance(given, str) else True,
        "loss": written(state.get("loss"), "loss", parts),
    }


# ---------------------------------------------------------------- reading


def read_wrapped(name: str, document: dict[str, Any], parts: ReadParts) -> Any:
    """A wrapped model from JSON."""
    only(document, "class", "parameters", "set", "learnt")
    parameters = {
        key: _read_parameter(key, value, parts)
        for key, value in field(document, "parameters", dict).items()
    }
    set_names = field(document, "set", list)
    if not all(type(one) is str for one in set_names) or any(
        not key.isidentifier() or key.startswith("_") for key in parameters
    ):
        raise FileRefusedError(f"has parameters {short(sorted(parameters))} for {name}")
    try:
        estimator = _WRAPPERS[name](**parameters)
        KerasWrapper._validate_params(estimator)
    except (TypeError, ValueError) as error:
        raise FileRefusedError(f"has wrong parameters: {error}") from error
    if set_names:
        vars(estimator)["_set_names"] = frozenset(set_names)
    learnt = field(document, "learnt", dict, type(None))
    if learnt is not None:
        _read_learnt(estimator, learnt, parts)
    return estimator


def _read_parameter(name: str, value: Any, parts: ReadParts) -> Any:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "keras_model" and name in ("model", "build_fn", "base_model"):
        return read_model(value, parts)
    if kind == "build_function" and name in ("model", "build_fn"):
        return build_read(value, parts)
    found = read(value, parts)
    if name in ("model", "build_fn", "base_model", "callbacks") and found is not None:
        raise FileRefusedError(f"has {name}={short(found)}, where a model is expected")
    return found


def _read_learnt(estimator: Any, document: dict[str, Any], parts: ReadParts) -> None:
    only(document, "attributes", "seeds", "target", "inputs", "changed", "model")
    given = {key: read(value, parts) for key, value in field(document, "attributes", dict).items()}
    if "_threshold" in given:
        given["_threshold"] = read_threshold(given["_threshold"])
    for name, value in given.items():
        if name not in _CHECKS or not _CHECKS[name](value):
            raise FileRefusedError(f"has the attribute {name}={short(value)}, which cannot be")
    if _NEEDED - given.keys() or (is_classifier(estimator) and "classes_" not in given):
        raise FileRefusedError(f"lacks some of the attributes {short(sorted(_NEEDED))}")
    if "history_" in given:
        given["history_"] = defaultdict(list, given["history_"])
    state = vars(estimator)
    state.update(given)
    seeds = field(document, "seeds", list)
    if len(seeds) != 3 or not all(is_count(seed) and seed < 2**32 for seed in seeds):
        raise FileRefusedError(f"has the seeds {short(seeds)}")
    split, network, order = seeds
    state["_seeds"] = TrainingSeeds(split=split, network=network, order=order)
    state["_default_seeds"] = DefaultSeeds(network, required=False)
    state["_packed_inputs"] = _read_inputs(document.get("inputs"), parts)
    state["target_encoder_"] = _read_encoder(estimator, field(document, "target", dict), parts)
    state["feature_encoder_"] = _feature_encoder(estimator)
    if "_rarest" in given and LabelDecisions._has_two_classes(estimator):
        state["rare_class_"] = estimator.classes_[given["_rarest"]]
    changed = field(document, "changed", dict)
    only(changed, "values", "without")
    state["model_"] = read_model(document.get("model"), parts)
    _refuse_other_parts(estimator, given)
    before = KerasWrapper._building_parameters(estimator)
    before |= {key: read(v, parts) for key, v in field(changed, "values", dict).items()}
    without = field(changed, "without", list)
    state["_built_with"] = {key: value for key, value in before.items() if key not in without}


def _refuse_other_parts(estimator: Any, given: dict[str, Any]) -> None:
    """Refuse attributes that name parts which the model does not have."""
    frozen = given.get("_frozen_part")
    names = {layer.name for layer in estimator.model_.layers}
    if (frozen is not None and frozen not in names) or (
        given.get("_takes_features") and frozen is None
    ):
        raise FileRefusedError(f"has a frozen part {short(frozen)}, which its model does not have")
    shape = given["X_shape_"]
    if "n_features_in_" in given and shape[1:2] not in ((), (given["n_features_in_"],)):
        raise FileRefusedError(f"has rows of the shape {short(shape)} and other columns")


def _feature_encoder(estimator: Any) -> Any:
    encoder = estimator.feature_encoder
    # It has learnt nothing but this.
    if "n_features_in_" in vars(estimator):
        encoder.n_features_in_ = estimator.n_features_in_
    return encoder


def _read_inputs(document: Any, parts: ReadParts) -> PackedInputs | None:
    if document is None:
        return None
    names = read(document.get("names"), parts) if isinstance(document, dict) else None
    shapes, dtypes = field(document, "shapes", list), field(document, "dtypes", list)
    fits = names is None or (type(names) is tuple and all(type(name) is str for name in names))
    fits &= all(isinstance(shape, list) and all(map(is_size, shape)) for shape in shapes)
    fits &= len(shapes) == len(dtypes) and (names is None or len(names) == len(shapes))
    found = tuple(read(dtype, parts) for dtype in dtypes)
    if not fits or not all(map(_is_dtype, found)):
        raise FileRefusedError(f"has the inputs {short(document)}")
    return PackedInputs(names, tuple(tuple(shape) for shape in shapes), found)


def _read_encoder(estimator: Any, document: dict[str, Any], parts: ReadParts) -> Any:
    """The encoder of the target, fitted on a target of the form that it was fitted on."""
    only(document, "row_shape", "kind", "given", "loss")
    shape = tuple(field(document, "row_shape", list))
    if len(shape) > 1 or not all(is_size(size) and size <= _MOST_COLUMNS for size in shape):
        raise FileRefusedError(f"has a target with rows of the shape {short(shape)}")
    kind, loss = document.get("kind"), read(document.get("loss"), parts)
    if not is_classifier(estimator):
        return estimator.target_encoder.fit(np.zeros((2, *shape), np.float64))
    classes = estimator.classes_
    if kind in ("binary", "multiclass"):
        if classes is None or len(classes) < 2 or shape not in ((), (1,)):
            raise FileRefusedError(
                f"has a target of the kind {kind!r} with classes {short(classes)}"
            )
        target = classes.reshape(-1, *shape)
    elif kind in ("multilabel-indicator", "multiclass-onehot", "multiclass-multioutput"):
        columns = shape[0] if shape else 0
        known = columns if classes is None else len(classes)
        if columns < 2 or known != columns:
            raise FileRefusedError(f"has a target of the kind {kind!r} with {columns} columns")
        rows = {"multilabel-indicator": 2, "multiclass-onehot": 1}.get(kind, 3)
        target = np.repeat(np.arange(rows)[:, None], columns, axis=1)
        if rows == 1:
            target[0, 0] = 1
    else:
        raise FileRefusedError(f"has a target of the kind {short(kind)}")
    try:
        encoder = estimator.target_encoder
        encoder.set_params(categories=[classes] if field(document, "given", bool) else "auto")
        encoder.loss = loss
        encoder.fit(target)
    except (TypeError, ValueError) as error:
        raise FileRefusedError(f"has classes that cannot be encoded: {error}") from error
    if vars(encoder)["_target_type"] != kind:
        raise FileRefusedError(f"has a target of the kind {kind!r}, and classes of another kind")
    return encoder
