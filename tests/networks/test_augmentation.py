"""Random flips and shifts, held to NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp.networks.convolutional_network import augmentation_layers
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.layers import DenseLayer, FlattenLayer
from skhp.networks.layers.images.augmentation import FlipLayer, ImageFlip, ImageShift, ShiftLayer

STREAMS, CANDIDATES, ROWS, SHAPE = 2, 3, 4, (5, 6, 2)
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(STREAMS, ROWS, *SHAPE)).astype(np.float32)
RATES = np.array([[0.0, 0.5, 0.4], [1.0, 0.2, 0.0]], np.float32)


def augmented(layer, noise, *, training=True):
    """What comes out of a layer for each member, by a network that hands on what it gets."""
    numbers = int(np.prod(SHAPE))
    network = LayeredNetwork(SHAPE, (layer, FlattenLayer(), DenseLayer(numbers, numbers, False)))
    weights = np.broadcast_to(np.eye(numbers), (STREAMS, CANDIDATES, numbers, numbers))
    outputs, _ = network.outputs(
        tf.constant(weights.reshape(STREAMS, CANDIDATES, -1), tf.float32),
        tf.zeros((STREAMS, CANDIDATES, 0)),
        tf.constant(IMAGES),
        training=training,
        noise=[tf.constant(noise)] if training else [],
        dropout=[tf.constant(RATES)] if training else [],
    )
    return outputs.numpy().reshape(STREAMS, CANDIDATES, ROWS, *SHAPE)


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 1), ("vertical", 0)])
def test_an_image_is_flipped_where_its_noise_is_below_the_rate_of_the_member(direction, axis):
    noise = GENERATOR.uniform(size=(STREAMS, ROWS, 1)).astype(np.float32)
    outputs = augmented(FlipLayer(direction), noise)
    count = 0
    for s, c, row in np.ndindex(STREAMS, CANDIDATES, ROWS):
        flips = noise[s, row, 0] < RATES[s, c]
        expected = np.flip(IMAGES[s, row], axis) if flips else IMAGES[s, row]
        np.testing.assert_array_equal(outputs[s, c, row], expected)
        count += flips
    assert 0 < count < outputs[..., 0, 0, 0].size


def shifted_by_hand(image, pixels):
    padding = [(abs(pixels[0]),) * 2, (abs(pixels[1]),) * 2, (0, 0)]
    wide = np.pad(image, padding, mode="edge")
    starts = [abs(by) - by for by in pixels]
    return wide[starts[0] :, starts[1] :][: image.shape[0], : image.shape[1]]


def test_an_image_is_shifted_by_the_share_of_the_member_and_its_border_is_drawn_out():
    noise = GENERATOR.uniform(size=(STREAMS, ROWS, 2)).astype(np.float32)
    outputs = augmented(ShiftLayer(), noise)
    seen = set()
    for s, c, row in np.ndindex(STREAMS, CANDIDATES, ROWS):
        share = (2 * noise[s, row] - 1) * RATES[s, c]
        pixels = [int(np.round(share[axis] * SHAPE[axis])) for axis in (0, 1)]
        np.testing.assert_array_equal(outputs[s, c, row], shifted_by_hand(IMAGES[s, row], pixels))
        seen.add(tuple(pixels))
    assert len(seen) > 5


@pytest.mark.parametrize("layer", [FlipLayer("horizontal"), ShiftLayer()])
def test_predictions_are_not_augmented(layer):
    outputs = augmented(layer, None, training=False)
    expected = np.broadcast_to(IMAGES[:, None], (STREAMS, 1, ROWS, *SHAPE))
    np.testing.assert_array_equal(outputs, np.repeat(expected, CANDIDATES, axis=1))


def test_layers_of_keras_draw_for_each_image_and_in_training_only():
    images = np.repeat(IMAGES[:1, :1].reshape(1, *SHAPE), 400, axis=0)
    flip = ImageFlip("horizontal", 0.25, seed=1)
    np.testing.assert_array_equal(flip(images), images)
    is_flipped = (flip(images, training=True).numpy() == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 0.15 < is_flipped.mean() < 0.35
    shift = ImageShift(0.4, seed=1)
    np.testing.assert_array_equal(shift(images), images)
    moved = shift(images, training=True).numpy()
    expected = [shifted_by_hand(images[0], (y, x)) for y in range(-2, 3) for x in range(-2, 3)]
    found = [sum(np.array_equal(one, other) for one in expected) for other in moved]
    assert set(found) == {1}
    # A second call draws anew.
    assert not np.array_equal(shift(images, training=True), moved)


def test_layers_of_keras_are_written_down():
    for layer in (ImageFlip("vertical", 0.3, name="a"), ImageShift(0.2, name="b")):
        read = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert read.get_config() == layer.get_config()


def test_a_flip_in_both_directions_is_two_layers():
    both = augmentation_layers({"horizontal": 0.5, "vertical": 0.0}, 0.0)
    assert [type(layer).__name__ for layer in both] == ["FlipDescription"]
    both = augmentation_layers({"vertical": 0.1, "horizontal": 0.5}, 0.2)
    assert [getattr(layer, "direction", "shift") for layer in both] == [
        "horizontal",
        "vertical",
        "shift",
    ]
