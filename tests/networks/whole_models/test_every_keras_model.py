"""Models as people write them: a population trains each to the weights of Keras' own fit."""

import operator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812
from keras import ops

from skhp.estimators.keras_model.preparation import custom_fit_task, write_weights
from skhp.estimators.keras_model.wrapped_rows import PartedRows
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.vectorized_model import VectorizedModel
from skhp.training.cohort.cohort import train_cohort
from skhp.training.training_rows import TrainingSeeds, row_order

pytestmark = pytest.mark.slow

N_ROWS, EPOCHS, BATCH = 22, 2, 8
SEEDS = TrainingSeeds(split=1, network=2, order=3)
WAYS = {LayeredNetwork: "layered", VectorizedModel: "vectorized", CalledNetwork: "called"}


@dataclass(frozen=True)
class Case:
    """A model, what it is compiled with and the rows that it takes."""

    build: Any
    shape: Any = (4,)
    tokens: int = 0
    loss: Any = "mse"
    targets: Any = 1
    compiled: dict = field(default_factory=dict)
    optimizer: Any = keras.optimizers.Adam
    way: str = "called"


def text_by_convolution():
    """keras.io: text classification from scratch."""
    inputs = keras.Input((12,), dtype="int32")
    x = L.Dropout(0.5)(L.Embedding(20, 6)(inputs))
    x = L.Conv1D(6, 3, strides=3, activation="relu")(x)
    x = L.Dense(6, activation="relu")(L.GlobalMaxPooling1D()(x))
    return keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Dropout(0.5)(x)))


def bidirectional_lstm():
    """keras.io: bidirectional LSTM on IMDB."""
    inputs = keras.Input((None,), dtype="int32")
    x = L.Embedding(20, 5)(inputs)
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(x)
    return keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Bidirectional(L.LSTM(4))(x)))


@keras.saving.register_keras_serializable("tests")
class PatchEncoder(keras.layers.Layer):
    def __init__(self, patches=4, size=4, **keywords):
        super().__init__(**keywords)
        self.patches, self.size = patches, size
        self.projection = L.Dense(size)
        self.position = L.Embedding(patches, size)

    def call(self, patch):
        return self.projection(patch) + self.position(ops.expand_dims(ops.arange(self.patches), 0))

    def get_config(self):
        return {**super().get_config(), "patches": self.patches, "size": self.size}


def vision_transformer():
    """keras.io: image classification with a vision transformer."""
    inputs = keras.Input((4, 4, 2))
    x = PatchEncoder()(L.Reshape((4, 8))(inputs))
    y = L.LayerNormalization(epsilon=1e-6)(x)
    x = L.Add()([L.MultiHeadAttention(2, 3, dropout=0.1)(y, y), x])
    y = L.Dense(6, activation=keras.activations.gelu)(L.LayerNormalization()(x))
    x = L.Add()([L.Dense(4)(L.Dropout(0.1)(y)), x])
    x = L.Dropout(0.5)(L.Flatten()(L.LayerNormalization(epsilon=1e-6)(x)))
    return keras.Model(inputs, L.Dense(3)(x))


def mlp_mixer():
    inputs = keras.Input((4, 4, 2))
    x = L.Dense(5)(L.Reshape((4, 8))(inputs))
    y = L.Permute((2, 1))(L.LayerNormalization()(x))
    y = L.Permute((2, 1))(L.Dense(4)(L.Dense(6, activation="gelu")(y)))
    x = x + y
    x = x + L.Dense(5)(L.Dense(6, activation="gelu")(L.LayerNormalization()(x)))
    return keras.Model(inputs, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(x)))


def timeseries_transformer():
    """keras.io: timeseries classification with a transformer."""
    inputs = keras.Input((8, 1))
    x = L.LayerNormalization(epsilon=1e-6)(inputs)
    x = L.Dropout(0.25)(L.MultiHeadAttention(key_dim=4, num_heads=2, dropout=0.25)(x, x))
    res = x + inputs
    x = L.Conv1D(4, 1, activation="relu")(L.LayerNormalization(epsilon=1e-6)(res))
    x = L.Conv1D(1, 1)(L.Dropout(0.25)(x)) + res
    x = L.GlobalAveragePooling1D(data_format="channels_first")(x)
    return keras.Model(inputs, L.Dense(2, activation="softmax")(L.Dense(4, activation="relu")(x)))


def timeseries_convolution():
    """keras.io: timeseries classification from scratch."""
    x = inputs = keras.Input((8, 1))
    for _ in range(2):
        x = L.Conv1D(4, 3, padding="same", use_bias=False)(x)
        x = L.ReLU()(L.BatchNormalization()(x))
    return keras.Model(inputs, L.Dense(2, activation="softmax")(L.GlobalAveragePooling1D()(x)))


def residual():
    inputs = keras.Input((6, 6, 2))
    # With a bias before a normalisation, its gradient would be nothing but rounding.
    x = L.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = skipped = L.Activation("relu")(L.BatchNormalization()(x))
    x = L.SeparableConv2D(4, 3, padding="same", use_bias=False)(x)
    x = L.MaxPooling2D(3, strides=2, padding="same")(L.BatchNormalization()(x))
    x = L.add([x, L.Conv2D(4, 1, strides=2, padding="same")(skipped)])
    return keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling2D()(x)))


def autoencoder():
    inputs = keras.Input((4, 4, 1))
    x = L.MaxPooling2D(2, padding="same")(L.Conv2D(3, 3, activation="relu", padding="same")(inputs))
    x = L.Conv2DTranspose(3, 3, strides=2, activation="relu", padding="same")(x)
    return keras.Model(inputs, L.Conv2D(1, 3, activation="sigmoid", padding="same")(x))


def structured_data():
    """keras.io: structured data with several inputs."""
    inputs = {
        "numbers": keras.Input((3,), name="numbers"),
        "kinds": keras.Input((2,), dtype="int32", name="kinds"),
    }
    kinds = L.Flatten()(L.Embedding(5, 2)(inputs["kinds"]))
    x = L.concatenate([L.BatchNormalization()(inputs["numbers"]), kinds])
    x = L.Dropout(0.5)(L.Dense(6, activation="relu")(x))
    return keras.Model(inputs, L.Dense(1, activation="sigmoid")(x))


def list_of_inputs():
    first, second = keras.Input((3,)), keras.Input((2,), dtype="int32")
    x = L.concatenate([first, L.GlobalAveragePooling1D()(L.Embedding(5, 2)(second))])
    return keras.Model([first, second], L.Dense(1)(x))


def two_outputs():
    inputs = keras.Input((4,))
    x = L.Dense(5, activation="tanh")(inputs)
    return keras.Model(inputs, [L.Dense(1, name="price")(x), L.Dense(3, name="kind")(x)])


def outputs_by_name():
    inputs = keras.Input((4,))
    x = L.Dense(5, activation="tanh")(inputs)
    outputs = {"late": L.Dense(1)(x), "early": L.Dense(2)(inputs)}
    return keras.Model(inputs, outputs)


@keras.saving.register_keras_serializable("tests")
class Block(keras.layers.Layer):
    def __init__(self, units, rate, **keywords):
        super().__init__(**keywords)
        self.units, self.rate = units, rate
        self.attention = L.MultiHeadAttention(2, units)
        self.dropout = L.Dropout(rate)
        self.norm = L.LayerNormalization()

    def call(self, x, training=False):
        return self.norm(x + self.dropout(self.attention(x, x), training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "rate": self.rate}


def own_block():
    inputs = keras.Input((6,), dtype="int32")
    x = Block(3, 0.2)(L.Embedding(9, 4)(inputs))
    return keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(x)))


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, units=4, **keywords):
        super().__init__(**keywords)
        self.units = units
        self.hidden = L.Dense(units, activation="relu")
        self.norm = L.BatchNormalization()
        self.dropout = L.Dropout(0.3)
        self.head = L.Dense(1)

    def call(self, inputs, training=False):
        x = self.norm(self.hidden(inputs), training=training)
        return self.head(self.dropout(x, training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def frozen_base():
    base = keras.Sequential([keras.Input((6, 6, 1)), L.Conv2D(3, 3), L.BatchNormalization()])
    base.trainable = False
    inputs = keras.Input((6, 6, 1))
    x = base(inputs, training=False)
    return keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling2D()(x)))


def stack(*layers, shape=(4,), dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def shared_embedding():
    inputs = keras.Input((6,), dtype="int32")
    embedding = L.Embedding(9, 3)
    first, last = embedding(inputs[:, :3]), embedding(inputs[:, 3:])
    return keras.Model(inputs, L.Dense(1)(L.Flatten()(first * last)))


def embedding_with(penalty=None):
    return lambda: stack(
        L.Embedding(4, 3, embeddings_regularizer=penalty),
        L.GlobalAveragePooling1D(),
        L.Dense(1),
        shape=(5,),
        dtype="int32",
    )


def steady(rate):
    """An optimizer that does not enlarge the rounding of a gradient of 0, as a key's bias has."""
    return keras.optimizers.SGD(rate, momentum=0.9)


CASES = {
    "perceptron": Case(lambda: stack(L.Dense(5, activation="relu"), L.Dense(1)), way="layered"),
    "weighted loss": Case(
        lambda: stack(L.Dense(1)), compiled={"loss_weights": [0.5]}, way="layered"
    ),
    "skip": Case(lambda: skip(), way="vectorized"),
    "nothing left": Case(lambda: stack(L.Dropout(1.0), L.Dense(1))),
    "text by convolution": Case(
        text_by_convolution, (12,), tokens=20, loss="binary_crossentropy", targets="binary"
    ),
    "bidirectional lstm": Case(
        bidirectional_lstm, (7,), tokens=20, loss="binary_crossentropy", targets="binary"
    ),
    "vision transformer": Case(
        vision_transformer,
        (4, 4, 2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        targets="classes",
        optimizer=steady,
    ),
    "mlp mixer": Case(
        mlp_mixer, (4, 4, 2), loss="sparse_categorical_crossentropy", targets="classes"
    ),
    "timeseries transformer": Case(
        timeseries_transformer,
        (8, 1),
        loss="sparse_categorical_crossentropy",
        targets="binary",
        optimizer=steady,
    ),
    "timeseries convolution": Case(
        timeseries_convolution, (8, 1), loss="sparse_categorical_crossentropy", targets="binary"
    ),
    "residual": Case(
        residual,
        (6, 6, 2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        targets="classes",
    ),
    "autoencoder": Case(autoencoder, (4, 4, 1), targets=(4, 4, 1)),
    "structured data": Case(
        structured_data,
        {"numbers": (3,), "kinds": (2,)},
        tokens=5,
        loss="binary_crossentropy",
        targets="binary",
    ),
    "list of inputs": Case(list_of_inputs, [(3,), (2,)], tokens=5),
    "two outputs": Case(
        two_outputs,
        loss=["mse", keras.losses.SparseCategoricalCrossentropy(from_logits=True)],
        targets=(1, "classes"),
        compiled={"loss_weights": [0.3, 2.0]},
    ),
    "outputs by name": Case(
        outputs_by_name,
        loss={"late": "mae", "early": "mse"},
        targets={"late": 1, "early": 2},
        compiled={"loss_weights": {"late": 0.5, "early": 1.5}},
    ),
    "own block": Case(own_block, (6,), tokens=9),
    "subclassed": Case(Subclassed),
    "frozen base": Case(frozen_base, (6, 6, 1)),
    "frozen layer": Case(lambda: stack(L.Dense(5, trainable=False), L.Dense(1))),
    "lstm over 40 steps": Case(
        lambda: stack(L.LSTM(3), L.Dense(1), shape=(40, 2)), (40, 2), way="layered"
    ),
    "lstm with dropout": Case(
        lambda: stack(L.LSTM(3, dropout=0.3), L.Dropout(0.2), L.Dense(1), shape=(6, 2)), (6, 2)
    ),
    "lstm with recurrent dropout": Case(
        lambda: stack(L.LSTM(3, recurrent_dropout=0.3), L.Dense(1), shape=(6, 2)), (6, 2)
    ),
    "lstm with a mask": Case(
        lambda: stack(
            L.Embedding(5, 3, mask_zero=True), L.LSTM(3), L.Dense(1), shape=(6,), dtype="int32"
        ),
        (6,),
        tokens=5,
    ),
    "series to series": Case(
        lambda: stack(L.SimpleRNN(3, return_sequences=True), L.Dense(2), shape=(5, 2)),
        (5, 2),
        targets=(5, 2),
    ),
    "convolutional lstm": Case(
        lambda: stack(L.ConvLSTM1D(2, 2), L.Flatten(), L.Dense(1), shape=(3, 4, 1)), (3, 4, 1)
    ),
    "time distributed": Case(
        lambda: stack(L.TimeDistributed(L.Conv1D(2, 2)), L.Flatten(), L.Dense(1), shape=(3, 4, 1)),
        (3, 4, 1),
    ),
    "noise": Case(
        lambda: stack(L.GaussianNoise(0.3), L.Dense(3), L.GaussianDropout(0.3), L.Dense(1))
    ),
    "spatial dropout": Case(
        lambda: stack(
            L.SpatialDropout1D(0.4), L.Conv1D(2, 2), L.Flatten(), L.Dense(1), shape=(5, 2)
        ),
        (5, 2),
    ),
    "dropout of one shape": Case(lambda: stack(L.Dropout(0.4, noise_shape=(None, 1)), L.Dense(1))),
    "dropout with a seed": Case(lambda: stack(L.Dropout(0.4, seed=5), L.Dense(3), L.Dense(1))),
    "nested dropout": Case(
        lambda: stack(keras.Sequential([L.Dense(4), L.Dropout(0.4)]), L.Dense(1))
    ),
    "augmented images": Case(
        lambda: stack(
            L.RandomFlip("horizontal"), L.Conv2D(2, 3), L.Flatten(), L.Dense(1), shape=(4, 4, 1)
        ),
        (4, 4, 1),
    ),
    "penalty on outputs": Case(
        lambda: stack(
            L.Dense(3, activity_regularizer="l2", kernel_regularizer="l1"),
            L.ActivityRegularization(l1=0.1),
            L.Dense(1),
        )
    ),
    "adapted": Case(lambda: adapted()),
    "looked up": Case(
        lambda: stack(
            L.IntegerLookup(vocabulary=[1, 2, 3], output_mode="multi_hot"),
            L.Dense(1),
            shape=(6,),
            dtype="int64",
        ),
        (6,),
        tokens=5,
    ),
    "a cell of its own": Case(
        lambda: stack(L.RNN([L.GRUCell(2), L.LSTMCell(2, dropout=0.2)]), L.Dense(1), shape=(5, 2)),
        (5, 2),
    ),
    "shared embedding": Case(shared_embedding, (6,), tokens=9),
    "lambda": Case(lambda: stack(L.Lambda(lambda x: x * 3.0), L.Dense(1))),
    "mean over rows": Case(lambda: stack(L.Dense(3), L.UnitNormalization(axis=0), L.Dense(1))),
    "batch normalisation": Case(
        lambda: stack(L.Dense(4, use_bias=False), L.BatchNormalization(scale=False), L.Dense(1))
    ),
    **{
        f"embedding by {name}": Case(embedding_with(), (5,), tokens=4, optimizer=optimizer)
        for name, optimizer in {
            "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
            "rmsprop": lambda rate: keras.optimizers.RMSprop(rate, momentum=0.5),
            "adagrad": keras.optimizers.Adagrad,
            "adamw": keras.optimizers.AdamW,
            "nadam": keras.optimizers.Nadam,
        }.items()
    },
    "embedding with a penalty": Case(
        embedding_with(keras.regularizers.L2(0.1)), (5,), tokens=4, way="layered"
    ),
}


def adapted():
    """keras.io: structured data, whose features are normalised within the model."""
    normalization = L.Normalization()
    normalization.adapt(np.random.default_rng(7).normal(3.0, 2.0, size=(30, 4)))
    return stack(normalization, L.Dense(3, activation="tanh"), L.Dense(1))


def skip():
    inputs = keras.Input((4,))
    joined = L.Concatenate()([inputs, L.Dense(3, activation="relu")(inputs)])
    return keras.Model(inputs, L.Dense(1)(joined))


def arrays_of(case, seed):
    generator = np.random.default_rng(seed)

    def rows(shape, tokens):
        if tokens:
            return generator.integers(0, tokens, size=(N_ROWS, *shape)).astype(np.int32)
        return generator.normal(size=(N_ROWS, *shape)).astype(np.float32)

    def target(kind):
        if isinstance(kind, str):
            return generator.integers(0, {"binary": 2, "classes": 3}[kind], size=N_ROWS)
        shape = kind if isinstance(kind, tuple) else (kind,)
        return generator.uniform(size=(N_ROWS, *shape)).astype(np.float32)

    def each(function, given):
        if isinstance(given, dict):
            return {name: function(part, name) for name, part in given.items()}
        return tuple(function(part, k) for k, part in enumerate(given))

    x = (
        each(
            lambda shape, name: rows(shape, case.tokens if name in ("kinds", 1) else 0), case.shape
        )
        if isinstance(case.shape, (dict, list))
        else rows(case.shape, case.tokens)
    )
    several = isinstance(case.targets, dict) or (
        isinstance(case.targets, tuple) and isinstance(case.targets[-1], str)
    )
    y = each(lambda kind, _: target(kind), case.targets) if several else target(case.targets)
    return x, y


def compiled(case, seed, rate, **how):
    keras.utils.set_random_seed(seed)
    model = case.build()
    model.compile(optimizer=case.optimizer(rate), loss=case.loss, **case.compiled, **how)
    return model


def task_of(model, x, y, epochs=EPOCHS):
    arguments = {
        "batch_size": BATCH,
        "validation_batch_size": BATCH,
        "callbacks": [],
    }
    return custom_fit_task(
        model, PartedRows(x, y, None, None), arguments, epochs=epochs, first_epoch=0, seeds=SEEDS
    )


def fitted_by_keras(model, x, y):
    losses = []
    for epoch in range(EPOCHS):
        order = row_order(SEEDS.order, epoch, N_ROWS)
        own_x, own_y = keras.tree.map_structure(operator.itemgetter(order), (x, y))
        logged = model.fit(own_x, own_y, batch_size=BATCH, shuffle=False, verbose=0)
        losses += logged.history["loss"]
    return losses


# One of each way and of each thing that a member carries; the others take minutes.
QUICK = (
    "perceptron",
    "weighted loss",
    "two outputs",
    "frozen layer",
    "noise",
    "lstm over 40 steps",
    "embedding by adamw",
    "batch normalisation",
)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_members_of_a_cohort_have_the_weights_of_keras_fit(name):
    case = CASES[name]
    members = [(0, 0.01), (1, 0.03)]
    x, y = arrays_of(case, 5)
    models = [compiled(case, *member) for member in members]
    for model in models:
        model(keras.tree.map_structure(lambda array: array[:1], x))
    tasks = [task_of(model, x, y) for model in models]
    assert {type(task.network) for task in tasks} == {
        kind for kind, way in WAYS.items() if way == case.way
    }
    assert len({task.program for task in tasks}) == 1
    results = train_cohort(tasks)
    for member, model, task, result in zip(members, models, tasks, results, strict=True):
        # Tracing it would take most of the time.
        own = compiled(case, *member, run_eagerly=True)
        own(keras.tree.map_structure(lambda array: array[:1], x))
        losses = fitted_by_keras(own, x, y)
        write_weights(model, task.network, result.trained)
        np.testing.assert_allclose(result.outcome.history["loss"], losses, rtol=1e-3)
        for variable, expected in zip(model.variables, own.variables, strict=True):
            np.testing.assert_allclose(
                variable.numpy(), expected.numpy(), rtol=1e-4, atol=1e-4, err_msg=variable.path
            )
