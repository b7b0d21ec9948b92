"""Fits to train, as Keras would train them and as members of a cohort."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from skhp.networks.build import build_network, compile_network
from skhp.networks.description import multilayer_perceptron
from skhp.networks.layered_network import layered_network
from skhp.networks.network import flattened, network_numbers
from skhp.objectives.losses import keras_loss, row_loss
from skhp.training.fit_task import FitTask, TrainingPlan
from skhp.training.keras_fit import train_with_keras
from skhp.training.rate_schedules import OPTIMIZERS, rate_of, schedule_from
from skhp.training.trained_network import MemberWeights
from skhp.training.training_rows import TrainingRows, ValidationRows, steps_in_epoch
from skhp.training.update_rules import update_of

N_INPUTS = 5
N_OUTPUTS = {"binary": 1, "multiclass": 3, "regression": 2}


class Unobserved:
    def epoch_begins(self):
        pass

    def epoch_ends(self):
        return False


@dataclass(frozen=True, eq=False)
class Example:
    """A fit, and a compiled Keras model with the same weights for the same rows."""

    task: FitTask
    model: keras.Model

    def by_keras(self):
        task = self.task
        outcome = train_with_keras(self.model, task.rows, task.validation, task.plan, Unobserved())
        return outcome, *weights_and_state(self.model)


def weights_and_state(model):
    moving = [v for v in model.non_trainable_variables if v.name.startswith("moving_")]
    return tuple(
        flattened([variable.numpy() for variable in variables])
        for variables in (model.trainable_variables, moving)
    )


def rows(n, output="binary", seed=3):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, N_INPUTS)).astype(np.float32)
    signal = X[:, 0] + X[:, 1] * X[:, 2]
    if output == "binary":
        y = (signal > 0.5).astype(np.float32)[:, None]
    elif output == "multiclass":
        y = np.digitize(signal, [-0.5, 0.5]).astype(np.int32)
    else:
        y = np.stack([signal, 1 - signal], axis=1).astype(np.float32)
    return X, y, generator.uniform(0.2, 1, size=n).astype(np.float32)


def training_rows(n=103, output="binary", seed=3):
    return TrainingRows(*rows(n, output, seed))


def validation_rows(n=37, output="binary", seed=4):
    X, y, weight = rows(n, output, seed)
    labels = y if output == "regression" else y.reshape(-1).astype(np.intp)
    return ValidationRows(X, y, weight, labels, weight)


def example(
    *,
    output="binary",
    hidden_layers=2,
    neurons=4,
    activation="tanh",
    batch_norm=False,
    dropout=0.0,
    l2=0.0,
    optimizer="adam",
    rate=0.01,
    schedule=None,
    loss="auto",
    batch_size=20,
    epochs=12,
    patience=None,
    min_delta=0.0,
    metric=None,
    seed=7,
    network_seed=0,
    training=None,
    validation="default",
):
    """An `Example`; `training` and `validation` rows that are shared make members of a stream."""
    description = multilayer_perceptron(
        n_inputs=N_INPUTS,
        n_outputs=N_OUTPUTS[output],
        output=output,
        hidden_layers=hidden_layers,
        neurons=neurons,
        activation=activation,
        batch_norm=batch_norm,
        dropout=dropout,
        l2=l2,
    )
    model = build_network(description, network_seed)
    training = training or training_rows(output=output)
    if isinstance(validation, str):
        validation = validation_rows(output=output)
    plan = TrainingPlan(
        batch_size=batch_size,
        epochs=epochs,
        seed=seed,
        schedule=schedule_from(schedule),
        patience=patience,
        min_delta=min_delta,
        metric=metric,
    )
    steps = steps_in_epoch(len(training.X), batch_size)
    given = rate if plan.schedule is None else plan.schedule.for_keras(rate, steps, epochs)
    own = OPTIMIZERS[optimizer](given)
    compile_network(model, description, loss, own, steps)
    task = FitTask(
        network=layered_network(model),
        numbers=network_numbers(model),
        loss=row_loss(keras_loss(loss, output)),
        update=update_of(own),
        rate=rate_of(given),
        rows=training,
        validation=validation,
        plan=plan,
        noise_seed=network_seed,
        start=MemberWeights(*weights_and_state(model)),
    )
    return Example(task, model)


def with_plan(task, **changes):
    return replace(task, plan=replace(task.plan, **changes))
