"""Random flips and shifts of images in training, one draw for each row and epoch.

Keras 3.15 has layers for both (RandomFlip, RandomTranslation), but they also change images when a
model, or its export, is called without ``training=False``. The layers here act only in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from skhp.networks.layers.layer import Layer, LayerContext, LayerDescription, LayerSeeds
from skhp.networks.network import Tensor

Direction: TypeAlias = Literal["horizontal", "vertical"]

_AXES = {"horizontal": -2, "vertical": -3}


def flipped(images: Tensor, direction: Direction, flips: Tensor) -> Tensor:
    """Images, (..., height, width, channels), mirrored where `flips`, (...), is True."""
    mirrored = tf.reverse(images, [_AXES[direction] + len(images.shape)])
    return tf.where(flips[..., None, None, None], mirrored, images)


def shifted(images: Tensor, by: Tensor, share: Tensor) -> Tensor:
    """Images, (rows, height, width, channels), moved by whole pixels; border pixels repeat.

    `by`, (rows, 2), holds a number for the height and one for the width: 0 shifts by -`share` of
    the size, and 1 by `share`, (rows,).
    """
    for axis in (1, 2):
        size = images.shape[axis]
        pixels = tf.round((2.0 * by[:, axis - 1] - 1.0) * share * float(size))
        source = tf.range(size)[None] - tf.cast(pixels, tf.int32)[:, None]
        source = tf.clip_by_value(source, 0, size - 1)
        images = tf.gather(images, source, axis=axis, batch_dims=1)
    return images


@dataclass(frozen=True)
class FlipLayer(Layer):
    """Mirrors each image; the rate of the member is the probability."""

    direction: Direction

    noise_shape = (1,)
    keeps_zeros = True

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Flip where the noise is below the rate."""
        if not context.training:
            return values, state
        flips = context.noise[:, None, :, 0] < context.rate[:, :, None]
        return flipped(values, self.direction, flips), state


@dataclass(frozen=True)
class ShiftLayer(Layer):
    """Moves each image; the rate of the member is the largest shift, as a share of the size."""

    noise_shape = (2,)
    keeps_zeros = True

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Shift each image as its noise decides."""
        if not context.training:
            return values, state
        streams, candidates = context.rate.shape
        images = tf.repeat(values, candidates // values.shape[1], axis=1)
        shape = (streams, candidates, -1, *values.shape[3:])
        of_row = tf.zeros_like(images[..., 0, 0, 0])
        share = tf.reshape(of_row + context.rate[:, :, None], (-1,))
        by = tf.reshape(of_row[..., None] + context.noise[:, None], (-1, 2))
        moved = shifted(tf.reshape(images, (-1, *values.shape[3:])), by, share)
        return tf.reshape(moved, shape), state


@dataclass(frozen=True)
class FlipDescription(LayerDescription):
    """Mirrors each image with this probability."""

    direction: Direction
    rate: float = 0.5

    keras_name = "flip"
    numbers = ("rate",)

    @property
    def dropout(self) -> float:
        """The probability."""
        return self.rate

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The flip."""
        return (FlipLayer(self.direction),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer with its own seed for the noise."""
        return ImageFlip(self.direction, self.rate, seed=seeds.for_noise(), name=name)


@dataclass(frozen=True)
class ShiftDescription(LayerDescription):
    """Moves each image by at most this share of its height and width."""

    share: float = 0.1

    keras_name = "shift"
    numbers = ("share",)

    @property
    def dropout(self) -> float:
        """The share."""
        return self.share

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The shift."""
        return (ShiftLayer(),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer with its own seed for the noise."""
        return ImageShift(self.share, seed=seeds.for_noise(), name=name)


class _NoisyLayer(keras.layers.Layer):
    """A layer that draws numbers from 0 to 1 for each row in training."""

    def __init__(self, amount: float, seed: int | None, arguments: dict[str, Any]) -> None:
        super().__init__(**arguments)
        self.amount = amount
        self.seed_generator = keras.random.SeedGenerator(seed)

    def _drawn(self, images: Tensor, count: int) -> Tensor:
        shape = (keras.ops.shape(images)[0], count)
        return keras.random.uniform(shape, seed=self.seed_generator)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the images, unchanged."""
        return input_shape


@keras.saving.register_keras_serializable("skhp")
class ImageFlip(_NoisyLayer):
    """Mirrors images in training, as a layer of Keras."""

    def __init__(
        self, direction: Direction, rate: float = 0.5, seed: int | None = None, **arguments: Any
    ) -> None:
        super().__init__(rate, seed, arguments)
        self.direction = direction

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Flip each image with the probability `rate`."""
        if not training:
            return images
        return flipped(images, self.direction, self._drawn(images, 1)[:, 0] < self.amount)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "direction": self.direction, "rate": self.amount}


@keras.saving.register_keras_serializable("skhp")
class ImageShift(_NoisyLayer):
    """Moves images in training, as a layer of Keras."""

    def __init__(self, share: float = 0.1, seed: int | None = None, **arguments: Any) -> None:
        super().__init__(share, seed, arguments)

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Shift each image by at most `share` of its height and width."""
        if not training:
            return images
        by = self._drawn(images, 2)
        return shifted(images, by, tf.fill(tf.shape(images)[:1], self.amount))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "share": self.amount}
