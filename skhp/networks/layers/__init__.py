"""Layers that are computed for many members at once, one file a kind."""

from skhp.networks.layers.activation import (
    ACTIVATIONS,
    ActivationDescription,
    ActivationLayer,
    zero_at_zero,
)
from skhp.networks.layers.batch_normalization import (
    BatchNormalizationDescription,
    BatchNormalizationLayer,
)
from skhp.networks.layers.dense import DenseDescription, DenseLayer
from skhp.networks.layers.dropout import DropoutDescription, DropoutLayer
from skhp.networks.layers.images.augmentation import FlipDescription, ShiftDescription
from skhp.networks.layers.images.convolution import (
    ChannelBiasLayer,
    ConvolutionDescription,
    ConvolutionLayer,
)
from skhp.networks.layers.images.pooling import (
    GlobalPoolingLayer,
    PoolingDescription,
    PoolingLayer,
)
from skhp.networks.layers.images.reshaping import (
    FlattenDescription,
    FlattenLayer,
    ZeroPaddingLayer,
)
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    read_layer,
    reads,
)

__all__ = [
    "ACTIVATIONS",
    "ActivationDescription",
    "ActivationLayer",
    "BatchNormalizationDescription",
    "BatchNormalizationLayer",
    "ChannelBiasLayer",
    "ConvolutionDescription",
    "ConvolutionLayer",
    "DenseDescription",
    "DenseLayer",
    "DropoutDescription",
    "DropoutLayer",
    "FlattenDescription",
    "FlattenLayer",
    "FlipDescription",
    "GlobalPoolingLayer",
    "Layer",
    "LayerContext",
    "LayerDescription",
    "LayerSeeds",
    "PoolingDescription",
    "PoolingLayer",
    "ShiftDescription",
    "ZeroPaddingLayer",
    "read_layer",
    "reads",
    "zero_at_zero",
]
