"""Checks of rows that are images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skhp.estimators.tables import checked_features, overflow_to_infinity
from skhp.shared.unusable_data import refuse_columns_without_numbers

ImageShape = tuple[int, int, int]

FORMS = (
    "(n_samples, height, width), (n_samples, height, width, channels), or (n_samples, pixels) with "
    "image_shape"
)


def checked_images(
    estimator: BaseEstimator,
    X: Any,
    image_shape: ImageShape | None,
    expected: ImageShape | None,
) -> np.ndarray:
    """Checked images of shape (rows, height, width, channels) in float32.

    `image_shape` is the parameter of the estimator. `expected` is the shape of the images in `fit`;
    it is None in `fit` itself, where the estimator stores the number of pixels.
    """
    name = type(estimator).__name__
    refuse_ragged_images(X, name)
    given = tuple(X.shape) if hasattr(X, "shape") else np.asarray(X).shape
    dimensions = len(given)
    if dimensions <= 2:
        rows = checked_features(estimator, X, first=expected is None)
        shape = image_shape or (1, rows.shape[1], 1)
        if rows.shape[1] != math.prod(shape):
            raise ValueError(
                f"X has {rows.shape[1]} columns, in the shape {rows.shape}, but {name} has "
                f"image_shape={image_shape}: expected {math.prod(shape)} columns = "
                f"{' x '.join(map(str, shape))}."
            )
        images = rows.reshape(len(rows), *shape)
    else:
        if dimensions not in (3, 4):
            raise ValueError(
                f"X has {dimensions} dimensions, in the shape {given}, but {name} takes images of "
                f"the shape {FORMS}."
            )
        shape = (*given[1:], 1)[:3]
        wanted = expected or image_shape or shape
        if shape != wanted:
            source = "as in fit" if expected else f"as image_shape={image_shape} says"
            raise ValueError(
                f"X holds images of the shape {shape} (height, width, channels), in the shape "
                f"{given}, but {name} is expecting images of the shape {wanted}, {source}."
            )
        refuse_columns_without_numbers(X, name)
        array = np.asarray(X)
        with overflow_to_infinity():
            rows = validate_data(
                estimator,
                array.reshape(len(array), math.prod(shape)),
                reset=expected is None,
                dtype=np.float32,
            )
        images = rows.reshape(len(rows), *shape)
    if expected is not None and images.shape[1:] != expected:
        raise ValueError(
            f"X has the shape {given}, which is read as images of the shape "
            f"{images.shape[1:]} (height, width, channels), but {name} is expecting images of the "
            f"shape {expected}, as in fit. Give images as in fit, or set image_shape and fit anew."
        )
    return images


def refuse_ragged_images(X: Any, name: str) -> None:
    """Raise ValueError if a list or an array of objects holds images of different shapes."""
    if isinstance(X, np.ndarray):
        if X.dtype != object or X.ndim != 1:
            return
    elif not isinstance(X, list | tuple):
        return
    shapes: dict[Any, int] = {}
    for row, image in enumerate(X):
        try:
            shapes.setdefault(np.shape(image), row)
        except ValueError:
            raise ValueError(
                f"Row {row} of X is not an image: it holds lists of different lengths. Expected "
                f"{name} to get images of one shape, {FORMS}."
            ) from None
    if len(shapes) > 1:
        (shape, row), (other, place) = list(shapes.items())[:2]
        raise ValueError(
            f"X holds images of different shapes: {shape} in row {row} and {other} in row {place}. "
            f"Expected one shape for all: bring them to one size, for example by "
            "keras.ops.image.resize."
        )
