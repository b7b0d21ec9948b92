"""Descriptions of convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from skhp.exceptions import InvalidParameterError
from skhp.networks.description import NetworkDescription
from skhp.networks.layers import (
    ActivationDescription,
    BatchNormalizationDescription,
    ConvolutionDescription,
    DenseDescription,
    DropoutDescription,
    FlattenDescription,
    FlipDescription,
    LayerDescription,
    PoolingDescription,
    ShiftDescription,
)
from skhp.objectives.losses import OutputKind


def augmentation_layers(flip: dict[str, float], shift: float) -> tuple[LayerDescription, ...]:
    """Layers that flip with the probability of each direction, and shift by a share of the size."""
    layers: list[LayerDescription] = []
    for direction in ("horizontal", "vertical"):
        if flip.get(direction):
            layers.append(FlipDescription(direction, flip[direction]))
    if shift:
        layers.append(ShiftDescription(shift))
    return tuple(layers)


def convolutional_network(
    *,
    image_shape: tuple[int, int, int],
    n_outputs: int,
    output: OutputKind,
    hidden_layers: int,
    filters: int | Sequence[int],
    kernel_size: tuple[int, int],
    padding: str,
    pooling: Literal["max", "average"] | None,
    pool_size: tuple[int, int],
    neurons: Sequence[int],
    activation: str,
    batch_norm: bool,
    dropout: float,
    l2: float,
    augmentation: Sequence[LayerDescription],
) -> NetworkDescription:
    """Description of a convolutional network.

    Where `filters` is one number, it doubles after each block that pools. A pooling window is cut
    to the size of the image; a block whose window would be a single pixel does not pool.
    """
    layers: list[LayerDescription] = list(augmentation)
    shape: tuple[int, ...] = image_shape
    width = 0 if isinstance(filters, Sequence) else filters

    def activate(layer: LayerDescription) -> None:
        layers.append(layer)
        if batch_norm:
            layers.append(BatchNormalizationDescription())
        layers.append(ActivationDescription(activation))

    for block in range(hidden_layers):
        height, breadth = shape[:2]
        if padding == "valid" and (kernel_size[0] > height or kernel_size[1] > breadth):
            raise InvalidParameterError(
                f"kernel_size={kernel_size} is larger than the image of {height} x {breadth} "
                f"pixels that comes into block {block + 1} of {hidden_layers}, from images of "
                f"{image_shape[0]} x {image_shape[1]}. Expected at most {height} x {breadth}: set "
                "padding='same', a smaller kernel_size, fewer hidden_layers or pooling=None."
            )
        own = filters[block] if isinstance(filters, Sequence) else width
        # Batch normalisation subtracts the mean of its input, so a bias before it does nothing.
        convolution = ConvolutionDescription(
            own, kernel_size, padding, use_bias=not batch_norm, l2=l2
        )
        activate(convolution)
        for layer in convolution.layers(shape):
            shape = layer.output_shape(shape)
        window = (min(pool_size[0], shape[0]), min(pool_size[1], shape[1]))
        if pooling is not None and window != (1, 1):
            pool = PoolingDescription(pooling, window)
            layers.append(pool)
            shape = pool.layers(shape)[0].output_shape(shape)
            width *= 2
    layers.append(FlattenDescription())
    for size in neurons:
        activate(DenseDescription(size, use_bias=not batch_norm, l2=l2))
        if dropout > 0:
            layers.append(DropoutDescription(dropout))
    if dropout > 0 and not neurons:
        layers.append(DropoutDescription(dropout))
    layers.append(DenseDescription(n_outputs, l2=l2))
    return NetworkDescription(image_shape, tuple(layers), output)
