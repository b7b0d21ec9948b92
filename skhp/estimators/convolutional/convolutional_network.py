"""The parameters of convolution blocks, and the network that they describe."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.estimators.convolutional.images import (
    ImageShape,
    checked_images,
    refuse_ragged_images,
)
from skhp.estimators.mlp.multilayer_perceptron import PARAMETERS as OF_TRAINING
from skhp.estimators.network.estimator import NetworkEstimator
from skhp.estimators.tables import WeightedTable
from skhp.exceptions import InvalidParameterError
from skhp.networks.convolutional_network import augmentation_layers, convolutional_network
from skhp.networks.description import NetworkDescription, NetworkSize
from skhp.networks.layers.activation import ACTIVATIONS
from skhp.networks.layers.layer import LayerDescription
from skhp.shared.nearest_name import nearest_name

# The documentation that the classifier and the regressor share; these entries replace those of the
# perceptron that have the same name.
PARAMETERS = f"""
hidden_layers : int or "auto"
    Number of blocks, from 0 up; a block is a convolution, an activation and a pooling. "auto" is
    the number of entries of `filters`, or 2 if `filters` is a single number.
filters : int or sequence of int
    Filters of the convolutions: one number per block, as in
    ``hidden_layers="auto", filters=(32, 32)``, or the number of the first block, which doubles
    after each block that pools: with 16, three pooling blocks have 16, 32 and 64 filters.
kernel_size : int or (int, int)
    Height and width of the kernels, in pixels.
padding : {{"same", "valid"}}
    "same" adds zeros around an image, so that a convolution keeps the image's size; "valid" adds
    none.
pooling : {{"max", "average"}} or None
    How each block shrinks the image: to the maximum or the mean of windows of `pool_size` that do
    not overlap. None does not shrink it.
pool_size : int or (int, int)
    Height and width of the windows of `pooling`. A window is never larger than the image: an image
    of height 1 is pooled over its width alone, and a single pixel is not pooled.
neurons : int, sequence of int or None
    Neurons of the hidden layer between the blocks and the output, or of several such layers. None
    and 0 add no hidden layer.
image_shape : (int, int), (int, int, int) or None
    Height and width of the images, and the number of channels if it is not 1. Needed only if the
    rows of `X` are flat, with one column per pixel in the order of ``image.reshape(-1)``; with
    None, a flat row is read as an image of height 1 and one channel.
augmentation : {{"flip", "shift"}}, sequence of them, dict or None
    Random changes of each image in each epoch of the training, but not in predictions. "flip"
    mirrors it from left to right with probability 0.5. "shift" moves it by whole pixels, up to a
    tenth of its height and width, and fills the gap with the border pixels. A dict sets both:
    ``{{"flip": "horizontal", "shift": 0.2}}``. Its "flip" is "horizontal", "vertical", "both" or a
    dict with the probability of each; its "shift" is the largest share of height and width.
activation : str
    Activation of the blocks and of the hidden layers after them, by Keras' name: "relu", "tanh",
    "elu", "gelu", "selu", "silu", "linear" and others.
dropout : float
    Share, from 0 to below 1, of the neurons dropped during training after each hidden layer that
    follows the blocks. If there is no such layer, inputs of the output layer are dropped.
l2 : float
    Factor by which the sum of the squared kernel weights is added to the loss.
{OF_TRAINING.strip()}
"""

ATTRIBUTES = """
    image_shape_ : (int, int, int)
        Height, width and channels of the images seen in `fit`.
    n_features_in_ : int
        Height times width times channels of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of flat rows; only if all of them are strings.
    n_iter_ : int
        Number of epochs run.
    best_epoch_ : int
        Epoch, counted from 1, whose weights are kept.
    stop_reason_ : {"patience", "epochs", "non_finite_loss", "callback", "pruned", "time_budget"}
        Why the training ended.
    learning_rate_ : list of float
        Learning rate at the start of each epoch; only with an `lr_schedule`.
"""

_AUTOMATIC_BLOCKS = 2
_DIRECTIONS = ("horizontal", "vertical")
_FLIP, _SHIFT = 0.5, 0.1


class ConvolutionalNetwork(NetworkEstimator):
    """Parameters of convolution blocks, and the network that they describe; not for direct use."""

    hidden_layers: int | str
    filters: int | Sequence[int]
    kernel_size: int | tuple[int, int]
    padding: str
    pooling: Any
    pool_size: int | tuple[int, int]
    neurons: int | Sequence[int] | None
    image_shape: Sequence[int] | None
    augmentation: str | Sequence[str] | Mapping[str, Any] | None
    activation: str
    batch_norm: bool
    dropout: float
    l2: float

    image_shape_: ImageShape

    _row_parameters: ClassVar[tuple[str, ...]] = ("image_shape",)
    _size_parameters = ("hidden_layers", "filters", "kernel_size", "neurons")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layers": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "filters": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "padding": [StrOptions({"same", "valid"})],
        "pooling": [StrOptions({"max", "average"}), None],
        "pool_size": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "neurons": [Interval(Integral, 0, None, closed="left"), "array-like", None],
        "image_shape": ["array-like", None],
        "augmentation": [StrOptions({"flip", "shift"}), "array-like", dict, None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        **NetworkEstimator._parameter_constraints,
    }

    def __init__(self, image_shape: Sequence[int] | None = None, **of_training: Any) -> None:
        super().__init__(**of_training)
        self.image_shape = image_shape

    def _read_rows(self, X: ArrayLike, *, first: bool = False) -> np.ndarray:
        expected = None if first else self.image_shape_
        images = checked_images(self, X, _image_shape(self.image_shape), expected)
        if first:
            height, width, channels = images.shape[1:]
            self.image_shape_ = (height, width, channels)
        return images

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        # Otherwise the base class would take a list of images for several inputs.
        refuse_ragged_images(X, type(self).__name__)
        return super()._outputs(X)

    def _describe(self, table: WeightedTable) -> NetworkDescription:
        return self._described_for(table.X.shape[1:], table.target.n_outputs, table.target.output)

    def _described_for(
        self, image_shape: tuple[int, ...], n_outputs: int, output: Any
    ) -> NetworkDescription:
        blocks = self._number_of_blocks()
        self._refuse_too_many_layers(blocks)
        height, width, channels = image_shape
        return convolutional_network(
            image_shape=(height, width, channels),
            n_outputs=n_outputs,
            output=output,
            hidden_layers=blocks,
            filters=_sizes("filters", self.filters, 1),
            kernel_size=_height_and_width("kernel_size", self.kernel_size),
            padding=self.padding,
            pooling=self.pooling,
            pool_size=_height_and_width("pool_size", self.pool_size),
            neurons=_neurons(self.neurons),
            activation=self.activation,
            batch_norm=bool(self.batch_norm),
            dropout=float(self.dropout),
            l2=float(self.l2),
            augmentation=_augmentation(self.augmentation),
        )

    def _further_mistakes(self) -> list[str]:
        mistakes = super()._further_mistakes()
        readers: tuple[Callable[[], Any], ...] = (
            lambda: _height_and_width("kernel_size", self.kernel_size),
            lambda: _height_and_width("pool_size", self.pool_size),
            lambda: _sizes("filters", self.filters, 1),
            lambda: _neurons(self.neurons),
            lambda: _image_shape(self.image_shape),
            lambda: _augmentation(self.augmentation),
        )
        for read in readers:
            try:
                read()
            except InvalidParameterError as error:
                mistakes.append(f"{type(self).__name__} has {error}")
        return mistakes

    def _check_combination(self) -> None:
        super()._check_combination()
        blocks = self._number_of_blocks()
        self._refuse_too_many_layers(blocks)
        self._refuse_least_size(blocks)
        shape = _image_shape(self.image_shape)
        if shape is not None:
            self._described_for(shape, 1, "regression")

    def _number_of_blocks(self) -> int:
        filters = _sizes("filters", self.filters, 1)
        if isinstance(self.hidden_layers, str):
            return _AUTOMATIC_BLOCKS if isinstance(filters, int) else len(filters)
        if not isinstance(filters, int) and len(filters) != self.hidden_layers:
            raise InvalidParameterError(
                f"filters={reprlib.repr(self.filters)} has {len(filters)} entries, but "
                f"hidden_layers={self.hidden_layers!r}. Give one number per block, or set "
                f"hidden_layers='auto', which then means {len(filters)}."
            )
        return int(self.hidden_layers)

    def _refuse_too_many_layers(self, blocks: int) -> None:
        """Refuse a network that is too large, before its long description is made."""
        count = blocks + len(_neurons(self.neurons))
        self._refuse_too_large(NetworkSize(count, count), "at least ")

    def _refuse_least_size(self, blocks: int) -> None:
        """Refuse a network that is too large for any image, even one of a single value."""
        filters, neurons = _sizes("filters", self.filters, 1), _neurons(self.neurons)
        if isinstance(filters, int):
            products = filters + (blocks - 1) * filters**2 if blocks else 0
        else:
            products = sum(map(operator.mul, (1, *filters), filters))
        height, width = _height_and_width("kernel_size", self.kernel_size)
        last = filters if isinstance(filters, int) else (1, *filters)[-1]
        sizes = (last if blocks else 1, *neurons, 1)
        weights = height * width * products + sum(map(operator.mul, sizes, sizes[1:]))
        self._refuse_too_large(NetworkSize(weights, blocks + len(neurons)), "at least ")


def _sizes(name: str, value: Any, least: int) -> int | tuple[int, ...]:
    """One whole number, or a tuple of them."""
    if _is_whole(value):
        return int(value)
    if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
        return _refuse(name, value, f"a whole number from {least} up, or several")
    for size in value:
        if not _is_whole(size) or size < least:
            _refuse(name, value, f"whole numbers from {least} up, got {size!r}")
    return tuple(int(size) for size in value)


def _neurons(value: Any) -> tuple[int, ...]:
    """The sizes of the hidden layers after the blocks."""
    if value is None:
        return ()
    sizes = _sizes("neurons", value, 1)
    if isinstance(sizes, int):
        return (sizes,) if sizes else ()
    return sizes


def _height_and_width(name: str, value: Any) -> tuple[int, int]:
    sizes = _sizes(name, value, 1)
    if isinstance(sizes, int):
        return (sizes, sizes)
    if len(sizes) != 2:
        _refuse(name, value, f"one whole number or two, (height, width), got {len(sizes)}")
    return (sizes[0], sizes[1])


def _image_shape(value: Any) -> ImageShape | None:
    """Height, width and channels."""
    if value is None:
        return None
    sizes = _sizes("image_shape", value, 1)
    if isinstance(sizes, int) or len(sizes) not in (2, 3):
        return _refuse("image_shape", value, "(height, width) or (height, width, channels)")
    return (sizes[0], sizes[1], sizes[2] if len(sizes) == 3 else 1)


def _augmentation(value: Any) -> tuple[LayerDescription, ...]:
    """Layers that change images at random."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Mapping):
        if not hasattr(value, "__iter__"):
            _refuse("augmentation", value, "'flip', 'shift', both, a dict or None")
        value = {name: {"flip": "horizontal", "shift": _SHIFT}.get(name, name) for name in value}
    for name in value:
        if name not in ("flip", "shift"):
            hint = nearest_name(name, ["flip", "shift"]) if isinstance(name, str) else ""
            _refuse("augmentation", value, f"'flip' and 'shift', got {name!r}.{hint}")
    shift = value.get("shift", 0.0)
    if not _is_share(shift):
        _refuse("augmentation", value, f"a 'shift' from 0 to 1, got {shift!r}")
    return augmentation_layers(_flips(value.get("flip"), value), float(shift))


def _flips(flip: Any, augmentation: Any) -> dict[str, float]:
    """The probability of a flip in each direction."""
    if flip is None:
        return {}
    if isinstance(flip, Mapping):
        if set(flip) <= set(_DIRECTIONS) and all(map(_is_share, flip.values())):
            return {direction: float(share) for direction, share in flip.items()}
    elif isinstance(flip, str):
        if flip == "both":
            return dict.fromkeys(_DIRECTIONS, _FLIP)
        if flip in _DIRECTIONS:
            return {flip: _FLIP}
    return _refuse(
        "augmentation",
        augmentation,
        "a 'flip' of 'horizontal', 'vertical', 'both' or a dict of the probability of each, got "
        f"{flip!r}",
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1


def _refuse(name: str, value: Any, expected: str) -> Any:
    raise InvalidParameterError(f"{name}={value!r}. Expected {expected}.".replace("..", "."))
