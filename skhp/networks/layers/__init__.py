"""Layers that are computed for many members at once, one file a kind."""

from skhp.networks.layers.activation import ActivationLayer, zero_at_zero
from skhp.networks.layers.batch_normalization import BatchNormalizationLayer
from skhp.networks.layers.dense import DenseLayer
from skhp.networks.layers.dropout import DropoutLayer
from skhp.networks.layers.layer import Layer, LayerContext, read_layer, reads

__all__ = [
    "ActivationLayer",
    "BatchNormalizationLayer",
    "DenseLayer",
    "DropoutLayer",
    "Layer",
    "LayerContext",
    "read_layer",
    "reads",
    "zero_at_zero",
]
