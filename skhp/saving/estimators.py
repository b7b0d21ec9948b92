"""Estimators of skhp as JSON and arrays: which there are, their parameters and what they learnt."""

from __future__ import annotations

import inspect
from typing import Any

from skhp.estimators.convolutional.classifier import KerasCNNClassifier
from skhp.estimators.convolutional.regressor import KerasCNNRegressor
from skhp.estimators.mlp.classifier import KerasMLPClassifier
from skhp.estimators.mlp.regressor import KerasMLPRegressor
from skhp.estimators.network.parameters import NetworkParameters
from skhp.estimators.recurrent.classifier import KerasRNNClassifier
from skhp.estimators.recurrent.regressor import KerasRNNRegressor
from skhp.exceptions import CannotSaveError, FileRefusedError, InvalidParameterError
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, one_of, only, short
from skhp.saving.learnt import learnt_written, read_learnt
from skhp.saving.values import read, written

NETWORKS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        KerasCNNClassifier,
        KerasCNNRegressor,
        KerasMLPClassifier,
        KerasMLPRegressor,
        KerasRNNClassifier,
        KerasRNNRegressor,
    )
}
WRAPPERS = frozenset({"KerasClassifier", "KerasRegressor"})


def is_known(estimator: Any) -> bool:
    """Whether this is an estimator of skhp itself, and not of a subclass of a user's."""
    kind = type(estimator)
    if kind.__name__ in NETWORKS:
        return kind is NETWORKS[kind.__name__]
    return kind.__name__ in WRAPPERS and kind.__module__.startswith("skhp.estimators.")


def estimator_written(estimator: Any, parts: WrittenParts) -> dict[str, Any]:
    """An estimator of skhp as JSON, fitted or not."""
    name = type(estimator).__name__
    if name in WRAPPERS:
        from skhp.saving.wrapped import wrapped_written

        return {"class": name, **wrapped_written(estimator, parts)}
    # What a file holds is checked when it is loaded; so nothing else is written.
    NetworkParameters._validate_params(estimator)
    parameters = estimator.get_params(deep=False)
    if parameters["callbacks"] is not None:
        raise CannotSaveError(
            f"{name} has callbacks={short(parameters['callbacks'])}, which are code and are not "
            "saved. Call set_params(callbacks=None) before saving; predictions do not need them."
        )
    return {
        "class": name,
        "parameters": {
            key: written(value, f"the parameter {key!r}", parts)
            for key, value in parameters.items()
        },
        "learnt": learnt_written(estimator, parts),
    }


def read_estimator(document: Any, parts: ReadParts) -> Any:
    """An estimator from JSON."""
    name = one_of(document, "class", NETWORKS.keys() | WRAPPERS)
    if name in WRAPPERS:
        from skhp.saving.wrapped import read_wrapped

        return read_wrapped(name, document, parts)
    only(document, "class", "parameters", "learnt")
    kind = NETWORKS[name]
    given = {key: read(v, parts) for key, v in field(document, "parameters", dict).items()}
    known = inspect.signature(kind).parameters.keys() - {"callbacks"}
    if given.pop("callbacks", None) is not None or given.keys() - known:
        raise FileRefusedError(f"has parameters {short(sorted(given))} for {name}")
    estimator = kind(**given)
    try:
        NetworkParameters._validate_params(estimator)
    except InvalidParameterError as error:
        raise FileRefusedError(f"has wrong parameters: {error}") from error
    if field(document, "learnt", dict, type(None)) is not None:
        only(document["learnt"], "attributes", "trained")
        read_learnt(estimator, document["learnt"], parts)
    return estimator
