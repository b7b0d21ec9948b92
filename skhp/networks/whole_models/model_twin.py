"""The twin of a Keras model: built anew from its configuration, for the program of a cohort.

The configuration and the variables of a model determine its outputs, so the models of one build
function have one twin and share its program. A configuration may be incomplete, so a new twin is
first compared with its model.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skhp.compat.keras import mask_of
from skhp.exceptions import CannotJoinError
from skhp.networks.layers.layer import weighted_cost
from skhp.networks.network import Cost, Shapes
from skhp.networks.program_cache import ProgramCache
from skhp.networks.whole_models.carried_variables import encoded_shape
from skhp.networks.whole_models.member_layers import (
    FusedLSTM,
    MemberDropout,
    can_be_fused,
    member_dropout,
)
from skhp.networks.whole_models.portable_model import (
    anonymous_configuration,
    configuration_text,
    custom_objects,
    loading_scope,
    parts_of,
)
from skhp.networks.whole_models.twin_plan import TwinPlan, built_twin, few_rows, quiet_seeds
from skhp.shared.equality import library_of


@dataclass(frozen=True)
class ModelTwin:
    """A model that stands for all models of its configuration; equal keys make twins equal.

    Attributes
    ----------
    key_without_rates : hashable
        Equal for models that differ only in which of their Dropout layers have a rate of 0 or 1.
    rows_meet : bool
        Whether outputs depend on other rows of a batch, or added losses are not means over rows.
    adds_losses : bool
        Whether the model adds losses to the one that it is compiled with.
    sparse : tuple of bool
        For each trainable weight, whether Keras' optimizers get its gradient row by row.
    idle : bool
        Whether there are weights that the outputs do not depend on.
    uses_dropout_twice : bool
        Whether a Dropout layer is called at several places, and so draws several times.
    """

    key: Hashable
    key_without_rates: Hashable = field(compare=False)
    model: keras.Model = field(compare=False, repr=False)
    rows_meet: bool = field(compare=False)
    adds_losses: bool = field(compare=False)
    sparse: tuple[bool, ...] = field(compare=False)
    idle: bool = field(compare=False)
    uses_dropout_twice: bool = field(compare=False)
    plan: TwinPlan = field(compare=False, repr=False)
    # Tracing changes attributes of the layers.
    lock: Any = field(compare=False, repr=False, default_factory=threading.RLock)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return _unpickled, ({**values, "model": None, "lock": None},)

    @property
    def weight_shapes(self) -> Shapes:
        """Shapes of the trainable weights."""
        return tuple(tuple(variable.shape) for variable in self.model.trainable_variables)

    @property
    def state_shapes(self) -> Shapes:
        """Shapes of all other variables, as a member carries them."""
        return tuple(map(encoded_shape, self.model.non_trainable_variables))

    def called(
        self, weights: Sequence[Any], held: Sequence[Any], x: Any, training: bool
    ) -> tuple[Any, Sequence[Any], Any]:
        """Outputs, the new values of the other variables, and the sum of the added losses."""
        outputs, after, losses = called_statelessly(self.model, weights, held, x, training)
        return outputs, after, tf.add_n(losses) if losses else tf.constant(0.0)

    def cost(self, rows: int) -> Cost:
        """The cost of its weights at each step of a series or pixel of an image."""
        total = Cost(0.0, 0.0)
        for layer in self.model.layers:
            shapes = tuple(tuple(variable.shape) for variable in layer.trainable_variables)
            if shapes:
                total += weighted_cost(shapes, _places_of_row(layer), rows)
        return total


class NetworkOfTwin:
    """What the networks that call a twin have in common."""

    twin: ModelTwin

    turns, varies_loss = 1, False
    dropout_places = ()

    @property
    def weight_shapes(self) -> Shapes:
        """Shapes of the trainable weights of one member, in Keras' order."""
        return self.twin.weight_shapes

    @property
    def kin(self) -> Hashable:
        """The network itself: its layers cannot be widened."""
        return self

    def widened(self, others: Sequence[Any]) -> None:
        """None, as its layers cannot be widened."""

    def cost(self, rows: int) -> Cost:
        """The cost of its weights at each step of a series or pixel of an image."""
        return self.twin.cost(rows)

    def rows_at_once(self, members: int) -> None:
        """None, as all held-out rows are evaluated at once."""


twins = ProgramCache()


def _unpickled(values: dict[str, Any]) -> ModelTwin:
    """The twin of another process, built here unless there is one with its key."""

    def built() -> ModelTwin:
        return ModelTwin(**values | {"model": values["plan"].model(), "lock": threading.RLock()})

    return twins.get(values["key"], built)


def model_twin(model: keras.Model, x: Any) -> ModelTwin:
    """The twin of a model for rows like these, shared by all models of equal configuration."""
    custom = custom_objects(model)
    configuration = _configuration(model, x)
    key = configuration_key(configuration, custom, x)

    def built() -> ModelTwin | CannotJoinError:
        try:
            with quiet_seeds(), loading_scope(custom):
                return _compared(key, model, configuration, x)
        except Exception as error:
            # Returned, so that a refusal is remembered, too.
            return refusal(model, error)

    made = twins.get(key, built)
    if isinstance(made, CannotJoinError):
        raise CannotJoinError(*made.args)
    return made


def configuration_key(configuration: Any, custom: dict[str, Any], x: Any) -> Hashable:
    """Equal for models that compute the same from equal variables and rows of one form."""
    text = configuration_text(configuration)
    named = tuple((name, custom[name]) for name in sorted(custom) if f'"{name}"' in text)
    rows = keras.tree.map_structure(lambda array: (array.dtype.str, array.shape[1:]), x)
    return text, named, repr(rows)


def _key_without_rates(configuration: Any, custom: dict[str, Any], x: Any) -> Hashable:
    alike = copy.deepcopy(configuration)
    for entry in _entries(alike, MemberDropout.__name__):
        entry["config"]["rate"] = 0.5
    return configuration_key(alike, custom, x)


def refusal(model: keras.Model, error: Exception) -> CannotJoinError:
    """The exception that refuses a model because of an error."""
    if isinstance(error, CannotJoinError):
        return error
    # The text of an error in a traced function ends with the message, often followed by the graph's
    # node in brackets; Keras adds the arguments of the layer.
    lines = [line.strip() for line in str(error).split("Arguments received by")[0].splitlines()]
    reason = [line for line in lines if line and line[0] != "["] or [type(error).__name__]
    return refused(model, f"cannot join a cohort: {reason[-1].rstrip('.')[:200]}")


def refused(model: keras.Model, what: str) -> CannotJoinError:
    """The exception that refuses a model, with a sentence about it."""
    return CannotJoinError(f"the model {model.name!r} {what}.")


def own_dropout(model: keras.Model) -> list[keras.layers.Layer]:
    """The Dropout layers of a model whose rates may differ from member to member."""
    if library_of(type(model)) != "keras":
        return []
    return [layer for layer in model.layers if type(layer) is keras.layers.Dropout]


def _configuration(model: keras.Model, x: Any) -> dict[str, Any]:
    """The configuration of a model, in which our layers replace some of Keras'."""
    shape = x.shape[1:] if isinstance(x, np.ndarray) else None
    kept = tuple(x) if isinstance(x, dict) else ()
    configuration = copy.deepcopy(anonymous_configuration(model, shape, kept))
    if own_dropout(model):
        entries = configuration["config"]["layers"]
        dropouts = [entry for entry in entries if entry["class_name"] == "Dropout"]
        for number, entry in enumerate(dropouts):
            config = entry["config"]
            # Rates of 0 and 1 draw nothing and stay; each member has its own value of any other
            # rate.
            rate = config["rate"] if config["rate"] in (0, 1) else 0.5
            _replace(entry, MemberDropout, rate=rate, number=number)
    for entry in _entries(configuration, "LSTM"):
        if can_be_fused(entry["config"]):
            _replace(entry, FusedLSTM)
    return configuration


def _replace(entry: dict[str, Any], kind: type, **changed: Any) -> None:
    entry.update(
        module=None,
        class_name=kind.__name__,
        registered_name=keras.saving.get_registered_name(kind),
        config={**entry["config"], **changed},
    )


# Keras has no registered name for a class of its own.
_OWN = (None, keras.saving.get_registered_name(MemberDropout))


def _entries(item: Any, class_name: str) -> Iterator[dict[str, Any]]:
    if isinstance(item, dict):
        if item.get("class_name") == class_name and item.get("registered_name") in _OWN:
            yield item
        item = list(item.values())
    if isinstance(item, (list, tuple)):
        for value in item:
            yield from _entries(value, class_name)


def _compared(key: Hashable, model: keras.Model, configuration: Any, x: Any) -> ModelTwin:
    """The twin of a configuration; it is refused if it differs from its model."""
    twin = built_twin(configuration, x)
    for own, others in (
        (model.trainable_variables, twin.trainable_variables),
        (model.non_trainable_variables, twin.non_trainable_variables),
    ):
        if _forms(own) != _forms(others):
            raise refused(model, "is not what its configuration describes")
    generator = np.random.default_rng(0)
    # Weights of this scale keep the outputs of a deep model finite.
    weights = [
        tf.constant(
            generator.normal(0, 0.5 / max(1.0, math.prod(shape[:-1])) ** 0.5, shape), tf.float32
        )
        for shape in (tuple(variable.shape) for variable in model.trainable_variables)
    ]
    held = [tf.identity(variable.value) for variable in model.non_trainable_variables]
    rows = few_rows(x)

    rates = [layer.rate for layer in own_dropout(model)]

    def call(called: keras.Model, rows: Any, training: bool) -> tuple[Any, Any, Any]:
        with member_dropout(rates):
            return called_statelessly(called, weights, held, rows, training)

    outputs, _, losses = call(model, rows, False)
    if any(mask_of(output) is not None for output in keras.tree.flatten(outputs)):
        raise refused(model, "has outputs with a mask, by which Keras weighs them")
    outputs_of_twin, _, added = call(twin, rows, False)
    n_penalties = sum(v.regularizer is not None for v in model.trainable_variables)
    if len(losses) != len(added) + n_penalties:
        raise refused(model, "adds losses that its configuration does not describe")
    if not close(outputs_of_twin, outputs):
        raise refused(model, "is not what its configuration describes")
    trained = call(model, rows, True)[:2]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs_in_training, after, _ = call(twin, rows, True)
        total = tf.add_n([tf.reduce_sum(out) for out in tf.nest.flatten(outputs_in_training)])
    if not close((outputs_in_training, after), trained):
        raise refused(
            model, "draws random numbers without a seed, or trains differently when built anew"
        )
    gradients = tape.gradient(total, weights)
    if custom_objects(twin) or _has_lambda(twin):
        _refuse_side_effects(model, lambda rows: call(twin, rows, True)[:2], rows)
    n_rows = len(keras.tree.flatten(rows)[0])
    alone = [call(twin, _row(rows, k), False) for k in range(n_rows if added else 1)]
    first = keras.tree.map_structure(lambda values: values[:1], outputs)
    rows_meet = not close(alone[0][0], first)
    if added:
        means = np.mean([[float(loss) for loss in one[2]] for one in alone], axis=0)
        rows_meet |= not close(list(means), [float(loss) for loss in added])
    return ModelTwin(
        key,
        _key_without_rates(configuration, custom_objects(model), x),
        twin,
        rows_meet=rows_meet,
        adds_losses=bool(added),
        sparse=tuple(isinstance(gradient, tf.IndexedSlices) for gradient in gradients),
        idle=any(gradient is None for gradient in gradients),
        uses_dropout_twice=any(
            len(entry.get("inbound_nodes", ())) > 1
            for entry in _entries(configuration, MemberDropout.__name__)
        ),
        plan=TwinPlan(configuration, few_rows(x), custom_objects(model)),
    )


def called_statelessly(
    model: keras.Model, weights: Sequence[Any], held: Sequence[Any], x: Any, training: bool
) -> tuple[Any, Any, Any]:
    """Outputs, new values of the other variables, and all losses except the compiled one."""
    # A Normalization layer computes constants once, from the variables that it has adapted.
    adapted = [part for part in parts_of(model) if isinstance(part, keras.layers.Normalization)]
    before = [(layer.mean, layer.variance) for layer in adapted]
    values = list(zip(model.non_trainable_variables, held, strict=True))
    try:
        with keras.StatelessScope(values):
            for layer in adapted:
                layer.finalize_state()
        return model.stateless_call(weights, held, x, training=training, return_losses=True)
    finally:
        for layer, (mean, variance) in zip(adapted, before, strict=True):
            layer.mean, layer.variance = mean, variance


def _row(rows: Any, number: int) -> Any:
    return keras.tree.map_structure(lambda array: array[number : number + 1], rows)


def _forms(variables: Sequence[keras.Variable]) -> list[tuple[Any, ...]]:
    return [(tuple(variable.shape), variable.dtype) for variable in variables]


def close(one: Any, other: Any) -> bool:
    """Whether the outputs of two models agree up to rounding."""
    pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
    return all(
        np.allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in pairs
    )


def _places_of_row(layer: keras.layers.Layer) -> int:
    """How often a layer uses its kernels for one row."""
    try:
        tensor = layer.input if isinstance(layer, keras.layers.RNN) else layer.output
        shape = keras.tree.flatten(tensor)[0].shape
    except AttributeError:
        # Keras does not know the shapes of the layers of a subclassed model.
        return 1
    return math.prod(length or 1 for length in shape[1:-1])


# Operations that run Python, or draw numbers that do not depend on a seed of the model.
_SIDE_EFFECTS = frozenset(
    {
        "EagerPyFunc",
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "PyFunc",
        "RandomGammaV3",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "TruncatedNormal",
    }
)


def _refuse_side_effects(model: keras.Model, call: Any, rows: Any) -> None:
    """Refuse code of a user that depends on anything besides the tensors of a member."""
    traced = tf.function(call, autograph=False).get_concrete_function(rows)
    definition = traced.graph.as_graph_def()
    nodes = [*definition.node, *(node for f in definition.library.function for node in f.node_def)]
    found = sorted({node.op for node in nodes} & _SIDE_EFFECTS)
    if found:
        raise refused(model, f"uses {', '.join(found)}, which a cohort cannot run")
    if traced.graph.variables:
        names = ", ".join(sorted(variable.name for variable in traced.graph.variables)[:3])
        raise refused(model, f"reads variables that Keras does not track as a part of it ({names})")


def _has_lambda(model: keras.Model) -> bool:
    return any(isinstance(part, keras.layers.Lambda) for part in parts_of(model))
