import random

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from skhp.training.training_rows import epoch_batches, row_order, steps_in_epoch

SEEDS = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(SEEDS, st.integers(0, 1000), st.integers(1, 200))
def test_an_order_visits_every_row_once(seed, epoch, n_rows):
    assert np.array_equal(np.sort(row_order(seed, epoch, n_rows)), np.arange(n_rows))


@settings(deadline=None)
@given(SEEDS, st.integers(0, 1000))
def test_an_order_depends_on_the_seed_and_the_epoch(seed, epoch):
    # Of 100! orders no two are equal by chance.
    order = row_order(seed, epoch, 100)
    assert np.array_equal(order, row_order(seed, epoch, 100))
    assert not np.array_equal(order, row_order(seed, epoch + 1, 100))
    assert not np.array_equal(order, row_order(seed + 1, epoch, 100))


def test_rows_stand_anywhere_in_the_order():
    places = [int(row_order(7, epoch, 5)[0]) for epoch in range(2000)]
    assert np.bincount(places, minlength=5) / 2000 == pytest.approx(0.2, abs=0.05)


@settings(deadline=None)
@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_steps_are_as_few_as_hold_all_rows(n_rows, batch_size):
    steps = steps_in_epoch(n_rows, batch_size)
    assert (steps - 1) * batch_size < n_rows <= steps * batch_size


# Each example is a pipeline of its own: looking for a smaller one that fails takes minutes.
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.integers(1, 20), st.integers(1, 25), st.integers(1, 4), SEEDS, st.integers(0, 50))
def test_batches_follow_the_order_of_the_rows(n_rows, batch_size, epochs, seed, first_epoch):
    X = np.arange(2 * n_rows, dtype=np.float32).reshape(n_rows, 2)
    batches = epoch_batches(
        X,
        n_rows=n_rows,
        batch_size=batch_size,
        epochs=epochs,
        seed=seed,
        first_epoch=first_epoch,
    )
    expected = []
    for epoch in range(first_epoch, first_epoch + epochs):
        shuffled = X[row_order(seed, epoch, n_rows)]
        expected += [shuffled[start : start + batch_size] for start in range(0, n_rows, batch_size)]
    made = [batch.numpy() for batch in batches]
    assert len(made) == len(expected) == int(batches.cardinality())
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))


def test_the_last_batch_of_each_epoch_has_what_is_left():
    batches = epoch_batches(np.arange(7), n_rows=7, batch_size=3, epochs=2, seed=0)
    assert [len(batch) for batch in batches] == [3, 3, 1, 3, 3, 1]


def test_without_a_seed_the_rows_keep_their_order():
    batches = epoch_batches(np.arange(5), n_rows=5, batch_size=2, epochs=2, seed=None)
    assert [batch.numpy().tolist() for batch in batches] == 2 * [[0, 1], [2, 3], [4]]


def test_a_later_fit_continues_the_orders_of_an_earlier_one():
    def stream(first_epoch, epochs):
        batches = epoch_batches(
            np.arange(6), n_rows=6, batch_size=4, epochs=epochs, seed=3, first_epoch=first_epoch
        )
        return [batch.numpy().tolist() for batch in batches]

    assert stream(0, 2) + stream(2, 3) == stream(0, 5)


def test_nested_arrays_stay_nested_and_their_rows_together():
    places = np.arange(10)
    arrays = (
        {"left": places.astype(np.float32), "right": np.stack([places, places], axis=1)},
        (places.astype(np.int32), places * 10),
    )
    batches = list(epoch_batches(arrays, n_rows=10, batch_size=4, epochs=1, seed=0))
    seen = []
    for inputs, (target, weight) in batches:
        assert set(inputs) == {"left", "right"}
        assert inputs["left"].dtype == tf.float32
        assert target.dtype == tf.int32
        rows = target.numpy()
        seen += rows.tolist()
        assert np.array_equal(inputs["left"], rows)
        assert np.array_equal(inputs["right"], np.stack([rows, rows], axis=1))
        assert np.array_equal(weight, rows * 10)
    assert seen == row_order(0, 0, 10).tolist()


def test_batches_read_no_global_random_state():
    def stream():
        batches = epoch_batches(np.arange(20), n_rows=20, batch_size=6, epochs=2, seed=1)
        return [batch.numpy().tolist() for batch in batches]

    tf.random.set_seed(1)
    before = random.getstate(), np.random.get_state()[1].copy()
    one = stream()
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])
    tf.random.set_seed(2)
    np.random.seed(2)
    assert stream() == one


def test_the_stream_can_be_read_again():
    batches = epoch_batches(np.arange(5), n_rows=5, batch_size=2, epochs=2, seed=4)
    one = [batch.numpy().tolist() for batch in batches]
    assert [batch.numpy().tolist() for batch in batches] == one


def test_arrays_of_another_length_are_refused():
    arrays = (np.arange(5), np.arange(3))
    batches = epoch_batches(arrays, n_rows=5, batch_size=5, epochs=1, seed=None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not in"):
        list(batches)
