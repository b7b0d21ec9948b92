"""What does a member's training step cost for each kind of network, beside Keras' own fit?

CPU time, for a kind of network and its size: Keras' own `fit`; members that are called one by one
(`CalledNetwork`); and members that TensorFlow vectorises or that are layers of ours, where there is
such a way. All ways must end with the weights of Keras before any time is printed. The way that
`network_of_model` chooses is marked; it must cost no more than Keras.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from skhp.estimators.keras_model.preparation import custom_fit_task, write_weights
from skhp.estimators.keras_model.wrapped_rows import PartedRows
from skhp.networks.network import Network
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.model_network import network_of_model, state_of_model
from skhp.networks.whole_models.model_twin import model_twin
from skhp.networks.whole_models.vectorized_model import VectorizedModel
from skhp.training.cohort.cohort import Cohort
from skhp.training.fit_task import FitTask
from skhp.training.trained_network import MemberWeights
from skhp.training.training_rows import TrainingSeeds, row_order

SEEDS = TrainingSeeds(split=1, network=2, order=3)
TOLERANCE = 2e-3
STEPS = 16


def perceptron(width: int) -> keras.Model:
    """Three hidden layers."""
    hidden = [layers.Dense(width, activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input((20,)), *hidden, layers.Dense(1)])


def functional(width: int) -> keras.Model:
    """A perceptron with a connection that skips its layers."""
    inputs = keras.Input((20,))
    hidden = layers.Dense(width, activation="relu")(inputs)
    hidden = layers.LayerNormalization()(layers.Dense(width, activation="relu")(hidden))
    return keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([inputs, hidden])))


def recurrent(kind: type, steps: int) -> Callable[[int], keras.Model]:
    """A recurrent layer over this number of steps."""
    return lambda units: keras.Sequential([keras.Input((steps, 1)), kind(units), layers.Dense(1)])


def convolution(pixels: int) -> Callable[[int], keras.Model]:
    """Two blocks of convolution and pooling."""
    return lambda filters: keras.Sequential(
        [
            keras.Input((pixels, pixels, 1)),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def embedding(width: int) -> keras.Model:
    """Embedded tokens and their mean."""
    return keras.Sequential(
        [
            keras.Input((50,), dtype="int32"),
            layers.Embedding(500, width),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )


def attention(width: int) -> keras.Model:
    """A block of a transformer."""
    inputs = keras.Input((16, 8))
    x = layers.Dense(width)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, width // 2)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(width, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))


# Kind, how to build it, its size and the rows of a batch.
KINDS: list[tuple[str, Callable[[int], keras.Model], int, int]] = [
    ("perceptron", perceptron, 16, 32),
    ("perceptron", perceptron, 512, 512),
    ("functional", functional, 16, 32),
    ("functional", functional, 128, 128),
    ("LSTM, 10 steps", recurrent(layers.LSTM, 10), 4, 32),
    ("LSTM, 30 steps", recurrent(layers.LSTM, 30), 32, 20),
    ("LSTM, 90 steps", recurrent(layers.LSTM, 90), 128, 40),
    ("GRU, 30 steps", recurrent(layers.GRU, 30), 32, 20),
    ("GRU, 90 steps", recurrent(layers.GRU, 90), 128, 40),
    ("SimpleRNN, 30 steps", recurrent(layers.SimpleRNN, 30), 32, 20),
    ("convolution, 8 x 8", convolution(8), 16, 32),
    ("convolution, 28 x 28", convolution(28), 8, 32),
    ("embedding", embedding, 8, 32),
    ("embedding", embedding, 64, 32),
    ("attention", attention, 16, 32),
    ("attention", attention, 64, 32),
]


def rows_of(model: keras.Model, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that a model takes, and targets."""
    generator = np.random.default_rng(0)
    shape = (n_rows, *model.input_shape[1:])
    if model.inputs[0].dtype == "int32":
        x = generator.integers(0, 500, shape).astype("int32")
    else:
        x = generator.normal(size=shape).astype("float32")
    return x, generator.normal(size=n_rows)


def compiled(build: Callable[[int], keras.Model], size: int, seed: int) -> keras.Model:
    """A model with initial weights of its own."""
    keras.utils.set_random_seed(seed)
    model = build(size)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", steps_per_execution=STEPS)
    return model


def task_of(
    model: keras.Model, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int
) -> FitTask:
    """The training of a model, by the way that is chosen."""
    arguments = {"batch_size": batch_size, "validation_batch_size": batch_size, "callbacks": []}
    rows = PartedRows(x, y, None, None)
    return custom_fit_task(model, rows, arguments, epochs=epochs, first_epoch=0, seeds=SEEDS)


def by(network: Network, model: keras.Model, task: FitTask) -> FitTask:
    """The same training by another way."""
    values = vars(task).copy()
    start = MemberWeights(task.start.weights, state_of_model(model, network))
    return FitTask(**{**values, "network": network, "start": start})


def ways_of(model: keras.Model, x: np.ndarray) -> dict[str, Network]:
    """The networks that a model can be."""
    chosen = network_of_model(model, x)
    twin = model_twin(model, x)
    found: dict[str, Network] = {type(chosen).__name__: chosen}
    if not model.non_trainable_weights:
        found.setdefault("VectorizedModel", VectorizedModel(twin.key, twin))
    found.setdefault("CalledNetwork", CalledNetwork(twin))
    return found


def cpu_seconds(run: Callable[[], Any], repeats: int) -> float:
    """The least CPU time of several runs, after one that pays for tracing."""
    run()
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        taken.append(time.process_time() - begin)
    return min(taken)


def measured(
    build: Callable[[int], keras.Model], size: int, batch_size: int, members: int, repeats: int
) -> tuple[str, dict[str, float]]:
    """Milliseconds of CPU time for a step of one member by each way, and which is chosen."""
    own = compiled(build, size, 0)
    x, y = rows_of(own, batch_size * STEPS)
    order = row_order(SEEDS.order, 0, len(x))
    models = [compiled(build, size, seed) for seed in range(members)]
    tasks = [task_of(model, x, y, batch_size, 10_000) for model in models]
    seconds = {
        "Keras": cpu_seconds(
            lambda: own.fit(x[order], y[order], batch_size=batch_size, shuffle=False, verbose=0),
            repeats,
        )
        / STEPS
    }
    expected = compiled(build, size, 0)
    expected.fit(x[order], y[order], batch_size=batch_size, shuffle=False, verbose=0)
    for name, network in ways_of(models[0], x).items():
        try:
            cohort = Cohort(
                [by(network, model, task) for model, task in zip(models, tasks, strict=True)]
            )
            cohort.advance(1)
        except (TypeError, ValueError):
            # TensorFlow cannot vectorise it.
            continue
        reached = compiled(build, size, 0)
        write_weights(reached, network, cohort.current_weights(0))
        for one, other in zip(reached.get_weights(), expected.get_weights(), strict=True):
            if not np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE):
                raise SystemExit(
                    f"no parity: {name} of {build} differs by {np.abs(one - other).max()}"
                )
        seconds[name] = (
            cpu_seconds(lambda cohort=cohort: cohort.advance(1), repeats) / STEPS / members
        )
    chosen = type(tasks[0].network).__name__
    return chosen, {name: 1e3 * value for name, value in seconds.items()}


def main() -> None:
    """Measure each kind, after parity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="kinds that begin with this text")
    arguments = parser.parse_args()
    # TensorFlow writes pages about each operation that it cannot vectorise.
    tf.get_logger().setLevel("CRITICAL")
    names = ("Keras", "LayeredNetwork", "VectorizedModel", "CalledNetwork")
    print("CPU time of a member's step in ms; * is the way that is chosen")
    print(f"{'kind':22}{'size':>6}{'rows':>6}" + "".join(f"{name:>17}" for name in names))
    slower = []
    for kind, build, size, rows in KINDS:
        if not kind.startswith(arguments.only):
            continue
        chosen, seconds = measured(build, size, rows, arguments.members, arguments.repeats)
        shown = [
            f"{seconds[name]:.3f}{'*' if name == chosen else ' '}" if name in seconds else "-"
            for name in names
        ]
        print(f"{kind:22}{size:6}{rows:6}" + "".join(f"{text:>17}" for text in shown), flush=True)
        if seconds[chosen] > seconds["Keras"]:
            slower.append(f"{kind} of {size}")
    if slower:
        raise SystemExit(f"slower than Keras' own fit: {', '.join(slower)}")


if __name__ == "__main__":
    main()
