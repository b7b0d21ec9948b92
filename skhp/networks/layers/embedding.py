"""Embeddings of whole numbers, and the masks of series that are padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError, InvalidParameterError
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    no_batched_form,
    number_of_values,
    reads,
)
from skhp.networks.network import BYTES_OF_NUMBER, COPIES_OF_WEIGHTS, Cost, Shapes, Tensor

# Measured seconds to update a weight of the table, and to read a number and add to its gradient.
_WEIGHT_SECONDS = 3e-9
_VALUE_SECONDS = 3e-9


@dataclass(frozen=True)
class EmbeddingLayer(Layer):
    """A vector for each of the numbers from 0 to `vocabulary_size` - 1.

    `masks_zero` masks the steps whose number is 0. `is_sparse` says that Keras' optimizers get the
    gradient as rows of the table, one row for each occurrence of a number in the batch.
    """

    vocabulary_size: int
    units: int
    masks_zero: bool = False
    is_sparse: bool = False

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """Shape of the table of vectors."""
        return ((self.vocabulary_size, self.units),)

    @property
    def has_sparse_gradient(self) -> bool:  # type: ignore[override]
        """Whether Keras' optimizers get a gradient row by row."""
        return self.is_sparse

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Take the vector of each number."""
        (table,) = weights
        streams, candidates = table.shape[:2]
        numbers = tf.cast(values, tf.int32)
        # With one table for all members, the gradient is a single sum for each number.
        first = tf.range(streams * candidates) * self.vocabulary_size
        first = tf.reshape(first, (streams, candidates, *(1 for _ in numbers.shape[2:])))
        flat = tf.reshape(table, (-1, self.units))
        return tf.gather(flat, numbers + first), state

    def mask_after(self, values: Tensor, mask: Tensor) -> Tensor:
        """The steps whose number is not 0."""
        return tf.not_equal(values, 0) if self.masks_zero else None

    def is_masked_after(self, masked: bool) -> bool:
        """Whether it masks zeros."""
        return self.masks_zero

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """A vector for each number."""
        return (*input_shape, self.units)

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of the table, and of the vectors read from it."""
        n_weights = number_of_values(self.weight_shapes)
        n_values = rows * number_of_values((input_shape,)) * self.units
        return Cost(
            n_weights * _WEIGHT_SECONDS + n_values * _VALUE_SECONDS,
            BYTES_OF_NUMBER * (COPIES_OF_WEIGHTS * n_weights + 3 * n_values),
        )


@dataclass(frozen=True)
class EmbeddingDescription(LayerDescription):
    """A vector for each token, where token 0 is padding."""

    vocabulary_size: int
    units: int

    keras_name = "embedding"

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The table of vectors."""
        if len(input_shape) != 1:
            raise InvalidParameterError(
                f"{self} takes rows of tokens, and gets rows of the shape {input_shape}."
            )
        return (EmbeddingLayer(self.vocabulary_size, self.units, masks_zero=True),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A layer with Keras' initial vectors.

        The regulariser of strength 0 makes Keras 3.15 hand its optimizers the whole gradient.
        Otherwise they get it row by row, and where a batch contains a number several times, Adam
        adds up the squares of the parts instead of squaring their sum.
        """
        return keras.layers.Embedding(
            self.vocabulary_size,
            self.units,
            embeddings_initializer=keras.initializers.RandomUniform(seed=seeds.for_weights()),
            embeddings_regularizer=keras.regularizers.L2(0.0),
            mask_zero=True,
            name=name,
        )


@reads(keras.layers.Embedding)
def read_embedding(layer: keras.layers.Embedding) -> Sequence[Layer]:
    """An Embedding layer."""
    if layer.embeddings_constraint is not None:
        raise CannotJoinError(f"the weights of the layer {layer.name!r} have a constraint.")
    if getattr(layer, "lora_enabled", False):
        raise no_batched_form(layer)
    return (
        EmbeddingLayer(
            int(layer.input_dim),
            int(layer.output_dim),
            masks_zero=bool(layer.mask_zero),
            is_sparse=layer.embeddings_regularizer is None,
        ),
    )


@dataclass(frozen=True)
class MaskingLayer(Layer):
    """Masks the steps whose channels all equal `value`, and sets them to zero."""

    value: float

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Set masked steps to zero."""
        counts = self.mask_after(values, None)
        return values * tf.cast(counts[..., None], values.dtype), state

    def mask_after(self, values: Tensor, mask: Tensor) -> Tensor:
        """The steps in which any channel differs from `value`."""
        return tf.reduce_any(tf.not_equal(values, self.value), axis=-1)

    def is_masked_after(self, masked: bool) -> bool:
        """Always."""
        return True


@reads(keras.layers.Masking, takes_mask=True)
def read_masking(layer: keras.layers.Masking) -> Sequence[Layer]:
    """A Masking layer over the channels of a series."""
    if len(layer.input.shape) != 3:
        raise no_batched_form(layer)
    return (MaskingLayer(float(layer.mask_value)),)
