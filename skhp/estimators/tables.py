"""Arrays that Keras can take, of any number of dimensions, from what the user gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from skhp.compat.scikit_learn import check_sample_weight
from skhp.objectives.losses import OutputKind
from skhp.shared.unusable_data import refuse_columns_without_numbers
from skhp.training.training_rows import TrainingRows, ValidationRows, row_groups, sum_by_group

_WHOLE_NUMBERS = [np.dtype(f"{sign}int{bits}") for bits in (8, 16, 32, 64) for sign in ("", "u")]


def checked_rows(estimator: BaseEstimator, X: Any, *, first: bool = False) -> np.ndarray:
    """Validated rows; `first` notes the number and the names of the columns.

    Whole numbers stay as they are, for embeddings and encoders; all else becomes float, of the
    precision that Keras uses.
    """
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        checked = validate_data(estimator, X, reset=first, **_options())
    return dense(checked)


def checked_arrays(
    estimator: BaseEstimator, X: Any, y: Any, *, first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Validated rows and their targets, which stay of the type they are."""
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
    """Let values that overflow the precision become infinite: scikit-learn refuses those by name.

    NumPy would warn of the overflow, and of infinities of both signs in the sum that finds them.
    """
    return np.errstate(over="ignore", invalid="ignore")


def dense(array: Any) -> np.ndarray:
    """The array itself, or a sparse one made dense."""
    return array.toarray() if hasattr(array, "toarray") else array


@dataclass(frozen=True)
class EncodedTarget:
    """A target as the network takes it.

    `values` is what the loss compares with; `labels` holds the class numbers, or is None for
    regression; `class_weight` has one entry a row. `scale` holds the unit of each target of a
    regression, in units of the user, or is None where nothing was scaled. `rare` is the number of
    the rare class of two, which a full-epoch metric is about; None for all other targets.
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
        """What a full-epoch metric compares with."""
        if self.labels is None:
            return self.values
        return self.labels if self.rare is None else (self.labels == self.rare).astype(np.intp)


@dataclass(frozen=True)
class WeightedTable:
    """Checked rows with their target and the weights that the user gave them."""

    X: np.ndarray
    target: EncodedTarget
    sample_weight: np.ndarray

    def rows(self, index: np.ndarray) -> Self:
        """The table of some of the rows."""
        target = self.target
        return replace(
            self,
            X=self.X[index],
            target=replace(
                target,
                values=target.values[index],
                labels=None if target.labels is None else target.labels[index],
                class_weight=target.class_weight[index],
            ),
            sample_weight=self.sample_weight[index],
        )

    def without_zero_weights(self) -> Self:
        """The table without the rows that nothing can be learnt from."""
        used = self._weight > 0
        if not used.any():
            raise ValueError(
                "No row has a weight: sample weights and class weights are zero on all of them. "
                "Give at least one non-zero number."
            )
        return self if used.all() else self.rows(used)

    def distinct(self) -> Self:
        """The table with every distinct row once, in a fixed order, with the sum of its weights.

        Where all rows are taken together, as in a batch of them all or in a validation, this is
        the same data; a weight, that many copies and any order then give identical bits. A table
        of distinct rows without weights is left as it is.
        """
        first, group = row_groups(self.X, self.target.values)
        if len(first) == len(self.X) and (self.sample_weight == 1).all():
            return self
        return replace(self.rows(first), sample_weight=sum_by_group(group, self.sample_weight))

    def for_training(self) -> TrainingRows:
        """The table as rows to learn from."""
        return TrainingRows(self.X, self.target.values, self._loss_weight())

    def for_validation(self) -> ValidationRows:
        """The table as rows to be watched on."""
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
        # Only ratios count in a weighted mean; in float32 the numbers themselves might be lost.
        return (self._weight / self._weight.max()).astype(np.float32)


def checked_features(estimator: BaseEstimator, X: ArrayLike, *, first: bool = False) -> np.ndarray:
    """Rows as float32, with the columns that the estimator was fitted on; `first` notes those."""
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        return dense(
            validate_data(estimator, X, reset=first, dtype=np.float32, accept_sparse="csr")
        )


def checked_target(estimator: BaseEstimator, y: ArrayLike, X: np.ndarray) -> np.ndarray:
    """The target of rows that are checked, which stays of the type it is."""
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
    """Weights of the rows, as float64, none of them negative."""
    return check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class TargetScale:
    """Mean and deviation of each of several targets, each an array of shape (n_targets,)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def none(cls, n_targets: int) -> TargetScale:
        """The scale that leaves targets as they are."""
        return cls(np.zeros(n_targets), np.ones(n_targets))

    @classmethod
    def of(cls, table: WeightedTable) -> TargetScale:
        """Weighted mean and deviation of the targets of some rows; 1 for a target that is constant.

        The same rows in any order, or with their weights as copies, give the same bits.
        """
        pairs = [_mean_and_deviation(y, table.sample_weight) for y in table.target.values.T]
        mean, scale = (np.array(numbers) for numbers in zip(*pairs, strict=True))
        return cls(mean, scale)

    def scaled(self, table: WeightedTable) -> WeightedTable:
        """The table with its targets as a network learns them."""
        values = (table.target.values - self.mean) / self.scale
        if np.abs(values).max() > _LARGEST:
            raise ValueError(
                f"y holds {np.abs(table.target.values).max():g}, which is too large for the "
                f"float32 that networks compute in beside a target_scale_ of {self.scale.tolist()} "
                "that the first rows had. Give rows like the others, or scale_target=False."
            )
        target = replace(table.target, values=values.astype(np.float32), scale=self.scale)
        return replace(table, target=target)

    def unscaled(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network in the units of the targets."""
        return outputs * self.scale + self.mean


def _mean_and_deviation(y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    # In the order of the values, each once: whatever order and copies the rows come in.
    values, group = np.unique(y, return_inverse=True)
    weights = np.bincount(group, weight)
    shares = weights / weights.sum()
    # From the middle, and in shares of the spread: neither an offset nor the size costs a digit.
    middle = values[len(values) // 2]
    spread = values[-1] - values[0]
    if spread == 0:
        return float(middle), 1.0
    parts = (values - middle) / spread
    mean_part = shares @ parts
    deviation = np.sqrt(shares @ np.square(parts - mean_part)) * spread
    return float(middle + mean_part * spread), float(deviation) or 1.0
