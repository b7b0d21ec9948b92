import copy
import pickle
import random
import sys
import threading

import keras
import numpy as np
import pytest

from skhp.compat import keras as keras_private
from skhp.compat.keras import DefaultSeeds, private_names_exist, seeds_in_use

SEEDS_MODULE = sys.modules[keras.random.SeedGenerator.__module__]


class Noise(keras.layers.Layer):
    """A layer that leaves the seed of its noise to Keras."""

    def call(self, inputs, training=False):
        return inputs + keras.random.normal(keras.ops.shape(inputs)) if training else inputs


def drawn(seed):
    """Numbers from every place where Keras draws by itself."""
    with DefaultSeeds(seed).in_use():
        kernel = keras.layers.Dense(2, kernel_initializer="he_normal")
        kernel.build((None, 3))
        dropped = keras.layers.Dropout(0.5)(np.ones((4, 4)), training=True)
        return np.concatenate(
            [
                np.ravel(kernel.kernel),
                np.ravel(dropped),
                np.ravel(keras.random.uniform((3,))),
                np.ravel(Noise()(np.ones((2, 2)), training=True)),
            ]
        )


def test_keras_has_the_private_names():
    assert private_names_exist()


def test_keras_draws_default_seeds_where_it_is_thought_to():
    # If Keras draws them elsewhere, a seed is set in vain.
    random.seed(0)
    expected = random.randint(1, int(1e9))
    random.seed(0)
    assert int(keras.random.SeedGenerator().state[0]) == expected


def test_a_seed_decides_every_number():
    np.testing.assert_array_equal(drawn(0), drawn(0))
    assert (drawn(0) != drawn(1)).any()


def test_threads_do_not_disturb_each_other():
    expected = [drawn(seed) for seed in range(4)]
    found = {}
    start = threading.Barrier(4)

    def draw(seed):
        start.wait()
        found[seed] = drawn(seed)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        np.testing.assert_array_equal(found[seed], expected[seed])


def test_global_generators_are_neither_read_nor_changed():
    before = random.getstate(), str(np.random.get_state())
    drawn(0)
    assert (random.getstate(), str(np.random.get_state())) == before


def test_other_code_and_other_threads_see_no_change():
    seen = []
    random.seed(1)
    expected = [random.randint(1, int(1e9)) for _ in range(2)]
    random.seed(1)

    def elsewhere():
        seen.append(seeds_in_use())
        seen.append(int(keras.random.SeedGenerator().state[0]))

    with DefaultSeeds(0).in_use():
        assert seeds_in_use()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    elsewhere()
    assert seen == [False, expected[0], False, expected[1]]
    assert SEEDS_MODULE.python_random.getrandbits(1) in (0, 1)


def test_the_generator_of_the_thread_is_put_back():
    before = keras.random.uniform((2,))
    shared = SEEDS_MODULE.global_seed_generator()
    with pytest.raises(RuntimeError, match="inside"), DefaultSeeds(0).in_use():
        raise RuntimeError("inside")
    assert SEEDS_MODULE.global_seed_generator() is shared
    assert (np.asarray(keras.random.uniform((2,))) != np.asarray(before)).any()


def test_a_compiled_training_goes_on_with_the_same_seeds():
    X = np.ones((8, 2), np.float32)

    def trained(*epochs):
        seeds = DefaultSeeds(0)
        with seeds.in_use():
            model = keras.Sequential([keras.Input((2,)), Noise(), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
        for number in epochs:
            with seeds.in_use():
                model.fit(X, X[:, 0], epochs=number, shuffle=False, verbose=0)
        return model.get_weights()

    for at_once, in_parts in zip(trained(3), trained(1, 2), strict=True):
        np.testing.assert_array_equal(at_once, in_parts)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda seeds: pickle.loads(pickle.dumps(seeds))])
def test_a_copy_starts_anew(copied):
    seeds = DefaultSeeds(0)
    with seeds.in_use():
        first = int(keras.random.SeedGenerator().state[0])
    with copied(seeds).in_use():
        assert int(keras.random.SeedGenerator().state[0]) == first


def test_a_keras_without_the_names_is_told_of(monkeypatch):
    monkeypatch.delattr(SEEDS_MODULE, "python_random")
    with pytest.raises(RuntimeError, match=r"python_random.*random_state=None"):
        DefaultSeeds(0)
    with DefaultSeeds(0, required=False).in_use():
        assert keras_private.seeds_in_use() is False
