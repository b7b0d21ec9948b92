"""How tables and images are prepared, and which values the search of their network tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skhp.study.network_search import OF_A_TABLE
from skhp.study.search_space import SearchSpace, WideSpace, wide_space
from skhp.study.settings import Settings
from skhp.tables.image_folder import ImageFolder
from skhp.tables.images import ImagePixels
from skhp.tables.preparation import make_preparation
from skhp.tables.table import Table
from skhp.tables.target import Target

_RATES_OF_IMAGES = (1e-2, 3e-3, 1e-3)
_BATCHES_OF_IMAGES = (20, 60)
_MOST_BLOCKS = 3
# A block halves an image; an image with a side below this gets no further block.
_LEAST_SIDE = 2


@dataclass(frozen=True, eq=False)
class Learning:
    """The preparations for network and baseline, the search space, and the default network.

    `baseline` is the logistic regression whose penalty is tuned; None means the baseline of the
    task, which is a lasso for classes.
    """

    preparation: TransformerMixin
    of_baseline: TransformerMixin
    baseline: ClassifierMixin | None
    space: SearchSpace | WideSpace
    default_network: Callable[[], ClassifierMixin | RegressorMixin]


def of_table(table: Table, settings: Settings) -> Learning:
    """How to learn a table: both models learn the columns after the same preparation."""
    preparation = make_preparation(table.numbers, table.categories, table.merged, table.missing)
    space: SearchSpace | WideSpace = OF_A_TABLE
    has_classes = isinstance(table.target, Target)
    if not settings.is_classic:
        space = wide_space(
            n_inputs=clone(preparation).fit_transform(table.inputs).shape[1],
            n_classes=len(table.target.labels) if isinstance(table.target, Target) else None,
            has_numbers=bool(table.numbers),
        )
    network = _perceptron if has_classes else _perceptron_of_numbers
    return Learning(preparation, preparation, None, space, network)


def of_images(images: ImageFolder, seed: int) -> Learning:
    """How to learn images: the network learns them whole, the baseline learns scaled pixels."""
    width, height = images.size
    pixels = ImagePixels(width, height, images.is_grey)
    blocks = [n for n in range(1, _MOST_BLOCKS + 1) if min(images.size) >> (n - 1) >= _LEAST_SIDE]
    # A lasso on thousands of pixels takes hours, and would drop pixels that all matter.
    ridge = LogisticRegression(max_iter=500, random_state=seed)
    return Learning(
        pixels,
        make_pipeline(pixels, FunctionTransformer(_as_rows), StandardScaler()),
        ridge,
        SearchSpace(_RATES_OF_IMAGES, _BATCHES_OF_IMAGES, {"hidden_layers": tuple(blocks) or (1,)}),
        _convolutional_network,
    )


def _as_rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


# The imports are within the functions because they load TensorFlow.


def _perceptron() -> ClassifierMixin:
    from skhp.estimators.mlp.classifier import KerasMLPClassifier

    return KerasMLPClassifier()


def _perceptron_of_numbers() -> RegressorMixin:
    from skhp.estimators.mlp.regressor import KerasMLPRegressor

    return KerasMLPRegressor()


def _convolutional_network() -> ClassifierMixin:
    from skhp.estimators.convolutional.classifier import KerasCNNClassifier

    return KerasCNNClassifier()
