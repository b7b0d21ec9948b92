"""Models cut before their heads and after their frozen layers, and put together again.

Layers are never copied here: the same layers are called on new tensors.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any, NamedTuple

import keras
import numpy as np

from skhp.compat.keras import layer_calls, mask_of
from skhp.exceptions import InvalidParameterError

# Layers and operations that only change the outputs of the layer before them.
_ACTIVATIONS = ("Activation", "Softmax", "Sigmoid")

_POOLING = {
    3: keras.layers.GlobalAveragePooling1D,
    4: keras.layers.GlobalAveragePooling2D,
    5: keras.layers.GlobalAveragePooling3D,
}


def _graph(base: keras.Model, row_shape: tuple[int, ...]) -> Any:
    """The input tensors of a base, in the structure that it takes; an unbuilt base is built."""
    if isinstance(base, keras.Sequential) and not base.built:
        base.build((None, *row_shape))
    if not _has_graph(base):
        raise InvalidParameterError(
            f"base_model is a {type(base).__name__} with a call of its own, so that Keras does not "
            "know where its head begins. Give a keras.Sequential or a functional model, "
            "keras.Model(inputs, outputs)."
        )
    if len(base.outputs) != 1:
        raise InvalidParameterError(
            f"base_model has {len(base.outputs)} outputs: {', '.join(t.name for t in base.outputs)}"
            ". Give keras.Model(base.input, output) with one of them."
        )
    return _start(base)


def _start(model: keras.Model) -> Any:
    return model.inputs[0] if len(model.inputs) == 1 else model.input


def _inputs_like(start: Any) -> Any:
    return keras.tree.map_structure(
        lambda tensor: keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name),
        start,
    )


def _in_place_of(start: Any, inputs: Any) -> dict[int, Any]:
    pairs = zip(keras.tree.flatten(start), keras.tree.flatten(inputs), strict=True)
    return {id(old): new for old, new in pairs}


def _has_graph(model: Any) -> bool:
    """Whether the layers and tensors of a model are known, and show all that it computes."""
    known = keras.Sequential.call, _functional_class().call
    return bool(getattr(model, "inputs", None)) and type(model).call in known


@functools.cache
def _functional_class() -> Any:
    # Keras has no public name for it.
    inputs = keras.Input((1,))
    return type(keras.Model(inputs, keras.layers.Identity()(inputs)))


class Composed(NamedTuple):
    """A new network on a base, with the name of the layer that holds its frozen part, if any."""

    model: keras.Model
    frozen: str | None


def composed(
    base: keras.Model, freeze: bool | int, head: keras.layers.Layer, row_shape: tuple[int, ...]
) -> Composed:
    """A network of the layers of a base and a new head; the base must not be used afterwards."""
    start = _graph(base, row_shape)
    frozen = _frozen_layers(base, freeze)
    for layer in base.layers:
        layer.trainable = id(layer) not in frozen
    cut = _without_head(base.outputs[0], frozen)
    border = _border(cut, frozen)
    features = _pooled(cut)
    if border is cut:
        border = features
    inputs = _inputs_like(start)
    name = None
    if border is None:
        known = _in_place_of(start, inputs)
    else:
        part = keras.Model(start, border, name=_free_name("frozen_base", base))
        part.trainable = False
        name, known = part.name, {id(border): part(inputs, training=False)}
    head.name = _free_name("head", base)
    output = head(rebuilt(features, known))
    return Composed(_as_model(inputs, output), name)


@keras.saving.register_keras_serializable("skhp")
class InPrediction(keras.layers.Layer):
    """A layer that computes in a training what it computes in a prediction.

    Keras 3.15 drops the ``training=False`` of a call in a functional model when the model trains:
    statistics move and dropout is on, against Keras' own guide to transfer learning.
    """

    def __init__(
        self, layer: keras.layers.Layer, options: dict[str, Any] | None = None, **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        self.layer, self.options = layer, options or {}
        self.supports_masking = layer.supports_masking

    def call(self, inputs: Any) -> Any:
        """Call the layer; `inputs` is the pair of its positional and its keyword tensors."""
        arguments, keywords = inputs
        return self.layer(*arguments, **keywords, **self.options, training=False)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the layer."""
        (first, *_), _ = inputs
        masks = None if previous_mask is None else previous_mask[0][0]
        return self.layer.compute_mask(first, masks)

    def get_config(self) -> dict[str, Any]:
        """The configuration, including the layer's."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "options": self.options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InPrediction:
        """A layer with this configuration."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def with_held_layers(model: keras.Model, *, all_before_head: bool) -> keras.Model | None:
    """A model of the same layers, in which the held layers run as in a prediction.

    The held layers are those that do not train or, with `all_before_head`, all layers before the
    head. A model without held layers gives None.
    """
    layers = [call.layer for call in layer_calls(model.outputs[0])]
    held = {
        id(layer)
        for layer in layers[:-1]
        if isinstance(layer, keras.layers.Layer)
        and not _is_input(layer)
        and (all_before_head or not layer.trainable)
    }
    if not held:
        return None
    start = _start(model)
    inputs = _inputs_like(start)
    return keras.Model(inputs, rebuilt(model.outputs[0], _in_place_of(start, inputs), held))


def after_frozen(model: keras.Model, name: str) -> keras.Model:
    """The model of the layers after the frozen part."""
    output = model.outputs[0]
    border = next(c.returned[0] for c in layer_calls(output) if c.layer.name == name)
    inputs = keras.Input(batch_shape=border.shape, dtype=border.dtype)
    return _as_model(inputs, rebuilt(output, {id(border): inputs}))


def rebuilt(
    output: Any,
    known: dict[int, Any],
    in_prediction: Collection[int] = (),
) -> Any:
    """A tensor computed anew by the same layers; `known` maps ids of old tensors to new ones.

    Layers whose ids are among `in_prediction` are called as in a prediction.
    """
    known = dict(known)
    for call in layer_calls(output, known):
        arguments, keywords = keras.tree.map_structure(
            lambda value: known.get(id(value), value), (call.arguments, dict(call.keywords))
        )
        if id(call.layer) in in_prediction:
            made = _called_in_prediction(call.layer, arguments, keywords)
        else:
            made = call.layer(*arguments, **keywords)
        returned = keras.tree.flatten(made)
        known.update(zip(map(id, call.returned), returned, strict=True))
    return known[id(output)]


def _called_in_prediction(layer: Any, arguments: Any, keywords: dict[str, Any]) -> Any:
    tensors = {
        name: value
        for name, value in keywords.items()
        if all(isinstance(part, keras.KerasTensor) for part in keras.tree.flatten([value]))
    }
    options = {name: value for name, value in keywords.items() if name not in tensors}
    return InPrediction(layer, options)((arguments, tensors))


def _as_model(inputs: Any, output: Any) -> keras.Model:
    """A model of a graph; a Sequential if possible, the kind that populations know best."""
    calls = [call for call in layer_calls(output) if not _is_input(call.layer)]
    before = inputs
    for call in calls:
        if call.arguments != (before,) or call.keywords or len(call.returned) != 1:
            return keras.Model(inputs, output)
        before = call.returned[0]
    return keras.Sequential([inputs, *(call.layer for call in calls)])


def _free_name(name: str, base: keras.Model) -> str:
    taken = {layer.name for layer in base.layers}
    while name in taken:
        name += "_"
    return name


def _is_input(layer: Any) -> bool:
    return isinstance(layer, keras.layers.InputLayer)


def _frozen_layers(base: keras.Model, freeze: bool | int) -> set[int]:
    """The ids of the frozen layers."""
    if isinstance(freeze, (bool, np.bool_)):
        return {id(layer) for layer in base.layers} if freeze else set()
    if freeze > len(base.layers):
        raise InvalidParameterError(
            f"freeze={freeze}, and base_model has {len(base.layers)} layers: give at most as many, "
            "or True to freeze them all."
        )
    return {id(layer) for layer in base.layers[:freeze]}


def _without_head(output: Any, frozen: set[int]) -> Any:
    """The tensor before the last Dense layer and its activation; the output if there is none.

    A nested model that ends with the head is replaced by one without it, which is added to `frozen`
    if the nested model is frozen.
    """
    tensor = output
    while True:
        call = layer_calls(tensor)[-1]
        if isinstance(call.layer, keras.layers.Dense):
            return call.arguments[0]
        if type(call.layer).__name__ not in _ACTIVATIONS:
            break
        tensor = keras.tree.flatten(call.arguments)[0]
    inner = call.layer
    if isinstance(inner, keras.Model) and _has_graph(inner) and len(inner.outputs) == 1:
        cut = _without_head(inner.outputs[0], frozen)
        if cut is not inner.outputs[0]:
            part = keras.Model(_start(inner), cut, name=inner.name)
            if id(inner) in frozen:
                frozen.add(id(part))
            return part(*call.arguments, **call.keywords)
    return output


def _border(features: Any, frozen: set[int]) -> Any:
    """The one tensor that the frozen layers hand on; None if there is none, or more than one."""
    is_frozen: dict[int, bool] = {}
    crossing: dict[int, Any] = {}
    calls = layer_calls(features)
    for call in calls:
        holds = all(is_frozen[id(tensor)] for tensor in call.taken)
        if isinstance(call.layer, keras.layers.Layer) and not _is_input(call.layer):
            if id(call.layer) in frozen and not holds:
                return None
            holds = id(call.layer) in frozen
        if not holds:
            crossing.update((id(tensor), tensor) for tensor in call.taken if is_frozen[id(tensor)])
        is_frozen.update((id(tensor), holds) for tensor in call.returned)
    given = {id(t) for call in calls if _is_input(call.layer) for t in call.returned}
    if is_frozen[id(features)]:
        return None if id(features) in given else features
    borders = list(crossing.values())
    # Features are arrays, so the mask of a series would be lost between the two parts.
    if len(borders) != 1 or id(borders[0]) in given or mask_of(borders[0]) is not None:
        return None
    return borders[0]


def _pooled(features: Any) -> Any:
    """One vector for each row."""
    rank = len(features.shape)
    if rank == 2:
        return features
    if rank not in _POOLING:
        raise InvalidParameterError(
            f"base_model, cut before its head, gives a row the shape {tuple(features.shape[1:])}, "
            "which skhp cannot pool to a vector. Let it end with a pooling or with Flatten."
        )
    return _POOLING[rank]()(features)
