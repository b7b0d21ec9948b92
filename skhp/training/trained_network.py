"""Trained networks: weights, outputs computed together, and a Keras model built on demand."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skhp.networks.build import (
    build_network,
    compile_network,
    network_of,
    rescaled_network,
    restore_network,
    save_network,
)
from skhp.networks.description import NetworkDescription
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.network import flattened, unflattened
from skhp.networks.predictions import predicted_logits, predicted_logits_of_members
from skhp.objectives.losses import NetworkLoss
from skhp.training.rate_schedules import OPTIMIZERS, Schedule
from skhp.training.update_rules import UPDATE_RULES, slots_from_keras, slots_to_keras, update_of

# A search asks for the outputs of at most three sets of rows in a fold: rows to score, rows to
# learn from, and held-out rows.
_MOST_KINDS_OF_ROWS = 3
# At most this number of weights, and of outputs, is kept. Larger networks compute for much longer
# than a call takes, so that sharing would save nothing.
_MOST_NUMBERS = 2**21


@dataclass(frozen=True, eq=False)
class MemberWeights:
    """The weights of a member, its state, and its optimizer.

    `weights` has shape (n_weights,), `state` (n_state,); each of the `slots` of the update rule is
    a flat vector; `step` counts the updates. `slots` is empty before the first update.
    """

    weights: np.ndarray
    state: np.ndarray
    slots: tuple[np.ndarray, ...] = ()
    step: int = 0


class SharedOutputs:
    """Outputs of members that predict the same rows, one after the other.

    Calling a program takes longer than computing the outputs of one small network. So the first
    member that predicts computes the outputs of all members, and the others find theirs.
    """

    def __init__(self, members: Sequence[MemberWeights]) -> None:
        self._places = {member: place for place, member in enumerate(members)}
        self._first: MemberWeights | None = None
        self._known: list[tuple[np.ndarray, np.ndarray]] = []
        self._lock = threading.Lock()

    def logits(self, network: LayeredNetwork, member: MemberWeights, X: np.ndarray) -> np.ndarray:
        """The outputs of one member before the last activation, as `predicted_logits`."""
        if member not in self._places:
            return predicted_logits(network, member.weights, member.state, X)
        place = self._places[member]
        with self._lock:
            for rows, outputs in self._known:
                if np.array_equal(rows, X):
                    return outputs[place].copy()
            if self._first is None:
                self._first = member
            # Rows that the first member did not ask for belong to a single other member.
            if self._first is member and self._has_room(network, X):
                weights, states = (
                    np.stack([getattr(one, name) for one in self._places])
                    for name in ("weights", "state")
                )
                outputs = predicted_logits_of_members(network, weights, states, X)
                self._known.append((X.copy(), outputs))
                return outputs[place].copy()
        return predicted_logits(network, member.weights, member.state, X)

    def _has_room(self, network: LayeredNetwork, X: np.ndarray) -> bool:
        n_outputs = math.prod(network.output_shape)
        needed = len(self._places) * len(X) * n_outputs
        return len(self._known) < _MOST_KINDS_OF_ROWS and needed <= _MOST_NUMBERS


def shared_outputs_of(members: Sequence[MemberWeights]) -> SharedOutputs | None:
    """The shared outputs of members of one structure; None if sharing saves nothing."""
    size = max(members[0].weights.size, 1)
    return SharedOutputs(members) if 1 < len(members) <= _MOST_NUMBERS // size else None


@dataclass(frozen=True)
class Objective:
    """Loss and optimizer of a network by name, with the learning rate over its steps."""

    loss: str | NetworkLoss
    optimizer: str
    learning_rate: float
    schedule: Schedule | None
    steps_per_epoch: int
    epochs: int

    def keras_optimizer(self) -> keras.optimizers.Optimizer:
        """A new optimizer of Keras."""
        return OPTIMIZERS[self.optimizer](self.keras_rate())

    def keras_rate(self) -> Any:
        """The learning rate as Keras takes it: a number, or a schedule over the steps."""
        if self.schedule is None:
            return self.learning_rate
        return self.schedule.for_keras(self.learning_rate, self.steps_per_epoch, self.epochs)


class TrainedNetwork:
    """The weights of a described network, and the Keras model with these weights.

    The model is built when it is first needed, because building takes longer than training a member
    of a population. From then on the model holds the weights.
    """

    def __init__(
        self,
        description: NetworkDescription,
        objective: Objective,
        member: MemberWeights,
        model: keras.Model | None = None,
        shared_outputs: SharedOutputs | None = None,
    ) -> None:
        self.description = description
        self.objective = objective
        self._member = member
        self._model = model
        self._rescaled: keras.Model | None = None
        self._shared_outputs = None if shared_outputs is None else weakref.ref(shared_outputs)

    @classmethod
    def of_model(
        cls, description: NetworkDescription, objective: Objective, model: keras.Model
    ) -> TrainedNetwork:
        """The trained network of a compiled Keras model."""
        nothing = np.zeros(0, np.float32)
        return cls(description, objective, MemberWeights(nothing, nothing), model)

    @property
    def network(self) -> LayeredNetwork:
        """The structure of the network."""
        return network_of(self.description)

    @property
    def has_model(self) -> bool:
        """Whether a Keras model holds the weights, and the noise that its layers draw next."""
        return self._model is not None

    @property
    def model(self) -> keras.Model:
        """Compiled Keras model with these weights, ready to be trained on."""
        if self._model is None:
            self._model = self._compiled_model()
        return self._model

    def model_in_units(self, mean: np.ndarray, scale: np.ndarray) -> keras.Model:
        """The model with outputs in the units of the targets, sharing weights and optimizer."""
        model = self.model
        if not mean.any() and (scale == 1).all():
            return model
        if self._rescaled is None:
            self._rescaled = rescaled_network(model, mean, scale)
            compile_network(
                self._rescaled,
                self.description,
                self.objective.loss,
                model.optimizer,
                self.objective.steps_per_epoch,
            )
        return self._rescaled

    @property
    def member(self) -> MemberWeights:
        """The current weights, state and optimizer values."""
        if self._model is None:
            return self._member
        optimizer = self._model.optimizer
        rule = UPDATE_RULES[update_of(optimizer).rule]
        slots, step = slots_from_keras(optimizer, self._model.trainable_variables, rule)
        weights, state = self._weights_and_state()
        return MemberWeights(weights, state, tuple(slots), step)

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Outputs before the last activation, as :func:`skhp.networks.predicted_logits`."""
        shared_outputs = self._shared_outputs and self._shared_outputs()
        if shared_outputs and self._model is None:
            return shared_outputs.logits(self.network, self._member, X)
        return predicted_logits(self.network, *self._weights_and_state(), X)

    def _weights_and_state(self) -> tuple[np.ndarray, np.ndarray]:
        if self._model is None:
            return self._member.weights, self._member.state
        return (
            flattened([variable.numpy() for variable in self._model.trainable_variables]),
            flattened([variable.numpy() for variable in self._model.non_trainable_weights]),
        )

    def _compiled_model(self) -> keras.Model:
        model = build_network(self.description, seed=0)
        objective, network = self.objective, self.network
        optimizer = objective.keras_optimizer()
        compile_network(
            model, self.description, objective.loss, optimizer, objective.steps_per_epoch
        )
        values = unflattened(self._member.weights, network.weight_shapes)
        values += unflattened(self._member.state, network.state_shapes)
        for variable, value in zip(
            [*model.trainable_variables, *model.non_trainable_weights], values, strict=True
        ):
            variable.assign(value)
        if self._member.slots or self._member.step:
            slots_to_keras(
                optimizer, model.trainable_variables, self._member.slots, self._member.step
            )
        return model

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_shared_outputs": None, "_rescaled": None}
        if self._model is not None:
            state["_model"] = save_network(self._model, self.description, self.objective.loss)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._model is not None:
            self._model = restore_network(state["_model"])
