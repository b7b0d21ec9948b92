"""Trained networks as JSON and arrays: known layers, their weights and their optimizer."""

from __future__ import annotations

import math
import typing
from dataclasses import fields
from typing import Any, Literal

import keras
import numpy as np

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.networks.build import SavedNetwork, network_of, restore_network
from skhp.networks.description import NetworkDescription
from skhp.networks.layers import (
    ActivationDescription,
    BatchNormalizationDescription,
    BidirectionalDescription,
    ConvolutionDescription,
    DenseDescription,
    DropoutDescription,
    EmbeddingDescription,
    FlattenDescription,
    FlipDescription,
    GRUDescription,
    LayerDescription,
    LSTMDescription,
    PoolingDescription,
    RecurrentDescription,
    ShiftDescription,
    SimpleRNNDescription,
)
from skhp.networks.layers.activation import ACTIVATIONS
from skhp.objectives.losses import NetworkLoss
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, one_of, only, short, whole
from skhp.saving.values import OUR_LOSSES, read, written
from skhp.training.rate_schedules import OPTIMIZERS, SCHEDULES, Schedule
from skhp.training.trained_network import MemberWeights, Objective, TrainedNetwork
from skhp.training.update_rules import UPDATE_RULES, update_of

LAYERS: dict[str, type[LayerDescription]] = {
    "activation": ActivationDescription,
    "batch_normalization": BatchNormalizationDescription,
    "bidirectional": BidirectionalDescription,
    "convolution": ConvolutionDescription,
    "dense": DenseDescription,
    "dropout": DropoutDescription,
    "embedding": EmbeddingDescription,
    "flatten": FlattenDescription,
    "flip": FlipDescription,
    "gru": GRUDescription,
    "lstm": LSTMDescription,
    "pooling": PoolingDescription,
    "shift": ShiftDescription,
    "simple_rnn": SimpleRNNDescription,
}
_CHOICES = {"function": frozenset(ACTIVATIONS), "padding": frozenset({"same", "valid"})}
# Whatever is larger does not fit into a file that says how many weights it makes.
_MOST_UNITS = 2**40
_MOST_LAYERS = 10_000
_MOST_KERAS_LAYERS = 2_000
_SHARES = frozenset({"rate", "input_rate", "state_rate", "share", "momentum"})
_OUTPUTS = ("binary", "multiclass", "regression")
_LOSSES = frozenset(
    {"auto", "crossentropy", "squared_error", "absolute_error", "huber", "log_cosh"}
)


def network_written(network: TrainedNetwork, parts: WrittenParts) -> dict[str, Any]:
    """A trained network as JSON."""
    document = {
        "network": _description_written(network.description),
        "objective": _objective_written(network.objective, parts),
    }
    if not network.has_model:
        member = network.member
        arrays = {"weights": member.weights, "state": member.state}
        document["member"] = {
            **{name: parts.put(np.asarray(array), name) for name, array in arrays.items()},
            "slots": [parts.put(np.asarray(slot), "an optimizer's state") for slot in member.slots],
            "step": int(member.step),
        }
        return document
    # A network that Keras has trained, or that was read as a Keras model, has noise of its own.
    model, expected = network.model, network.objective.keras_optimizer()
    if type(model.optimizer) is not type(expected):
        raise CannotSaveError(
            f"model_ was compiled with another optimizer ({type(model.optimizer).__name__}) than "
            "the estimator's. Save it with model_.save('name.keras') instead."
        )
    document["model"] = {
        "variables": [parts.put(_value(v), v.path) for v in model.variables],
        "optimizer": [parts.put(_value(v), v.path) for v in model.optimizer.variables],
    }
    return document


def _value(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def _description_written(description: NetworkDescription) -> dict[str, Any]:
    return {
        "input_shape": list(description.input_shape),
        "output": description.output,
        "layers": [_layer_written(layer) for layer in description.layers],
    }


def _layer_written(layer: LayerDescription) -> dict[str, Any]:
    name = next((name for name, kind in LAYERS.items() if type(layer) is kind), None)
    if name is None:
        raise CannotSaveError(
            f"The network has a layer {type(layer).__qualname__}, which is not one of skhp's own; "
            "its code would not be in the file."
        )
    document: dict[str, Any] = {"layer": name}
    record: Any = layer
    for one in fields(record):
        value = getattr(layer, one.name)
        if isinstance(value, LayerDescription):
            value = _layer_written(value)
        document[one.name] = list(value) if isinstance(value, tuple) else value
    return document


def _objective_written(objective: Objective, parts: WrittenParts) -> dict[str, Any]:
    loss, schedule = objective.loss, objective.schedule
    if isinstance(loss, NetworkLoss):
        if loss.name not in OUR_LOSSES:
            raise CannotSaveError(
                f"loss is {loss.name!r}, which is not one of skhp's own losses; its code would not "
                "be in the file."
            )
        settings = {name: written(value, "loss", parts) for name, value in loss.settings}
        saved_loss: Any = {"name": loss.name, "settings": settings}
    elif loss in _LOSSES:
        saved_loss = loss
    else:
        raise CannotSaveError(f"loss is {loss!r}, which skhp.save does not write.")
    if objective.optimizer not in _OWN_OPTIMIZERS:
        raise CannotSaveError(
            f"optimizer is {objective.optimizer!r}, which is not one of skhp's own; its code would "
            "not be in the file."
        )
    saved_schedule = None
    if schedule is not None:
        numbers = {one.name: getattr(schedule, one.name) for one in fields(schedule)}
        saved_schedule = {"kind": schedule.kind, **numbers}
    return {
        "loss": saved_loss,
        "optimizer": objective.optimizer,
        "learning_rate": float(objective.learning_rate),
        "schedule": saved_schedule,
        "steps_per_epoch": objective.steps_per_epoch,
        "epochs": objective.epochs,
    }


_OWN_OPTIMIZERS = frozenset(
    {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam"}
)


# ---------------------------------------------------------------- reading


def read_network(document: Any, parts: ReadParts) -> TrainedNetwork:
    """A trained network from JSON; its arrays are compared with its layers before any is used."""
    if not isinstance(document, dict):
        raise FileRefusedError(f"has a network {short(document)}")
    only(document, "network", "objective", "member", "model")
    description = _read_description(field(document, "network", dict))
    objective = _read_objective(field(document, "objective", dict), parts)
    weight_shapes, state_shapes = _shapes(description)
    n_weights, n_state = sum(map(math.prod, weight_shapes)), sum(map(math.prod, state_shapes))
    # The sizes are compared before a layer is made: the file has to hold as many numbers.
    if 4 * (n_weights + n_state) > parts.total:
        raise FileRefusedError(
            f"describes a network of {n_weights + n_state} weights, and its arrays have "
            f"{parts.total} bytes"
        )
    network_of(description)
    if "member" in document:
        if "model" in document:
            raise FileRefusedError("has two sets of weights for one network")
        member = _read_member(field(document, "member", dict), objective, n_weights, n_state, parts)
        return TrainedNetwork(description, objective, member)
    given = field(document, "model", dict)
    if len(description.layers) > _MOST_KERAS_LAYERS:
        raise FileRefusedError(f"has a Keras model of {len(description.layers)} layers")
    only(given, "variables", "optimizer")
    saved = SavedNetwork(
        description=description,
        loss=objective.loss,
        optimizer=keras.optimizers.serialize(objective.keras_optimizer()),
        steps_per_execution=objective.steps_per_epoch,
        variables=[parts.take(number) for number in field(given, "variables", list)],
        optimizer_variables=[parts.take(number) for number in field(given, "optimizer", list)],
    )
    try:
        model = restore_network(saved)
    except (ValueError, TypeError) as error:
        raise FileRefusedError(f"has arrays that do not fit its network: {error}") from error
    return TrainedNetwork.of_model(description, objective, model)


def _shapes(description: NetworkDescription) -> tuple[list[Any], list[Any]]:
    try:
        placed = [layer for place in description.placed() for layer in place.layers]
        return (
            [shape for layer in placed for shape in layer.weight_shapes],
            [shape for layer in placed for shape in layer.state_shapes],
        )
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise FileRefusedError(f"has layers that do not fit one another: {error}") from error


def _read_description(document: dict[str, Any]) -> NetworkDescription:
    only(document, "input_shape", "output", "layers")
    shape = field(document, "input_shape", list)
    sizes = tuple(whole({"a size": size}, "a size", 1, _MOST_UNITS) for size in shape)
    if not 1 <= len(sizes) <= 3:
        raise FileRefusedError(f"has rows of the shape {short(shape)}")
    output: Any = one_of(document, "output", _OUTPUTS)
    layers = tuple(_read_layer(layer) for layer in field(document, "layers", list))
    if not layers or not isinstance(layers[-1], DenseDescription) or len(layers) > _MOST_LAYERS:
        raise FileRefusedError(
            f"has a network of {len(layers)} layers; expected up to {_MOST_LAYERS}, the last dense"
        )
    return NetworkDescription(sizes, layers, output)


def _read_layer(document: Any, within: type[LayerDescription] | None = None) -> LayerDescription:
    kind = LAYERS[one_of(document, "layer", LAYERS)]
    if within is not None and not issubclass(kind, within):
        raise FileRefusedError(f"has a layer {kind.__name__} where it cannot be")
    record: Any = kind
    hints = typing.get_type_hints(kind)
    names = [one.name for one in fields(record)]
    only(document, "layer", *names)
    values = {name: _read_setting(document, name, hints[name]) for name in names}
    return kind(**values)


def _read_setting(document: Any, name: str, hint: Any) -> Any:
    if hint is bool:
        return field(document, name, bool)
    if hint is int:
        return whole(document, name, 1, _MOST_UNITS)
    if hint is float:
        value = float(field(document, name, float, int))
        if value < 0 or (name in _SHARES and value >= 1):
            raise FileRefusedError(f"has {name}={value} in a layer, which is out of its range")
        return value
    if hint is str:
        return one_of(document, name, _CHOICES[name])
    if typing.get_origin(hint) is Literal:
        return one_of(document, name, typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        sizes = field(document, name, list)
        if len(sizes) != len(typing.get_args(hint)):
            raise FileRefusedError(f"has {name}={short(sizes)} in a layer")
        return tuple(whole({name: size}, name, 1, _MOST_UNITS) for size in sizes)
    return _read_layer(field(document, name, dict), RecurrentDescription)


def _read_objective(document: dict[str, Any], parts: ReadParts) -> Objective:
    only(document, "loss", "optimizer", "learning_rate", "schedule", "steps_per_epoch", "epochs")
    given = field(document, "loss", str, dict)
    if isinstance(given, str):
        loss: Any = one_of(document, "loss", _LOSSES)
    else:
        only(given, "name", "settings")
        name = one_of(given, "name", OUR_LOSSES)
        settings = {
            key: read(value, parts) for key, value in field(given, "settings", dict).items()
        }
        try:
            OUR_LOSSES[name](**settings).numbers_of_member()
        except (TypeError, ValueError) as error:
            raise FileRefusedError(f"has a loss with wrong settings: {error}") from error
        loss = NetworkLoss(name, tuple(settings.items()))
    rate = float(field(document, "learning_rate", float, int))
    if not rate > 0:
        raise FileRefusedError(f"has learning_rate={rate}, which is not above 0")
    return Objective(
        loss=loss,
        optimizer=one_of(document, "optimizer", _OWN_OPTIMIZERS & OPTIMIZERS.keys()),
        learning_rate=rate,
        schedule=_read_schedule(field(document, "schedule", dict, type(None))),
        steps_per_epoch=whole(document, "steps_per_epoch", 1),
        epochs=whole(document, "epochs", 1),
    )


def _read_schedule(document: dict[str, Any] | None) -> Schedule | None:
    if document is None:
        return None
    kind = SCHEDULES[one_of(document, "kind", SCHEDULES)]
    record: Any = kind
    names = [one.name for one in fields(record)]
    only(document, "kind", *names)
    hints = typing.get_type_hints(kind)
    numbers: dict[str, Any] = {
        name: whole(document, name, 1)
        if hints[name] is int
        else float(field(document, name, float, int))
        for name in names
    }
    return kind(**numbers)


def _read_member(
    document: dict[str, Any], objective: Objective, n_weights: int, n_state: int, parts: ReadParts
) -> MemberWeights:
    only(document, "weights", "state", "slots", "step")
    weights, state = parts.take(document.get("weights")), parts.take(document.get("state"))
    slots = tuple(parts.take(number) for number in field(document, "slots", list))
    rule = UPDATE_RULES[update_of(objective.keras_optimizer()).rule]
    sizes = [n_weights if slot.kind == "weight" else 1 for slot in rule.slots] if slots else []
    found = [weights, state, *slots]
    expected = [n_weights, n_state, *sizes]
    if len(found) != len(expected) or any(
        array.shape != (size,) or array.dtype != np.float32
        for array, size in zip(found, expected, strict=True)
    ):
        raise FileRefusedError(
            f"has arrays of {[f'{a.dtype} {a.shape}' for a in found]} for a network of "
            f"{n_weights} weights whose optimizer is {objective.optimizer!r}; expected float32 of "
            f"the sizes {expected}"
        )
    return MemberWeights(weights, state, slots, whole(document, "step"))
