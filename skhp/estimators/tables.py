"""From what the user gave to rows that a network can take: checked, float32, dense, weighted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skhp.compat.scikit_learn import check_sample_weight
from skhp.estimators.arrays import dense, overflow_to_infinity
from skhp.networks.description import OutputKind
from skhp.shared.unusable_tables import refuse_columns_without_numbers, refuse_several_inputs
from skhp.training.distinct_rows import row_groups, sum_by_group
from skhp.training.fit_task import TrainingRows, ValidationRows


@dataclass(frozen=True)
class EncodedTarget:
    """A target as the network takes it.

    `values` is what the loss compares with; `labels` holds the class numbers, or is None for
    regression; `class_weight` has one entry a row. `scale` has for each target of a regression what
    its unit is in that of the user, or is None where nothing was scaled.
    """

    values: np.ndarray
    labels: np.ndarray | None
    class_weight: np.ndarray
    output: OutputKind
    n_outputs: int
    scale: np.ndarray | None = None

    @property
    def metric_target(self) -> np.ndarray:
        """What a full-epoch metric compares with."""
        return self.values if self.labels is None else self.labels


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
        """The table without the rows that nothing can be learnt from.

        Raises
        ------
        ValueError
            If no row is left.
        """
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
        )

    @property
    def _weight(self) -> np.ndarray:
        return self.sample_weight * self.target.class_weight

    def _loss_weight(self) -> np.ndarray:
        # Only ratios count in a weighted mean; in float32 the numbers themselves might be lost.
        return (self._weight / self._weight.max()).astype(np.float32)


def checked_features(estimator: BaseEstimator, X: ArrayLike) -> np.ndarray:
    """Rows to predict, as float32, with the columns that the estimator was fitted on."""
    refuse_several_inputs(X)
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        return dense(
            validate_data(estimator, X, reset=False, dtype=np.float32, accept_sparse="csr")
        )


def checked_table(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, *, first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, as float32, and their target; `first` notes the names of the columns."""
    refuse_several_inputs(X, y)
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        checked_X, checked_y = validate_data(
            estimator,
            X,
            y,
            reset=first,
            dtype=np.float32,
            accept_sparse="csr",
            multi_output=True,
        )
    return dense(checked_X), checked_y


def checked_weight(sample_weight: ArrayLike | None, X: np.ndarray) -> np.ndarray:
    """Weights of the rows, as float64, none of them negative."""
    return check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
