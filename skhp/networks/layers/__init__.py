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
from skhp.networks.layers.bidirectional import BidirectionalDescription, BidirectionalLayer
from skhp.networks.layers.dense import DenseDescription, DenseLayer
from skhp.networks.layers.dropout import DropoutDescription, DropoutLayer
from skhp.networks.layers.embedding import EmbeddingDescription, EmbeddingLayer, MaskingLayer
from skhp.networks.layers.gru import GRUDescription, GRULayer
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
from skhp.networks.layers.lstm import LSTMDescription, LSTMLayer
from skhp.networks.layers.recurrent import RecurrentDescription, RecurrentLayer
from skhp.networks.layers.simple_rnn import SimpleRNNDescription, SimpleRNNLayer

__all__ = [
    "ACTIVATIONS",
    "ActivationDescription",
    "ActivationLayer",
    "BatchNormalizationDescription",
    "BatchNormalizationLayer",
    "BidirectionalDescription",
    "BidirectionalLayer",
    "ChannelBiasLayer",
    "ConvolutionDescription",
    "ConvolutionLayer",
    "DenseDescription",
    "DenseLayer",
    "DropoutDescription",
    "DropoutLayer",
    "EmbeddingDescription",
    "EmbeddingLayer",
    "FlattenDescription",
    "FlattenLayer",
    "FlipDescription",
    "GRUDescription",
    "GRULayer",
    "GlobalPoolingLayer",
    "LSTMDescription",
    "LSTMLayer",
    "Layer",
    "LayerContext",
    "LayerDescription",
    "LayerSeeds",
    "MaskingLayer",
    "PoolingDescription",
    "PoolingLayer",
    "RecurrentDescription",
    "RecurrentLayer",
    "ShiftDescription",
    "SimpleRNNDescription",
    "SimpleRNNLayer",
    "ZeroPaddingLayer",
    "read_layer",
    "reads",
    "zero_at_zero",
]
