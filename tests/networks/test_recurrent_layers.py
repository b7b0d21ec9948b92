"""Recurrent layers, embeddings and masks for many members at once, held to Keras' own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import CannotJoinError
from skhp.networks.layered_network import layered_network
from skhp.networks.layers.lstm import LSTMLayer
from skhp.networks.network import flattened, network_numbers, unflattened
from skhp.networks.predictions import predicted_logits
from skhp.objectives.losses import row_loss
from skhp.training.cohort.cohort import train_cohort
from skhp.training.fit_task import FitTask, TrainingPlan
from skhp.training.rate_schedules import rate_of
from skhp.training.trained_network import MemberWeights
from skhp.training.training_rows import TrainingRows
from skhp.training.update_rules import update_of

pytestmark = pytest.mark.slow

L = keras.layers
RANDOM = np.random.default_rng(0)
STREAMS, CANDIDATES, ROWS, STEPS, CHANNELS = 2, 2, 5, 6, 3
KINDS = [L.LSTM, L.GRU, L.SimpleRNN]

SERIES = RANDOM.normal(size=(STREAMS, ROWS, STEPS, CHANNELS)).astype(np.float32)
# Steps are masked at any place; in one row all are.
GAPS = RANDOM.random((STREAMS, ROWS, STEPS, 1)) < 0.4
GAPS[0, 0] = True
WITH_GAPS = np.where(GAPS, 0, SERIES).astype(np.float32)
TOKENS = np.where(GAPS[..., 0], 0, RANDOM.integers(1, 7, size=(STREAMS, ROWS, STEPS))).astype(
    np.float32
)

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def stack(*layers, shape=(STEPS, CHANNELS)):
    return keras.Sequential([keras.Input(shape), *layers])


# Each takes a kind of recurrent layer; the rows that it is fed with come second.
STACKS = {
    "one layer": (lambda kind: stack(kind(4), L.Dense(2)), SERIES),
    "no bias, backwards": (lambda kind: stack(kind(4, use_bias=False, go_backwards=True)), SERIES),
    "stacked": (
        lambda kind: stack(kind(4, return_sequences=True), L.Dense(3, "relu"), kind(2)),
        SERIES,
    ),
    "both ways": (
        lambda kind: stack(
            L.Bidirectional(kind(3, return_sequences=True)),
            L.Bidirectional(kind(2), merge_mode="mul"),
        ),
        SERIES,
    ),
    "masked": (
        lambda kind: stack(L.Masking(), kind(3, return_sequences=True), L.Dense(3), kind(2)),
        WITH_GAPS,
    ),
    "masked, backwards": (
        lambda kind: stack(L.Masking(), kind(3, return_sequences=True, go_backwards=True), kind(2)),
        WITH_GAPS,
    ),
    "masked, both ways": (
        lambda kind: stack(
            L.Masking(),
            L.Bidirectional(kind(3, return_sequences=True)),
            L.Bidirectional(kind(2), merge_mode="ave"),
        ),
        WITH_GAPS,
    ),
    "held outputs of masked steps": (
        lambda kind: stack(L.Masking(), kind(2, return_sequences=True)),
        WITH_GAPS,
    ),
    "zeros for masked steps": (
        lambda kind: stack(L.Masking(), L.Bidirectional(kind(2, return_sequences=True))),
        WITH_GAPS,
    ),
    "tokens": (
        lambda kind: stack(L.Embedding(7, 3), kind(2, activation="relu"), shape=(STEPS,)),
        TOKENS,
    ),
    "padded tokens": (
        lambda kind: stack(
            L.Embedding(7, 3, mask_zero=True),
            L.Bidirectional(kind(3, return_sequences=True)),
            kind(2),
            shape=(STEPS,),
        ),
        TOKENS,
    ),
}
# A GRU and a SimpleRNN walk in the same loop, an LSTM has a kernel of its own.
CASES = [
    *((L.LSTM, name) for name in STACKS),
    *((L.GRU, name) for name in STACKS if name not in ("stacked", "both ways", "masked")),
    *((L.SimpleRNN, name) for name in ("one layer", "masked, both ways", "tokens")),
]


def members(network, seed=1):
    size = sum(int(np.prod(shape)) for shape in network.weight_shapes)
    random = np.random.default_rng(seed)
    return random.normal(0, 0.5, (STREAMS, CANDIDATES, size)).astype(np.float32)


def gradients(network, weights, rows, y, *, compiled=False, **noise):
    noise = {"noise": (), "dropout": (), **noise}

    def run(weights, rows, y):
        return network.loss_gradient(
            weights,
            tf.zeros((STREAMS, CANDIDATES, 0)),
            (rows, y, tf.ones((STREAMS, ROWS))),
            loss=lambda y, outputs, weight: (_squares(y, outputs),),
            present=tf.ones((STREAMS, ROWS)),
            **noise,
        )

    program = tf.function(run, autograph=False, jit_compile=compiled)
    gradient, (loss,), _ = program(*map(tf.constant, (weights, rows, y)))
    return gradient.numpy(), loss.numpy()


def _squares(y, outputs):
    axes = tuple(range(2, len(outputs.shape)))
    return tf.reduce_sum((outputs - y) ** 2, axis=axes)


# Each stream and each place in it. Keras walks through the steps one by one, which takes long.
CHECKED = ((0, 1), (1, 0))


def assert_as_keras(
    model, rows, gradient, loss, weights, y, before=lambda s, c: None, checked=CHECKED
):
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    for s, c in checked:
        for variable, value in zip(
            model.trainable_variables, unflattened(weights[s, c], shapes), strict=True
        ):
            variable.assign(value)
        before(s, c)
        with tf.GradientTape() as tape:
            expected = tf.reduce_sum((model(rows[s], training=True) - y[s]) ** 2)
        parts = tape.gradient(expected, [v.value for v in model.trainable_variables])
        np.testing.assert_allclose(loss[s, c], expected, rtol=1e-4)
        expected = flattened([tf.convert_to_tensor(part).numpy() for part in parts])
        np.testing.assert_allclose(gradient[s, c], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_losses_and_gradients_are_those_of_keras(kind, name):
    build, rows = STACKS[name]
    model = build(kind)
    network = layered_network(model)
    weights = members(network)
    y = RANDOM.normal(size=(STREAMS, ROWS, *model.output_shape[1:])).astype(np.float32)
    assert_as_keras(model, rows, *gradients(network, weights, rows, y), weights, y)


@pytest.mark.parametrize(("kind", "name"), [(L.GRU, "padded tokens"), (L.SimpleRNN, "one layer")])
def test_under_xla_they_are_the_same(kind, name):
    build, rows = STACKS[name]
    network = layered_network(build(kind))
    assert network.compiles
    weights = members(network)
    y = RANDOM.normal(size=(STREAMS, ROWS, 2)).astype(np.float32)
    plain = gradients(network, weights, rows, y)
    for one, other in zip(gradients(network, weights, rows, y, compiled=True), plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_an_lstm_too_wide_for_the_kernel_walks_in_a_loop(monkeypatch):
    assert layered_network(stack(L.LSTM(32))).layers[0].is_fused
    assert not layered_network(stack(L.LSTM(128))).layers[0].is_fused
    model = STACKS["masked, both ways"][0](L.LSTM)
    network = layered_network(model)
    weights = members(network)
    y = RANDOM.normal(size=(STREAMS, ROWS, 2)).astype(np.float32)
    fused = gradients(network, weights, WITH_GAPS, y)
    assert not network.compiles
    monkeypatch.setattr(LSTMLayer, "is_fused", False)
    assert network.compiles
    for one, other in zip(gradients(network, weights, WITH_GAPS, y), fused, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_newer_kernel_of_tensorflow_still_has_another_gradient():
    # When this fails, `BlockLSTMV2` can take the place of `BlockLSTM`, and Keras' order of gates.
    x, w = (
        tf.constant(RANDOM.normal(size=shape), tf.float32) for shape in ((4, 3, 2), (2 + 2, 4 * 2))
    )
    zeros, none = tf.zeros((3, 2)), tf.zeros((2,))

    def last(w):
        outputs = tf.raw_ops.BlockLSTMV2(
            seq_len_max=4, x=x, cs_prev=zeros, h_prev=zeros, w=w, wci=none, wcf=none, wco=none,
            b=tf.zeros((8,)),
        )  # fmt: skip
        return tf.reduce_sum(outputs.h[-1])

    with tf.GradientTape() as tape:
        tape.watch(w)
        value = last(w)
    gradient = tape.gradient(value, w).numpy()
    numeric = np.zeros_like(gradient)
    for place in np.ndindex(*w.shape):
        moved = np.zeros(w.shape, np.float32)
        moved[place] = 1e-2
        numeric[place] = (last(w + moved) - last(w - moved)) / 2e-2
    assert np.abs(gradient - numeric).max() > 0.01


# Dropout inside


def factors(noise, rate):
    return np.where(noise >= rate, 1 / (1 - rate), 0).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "dropout", "recurrent_dropout", "compiled"),
    [
        (L.LSTM, 0.3, 0.4, False),
        (L.LSTM, 0.0, 0.4, False),
        (L.GRU, 0.3, 0.0, False),
        (L.GRU, 0.0, 0.4, False),
        # One kind shows that XLA takes it.
        (L.GRU, 0.3, 0.4, True),
        (L.SimpleRNN, 0.3, 0.4, False),
    ],
)
def test_inner_dropout_has_one_choice_for_all_steps(kind, dropout, recurrent_dropout, compiled):
    model = stack(kind(4, dropout=dropout, recurrent_dropout=recurrent_dropout))
    network = layered_network(model)
    weights = members(network)
    y = RANDOM.normal(size=(STREAMS, ROWS, 4)).astype(np.float32)
    given = [rate for rate in (dropout, recurrent_dropout) if rate]
    assert network_numbers(model).dropout == tuple(given)
    # Rates differ from member to member, and may be 0.
    rates = [np.array([[rate, 0.0], [rate / 2, 0.9]], np.float32) for rate in given]
    noise = [
        RANDOM.random((STREAMS, ROWS, *shape)).astype(np.float32) for shape in network.noise_shapes
    ]
    gates = {L.LSTM: 4, L.GRU: 3, L.SimpleRNN: 1}[kind] if recurrent_dropout else 1
    assert {shape[0] for shape in network.noise_shapes} == {gates}
    cell = model.layers[0].cell

    def set_masks(s, c):
        for name, drawn, rate in zip(
            [n for n, r in (("", dropout), ("recurrent_", recurrent_dropout)) if r],
            noise,
            rates,
            strict=True,
        ):
            masks = [factors(drawn[s, :, gate], rate[s, c]) for gate in range(gates)]
            by_gate = recurrent_dropout and kind is not L.SimpleRNN
            setattr(cell, f"_{name}dropout_mask", masks if by_gate else masks[0])

    result = gradients(network, weights, SERIES, y, compiled=compiled, noise=noise, dropout=rates)
    everyone = np.ndindex(STREAMS, CANDIDATES)
    assert_as_keras(model, SERIES, *result, weights, y, before=set_masks, checked=everyone)


def test_both_ways_drop_by_themselves():
    model = stack(L.Bidirectional(L.LSTM(3, dropout=0.2, recurrent_dropout=0.1)))
    network = layered_network(model)
    assert network.noise_shapes == ((4, CHANNELS), (4, 3)) * 2
    assert network_numbers(model).dropout == (0.2, 0.1) * 2


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: L.Dropout(0.5), (STEPS, CHANNELS)),
        (lambda: L.SpatialDropout1D(0.5), (1, CHANNELS)),
        (lambda: L.Dropout(0.5, noise_shape=(None, STEPS, 1)), (STEPS, 1)),
    ],
)
def test_dropout_over_series(layer, shape):
    model = stack(layer(), L.SimpleRNN(2))
    network = layered_network(model)
    assert network.noise_shapes == (shape,)
    assert network_numbers(model).dropout == (0.5,)
    noise = RANDOM.random((STREAMS, ROWS, *shape)).astype(np.float32)
    rate = np.full((STREAMS, CANDIDATES), 0.5, np.float32)
    weights = members(network)
    outputs, _ = network.outputs(
        weights, None, SERIES, training=True, noise=[noise], dropout=[rate]
    )
    dropped = SERIES * factors(noise, 0.5)
    plain = layered_network(stack(L.SimpleRNN(2)))
    for s in range(STREAMS):
        expected, _ = plain.outputs(weights[s : s + 1], None, dropped[s : s + 1], training=False)
        np.testing.assert_allclose(outputs[s], expected[0], rtol=1e-4, atol=1e-5)


# Training


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (L.LSTM, "masked, both ways"),
        (L.LSTM, "padded tokens"),
        (L.GRU, "padded tokens"),
        (L.SimpleRNN, "one layer"),
    ],
)
def test_after_training_the_weights_are_those_of_model_fit(kind, name):
    build, rows = STACKS[name]
    model = build(kind)
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    if name != "padded tokens":
        optimizer = keras.optimizers.Adam(0.02)
    model.compile(optimizer, "mse")
    X = rows.reshape(-1, *rows.shape[2:])
    y = RANDOM.normal(size=(len(X), model.output_shape[1])).astype(np.float32)
    tasks = [
        FitTask(
            network=layered_network(model),
            numbers=network_numbers(model),
            loss=row_loss(keras.losses.MeanSquaredError()),
            update=update_of(optimizer),
            rate=rate_of(float(optimizer.learning_rate)),
            rows=TrainingRows(X, y, np.ones(len(X), np.float32)),
            validation=None,
            plan=TrainingPlan(batch_size=batch_size, epochs=2, seed=None),
            noise_seed=0,
            start=MemberWeights(flattened(model.get_weights()), np.zeros(0, np.float32)),
        )
        for batch_size in (4, 10)
    ]
    # Batches of both members are taken in parts.
    results = train_cohort(tasks)
    start = model.get_weights()
    for task, result in zip(tasks, results, strict=True):
        own = keras.models.clone_model(model)
        own.set_weights(start)
        # Tracing it would take most of the time.
        own.compile(optimizer.from_config(optimizer.get_config()), "mse", run_eagerly=True)
        own.fit(X, y, batch_size=task.plan.batch_size, epochs=2, shuffle=False, verbose=0)
        np.testing.assert_allclose(
            result.trained.weights, flattened(own.get_weights()), rtol=1e-3, atol=1e-4
        )


@kinds
def test_a_row_has_the_same_bits_among_any_others(kind):
    model = stack(kind(5, return_sequences=True), kind(4), L.Dense(1))
    network = layered_network(model)
    rows = RANDOM.normal(size=(70, STEPS, CHANNELS)).astype(np.float32)
    weights = flattened(model.get_weights())
    state = np.zeros(0, np.float32)
    together = predicted_logits(network, weights, state, rows)
    for count in (1, 33):
        np.testing.assert_array_equal(
            predicted_logits(network, weights, state, rows[:count]), together[:count]
        )
    np.testing.assert_allclose(together, model(rows), rtol=1e-4, atol=1e-5)


def test_keras_adds_up_the_squares_of_a_token_that_a_batch_has_twice():
    # When this fails, embeddings need no `has_sparse_gradient` and no regulariser.
    def trained(regularizer):
        model = stack(
            L.Embedding(3, 2, embeddings_regularizer=regularizer, embeddings_initializer="ones"),
            L.SimpleRNN(1, kernel_initializer="ones", recurrent_initializer="ones"),
            shape=(2,),
        )
        model.compile(keras.optimizers.RMSprop(0.1), "mse")
        model.fit(np.array([[1, 2], [1, 1]]), np.zeros((2, 1)), epochs=2, verbose=0)
        return model.layers[0].embeddings.numpy()

    assert not np.allclose(trained(None), trained(keras.regularizers.L2(0.0)), atol=1e-3)


def test_an_embedding_tells_whether_its_gradient_is_sparse():
    def sparse(regularizer):
        embedding = L.Embedding(7, 3, embeddings_regularizer=regularizer)
        network = layered_network(stack(embedding, L.GRU(2), shape=(STEPS,)))
        return any(layer.has_sparse_gradient for layer in network.layers)

    assert sparse(None)
    assert not sparse("l2")


# What is refused


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([L.LSTM(2, activation="gelu")], "no batched form"),
        ([L.LSTM(2, recurrent_activation="hard_sigmoid")], "no batched form"),
        ([L.GRU(2, reset_after=False)], "no batched form"),
        ([L.GRU(2, kernel_constraint="non_neg")], "constraint"),
        ([L.SimpleRNN(2, activation="swish")], "no batched form"),
        ([L.LSTM(2, activity_regularizer="l2")], "activity"),
        ([L.RNN(L.LSTMCell(2))], "no batched form"),
        ([L.Bidirectional(L.RNN(L.GRUCell(2)))], "no batched form"),
        ([L.Bidirectional(L.LSTM(2, activation="gelu"))], "no batched form"),
        ([L.Masking(), L.LSTM(2, return_sequences=True), L.Softmax()], "steps are masked"),
        ([L.Masking(), L.LSTM(2, return_sequences=True), L.BatchNormalization()], "masked"),
    ],
)
def test_other_forms_are_refused(layers, reason):
    with pytest.raises(CannotJoinError, match=reason):
        layered_network(stack(*layers))


def test_series_of_any_length_need_rows():
    model = stack(L.LSTM(2), shape=(None, CHANNELS))
    with pytest.raises(CannotJoinError, match="no fixed shape"):
        layered_network(model)
    assert layered_network(model, (4, CHANNELS)) == layered_network(stack(L.LSTM(2), shape=(4, 3)))
