"""Checks the user's data, and converts them to arrays that Keras can take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from skhp.compat.scikit_learn import check_sample_weight
from skhp.exceptions import InvalidParameterError
from skhp.objectives.losses import OutputKind
from skhp.shared.amounts import as_text, bytes_of
from skhp.shared.taken_rows import taken
from skhp.shared.unusable_data import refuse_columns_without_numbers
from skhp.training.training_rows import TrainingRows, ValidationRows, row_groups, sum_by_group

_WHOLE_NUMBERS = [np.dtype(f"{sign}int{bits}") for bits in (8, 16, 32, 64) for sign in ("", "u")]


def checked_rows(estimator: BaseEstimator, X: Any, *, first: bool = False) -> np.ndarray:
    """Validated rows; `first` records the number and the names of the columns.

    Whole numbers keep their dtype, for embeddings and encoders; all else gets Keras' float dtype.
    """
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        checked = validate_data(estimator, X, reset=first, **_options())
    return dense(checked)


def checked_arrays(
    estimator: BaseEstimator, X: Any, y: Any, *, first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Validated rows and their targets; the targets keep their dtype."""
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        checked, y = validate_data(estimator, X, y, reset=first, multi_output=True, **_options())
    return dense(checked), dense(y)


def numeric_target(estimator: BaseEstimator, y: np.ndarray) -> np.ndarray:
    """A target of numbers that Keras can represent."""
    if y.dtype.kind == "O":
        y = y.astype(np.float64)
    if y.dtype.kind not in "fiub":
        raise ValueError(
            f"{type(estimator).__name__} needs a target of numbers, got y of type {y.dtype}."
        )
    if y.dtype.kind == "f":
        with overflow_to_infinity():
            assert_all_finite(y.astype(_precision()), input_name="y")
    return y


def _options() -> dict[str, Any]:
    return {"dtype": [_precision(), *_WHOLE_NUMBERS], "allow_nd": True, "accept_sparse": "csr"}


def _precision() -> type[np.floating]:
    return np.float64 if keras.config.floatx() == "float64" else np.float32


def overflow_to_infinity() -> np.errstate:
    """Let values that overflow become infinite without a warning: scikit-learn then refuses them.

    NumPy would warn of the overflow, and of the sum of both infinities in scikit-learn's check.
    """
    return np.errstate(over="ignore", invalid="ignore")


def dense(array: Any) -> np.ndarray:
    """The array itself, or a sparse one made dense."""
    return array.toarray() if hasattr(array, "toarray") else array


def refuse_too_large_when_dense(estimator: BaseEstimator, X: Any) -> None:
    """Raise ValueError if a sparse matrix would take more than `max_memory` as an array."""
    limit = bytes_of(getattr(estimator, "max_memory", None))
    if limit is None or not issparse(X) or X.ndim != 2:
        return
    needed = _BYTES_OF_FLOAT * int(X.shape[0]) * int(X.shape[1])
    if needed > limit:
        raise InvalidParameterError(
            f"X is a sparse matrix of the shape {tuple(map(int, X.shape))}, and "
            f"{type(estimator).__name__} makes it dense, which would take {as_text(needed)} of "
            f"memory, above max_memory={estimator.max_memory!r}. Give fewer rows, or fewer columns "
            "(for example by TruncatedSVD or SelectKBest), or raise max_memory, as far as the "
            "machine allows."
        )


_BYTES_OF_FLOAT = 4
# Sparse rows to predict are made dense a few at a time, of about this many numbers.
_NUMBERS_OF_BLOCK = 2**22


def blocks_to_predict(X: Any) -> list[Any]:
    """The rows in blocks that fit into memory as dense arrays; dense rows are one block."""
    if not issparse(X) or X.ndim != 2:
        return [X]
    length = max(1, _NUMBERS_OF_BLOCK // max(1, X.shape[1]))
    if X.shape[0] <= length:
        return [X]
    rows = X.tocsr()
    return [rows[start : start + length] for start in range(0, X.shape[0], length)]


@dataclass(frozen=True)
class EncodedTarget:
    """A target in the form that the network takes.

    The loss compares the outputs with `values`. `labels` holds class numbers, or is None for
    regression; `class_weight` has one entry per row. `scale` holds the divisor of each regression
    target, or is None if they were not scaled. `rare` is the number of the rarer of two classes,
    which full-epoch metrics take as positive; it is None for all other targets.
    """

    values: np.ndarray
    labels: np.ndarray | None
    class_weight: np.ndarray
    output: OutputKind
    n_outputs: int
    scale: np.ndarray | None = None
    rare: int | None = None

    @property
    def metric_target(self) -> np.ndarray:
        """The target that full-epoch metrics compare with."""
        if self.labels is None:
            return self.values
        return self.labels if self.rare is None else (self.labels == self.rare).astype(np.intp)


@dataclass(frozen=True)
class WeightedTable:
    """Checked rows with their target and the weights that the user gave them.

    `X` is an array or `TakenRows`, so that folds and splits share one table.
    """

    X: Any
    target: EncodedTarget
    sample_weight: np.ndarray

    def rows(self, index: np.ndarray) -> Self:
        """The table of the rows at the positions `index`."""
        target = self.target
        return replace(
            self,
            X=taken(self.X, index),
            target=replace(
                target,
                values=target.values[index],
                labels=None if target.labels is None else target.labels[index],
                class_weight=target.class_weight[index],
            ),
            sample_weight=self.sample_weight[index],
        )

    def without_zero_weights(self) -> Self:
        """The table without the rows whose weight is zero."""
        used = self._weight > 0
        if not used.any():
            raise ValueError(
                "No row has a weight: sample weights and class weights are zero on all of them. "
                "Give at least one non-zero number."
            )
        return self if used.all() else self.rows(used)

    def distinct(self) -> Self:
        """The table with every distinct row once, in a fixed order, with the sum of its weights.

        Sums over all rows, as in a full batch or a validation, then have the same bits in any
        order of the rows, whether a row is weighted or repeated. A table of distinct
        rows that all weigh 1 is returned unchanged.
        """
        first, group = row_groups(self.X, self.target.values)
        if len(first) == len(self.X) and (self.sample_weight == 1).all():
            return self
        return replace(self.rows(first), sample_weight=sum_by_group(group, self.sample_weight))

    def for_training(self) -> TrainingRows:
        """The table as rows to learn from."""
        return TrainingRows(self.X, self.target.values, self._loss_weight())

    def for_validation(self) -> ValidationRows:
        """The table as rows to validate on."""
        return ValidationRows(
            self.X,
            self.target.values,
            self._loss_weight(),
            self.target.metric_target,
            self.sample_weight,
            self.target.scale,
            metric_sign=-1.0 if self.target.rare == 0 else 1.0,
        )

    @property
    def _weight(self) -> np.ndarray:
        return self.sample_weight * self.target.class_weight

    def _loss_weight(self) -> np.ndarray:
        # A weighted mean depends on ratios alone; float32 might not hold the numbers themselves.
        return (self._weight / self._weight.max()).astype(np.float32)


def checked_features(estimator: BaseEstimator, X: ArrayLike, *, first: bool = False) -> np.ndarray:
    """Validated rows as float32; `first` records the number and the names of the columns."""
    refuse_columns_without_numbers(X, type(estimator).__name__)
    refuse_too_large_when_dense(estimator, X)
    with overflow_to_infinity():
        return dense(
            validate_data(estimator, X, reset=first, dtype=np.float32, accept_sparse="csr")
        )


def checked_target(estimator: BaseEstimator, y: ArrayLike, X: np.ndarray) -> np.ndarray:
    """The validated target of rows that are already checked; it keeps its dtype."""
    checked = check_array(
        y,
        accept_sparse="csr",
        dtype=None,
        ensure_2d=False,
        input_name="y",
        estimator=estimator,
    )
    check_consistent_length(X, checked)
    return checked


def checked_weight(sample_weight: ArrayLike | None, X: np.ndarray) -> np.ndarray:
    """Weights of the rows as float64; negative ones are refused."""
    return check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class TargetScale:
    """Mean and deviation of each target, in two arrays of shape (n_targets,)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def none(cls, n_targets: int) -> TargetScale:
        """The scale that leaves targets as they are."""
        return cls(np.zeros(n_targets), np.ones(n_targets))

    @classmethod
    def of(cls, table: WeightedTable) -> TargetScale:
        """Weighted mean and deviation of a table's targets; a constant target has deviation 1.

        The bits depend neither on the order of rows nor on whether a row is weighted or repeated.
        """
        pairs = [_mean_and_deviation(y, table.sample_weight) for y in table.target.values.T]
        mean, scale = (np.array(numbers) for numbers in zip(*pairs, strict=True))
        return cls(mean, scale)

    def scaled(self, table: WeightedTable) -> WeightedTable:
        """The table with its targets scaled, as a network learns them."""
        values = (table.target.values - self.mean) / self.scale
        if np.abs(values).max() > _LARGEST:
            raise ValueError(
                f"y holds {np.abs(table.target.values).max():g}; divided by the target_scale_ "
                f"{self.scale.tolist()} of the first rows it is too large for the float32 that "
                "networks compute in. Give rows of a similar size, or scale_target=False."
            )
        target = replace(table.target, values=values.astype(np.float32), scale=self.scale)
        return replace(table, target=target)

    def unscaled(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network in the units of the targets."""
        return outputs * self.scale + self.mean


def _mean_and_deviation(y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    # Each value once and in order, so that the bits depend on neither the order nor the copies.
    values, group = np.unique(y, return_inverse=True)
    weights = np.bincount(group, weight)
    shares = weights / weights.sum()
    # Relative to the middle and the spread, so that a large offset or size costs no digits.
    middle = values[len(values) // 2]
    spread = values[-1] - values[0]
    if spread == 0:
        return float(middle), 1.0
    parts = (values - middle) / spread
    mean_part = shares @ parts
    deviation = np.sqrt(shares @ np.square(parts - mean_part)) * spread
    return float(middle + mean_part * spread), float(deviation) or 1.0
