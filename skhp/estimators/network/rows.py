"""Prepares a fit for its training: checks and splits the rows, and plans the epochs."""

from __future__ import annotations

import contextlib
import copy
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skhp.estimators.early_stopping import monitored_metric
from skhp.estimators.familiar_names import own_optimizer
from skhp.estimators.network.parameters import NetworkParameters, row_parameters
from skhp.estimators.network.prepared_fit import PreparedFit, PreparedRows
from skhp.estimators.tables import (
    EncodedTarget,
    WeightedTable,
    checked_features,
    checked_target,
    checked_weight,
    overflow_to_infinity,
)
from skhp.exceptions import InvalidParameterError
from skhp.networks.build import network_of
from skhp.networks.description import NetworkDescription, network_size
from skhp.objectives.losses import NetworkLoss, own_loss
from skhp.objectives.metrics import Metric
from skhp.population.handover import prepared_once
from skhp.shared.taken_rows import TakenRows, as_array
from skhp.shared.unusable_data import refuse_several_inputs
from skhp.training.fit_task import TrainingPlan
from skhp.training.rate_schedules import schedule_from
from skhp.training.trained_network import MemberWeights, Objective, TrainedNetwork
from skhp.training.training_rows import (
    TrainingRows,
    TrainingSeeds,
    ValidationRows,
    row_groups,
    steps_in_epoch,
    validation_split,
)


class NetworkRows(NetworkParameters):
    """Checks and splits rows, and plans their training; not for direct use.

    Candidates of a search share prepared rows if they agree in all parameters that `row_parameters`
    names, and in the seed of the inner split, which is compared in place of `random_state`.
    """

    _row_parameters: ClassVar[tuple[str, ...]] = (
        "early_stopping",
        "validation_fraction",
        "validation_rows",
    )
    _metrics: ClassVar[dict[str, Metric]]
    _monitors: ClassVar[dict[str, str]]

    _learnt: tuple[str, ...]
    _trained_network: TrainedNetwork
    _epochs_run: int

    @abstractmethod
    def _describe(self, table: WeightedTable) -> NetworkDescription:
        """Describe a network for these rows."""

    def _read_rows(self, X: ArrayLike, *, first: bool = False) -> np.ndarray:
        """Rows as the network takes them, in float32; `first` records their columns."""
        return checked_features(self, X, first=first)

    @abstractmethod
    def _encode_target(
        self,
        y: np.ndarray,
        *,
        first: bool,
        classes: ArrayLike | None = None,
        held_out: bool = False,
    ) -> EncodedTarget:
        """Encode a target for the network.

        With `first`, the estimator learns from it, for example the classes; with `held_out`, it
        learns nothing, not even class weights.
        """

    def _prepared(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> PreparedFit:
        kind: type = type(self)
        warm = self.warm_start and hasattr(self, "_trained_network")
        seeds = self._drawn_seeds()
        given = (X, y, sample_weight, X_val, y_val)
        if warm:
            prepared = self._prepared_rows(*given, split_seed=seeds.split, warm=True)
        else:
            with self._learning():
                prepared, learnt = prepared_once(
                    (kind, seeds.split),
                    given,
                    lambda: self._rows_and_learnt(*given, split_seed=seeds.split),
                    {name: getattr(self, name) for name in row_parameters(kind)},
                )
                # Copied, so that a candidate that changes its classes_ does not change others'.
                self.__dict__.update(copy.deepcopy(learnt))
        network = self._described(prepared.table)
        rows, batch_size = self._batched(prepared, network)
        plan = self._planned(batch_size, seeds, first_epoch=self._epochs_run if warm else 0)
        self._refuse_too_few_rows(prepared.validation, plan.metric)
        n_held_out = 0 if prepared.validation is None else prepared.validation.n_rows
        self._refuse_too_much_memory(network, batch_size, rows.n_rows, n_held_out)
        self._warn_of_batches(rows, batch_size)
        start = None
        if warm:
            self._refuse_another_network(network)
            member = self._trained_network.member
            start = MemberWeights(member.weights, member.state)
        return PreparedFit(
            rows=rows,
            validation=prepared.validation,
            network=network,
            objective=self._objective(len(rows.X), plan),
            plan=plan,
            seeds=seeds,
            start=start,
            memory_limit=self._memory_limit(),
        )

    def _rows_and_learnt(self, *given: Any, split_seed: int) -> tuple[PreparedRows, dict[str, Any]]:
        """Prepared rows, and all attributes that preparing them sets on the estimator."""
        before = dict(vars(self))
        prepared = self._prepared_rows(*given, split_seed=split_seed, warm=False)
        return prepared, _changed(before, vars(self))

    @contextlib.contextmanager
    def _learning(self) -> Iterator[None]:
        """Replace the attributes learnt from earlier rows by those learnt inside the block."""
        own = self.__dict__
        forgotten = {name: own.pop(name) for name in own.get("_learnt", ()) if name in own}
        before = dict(own)
        try:
            yield
        except BaseException:
            own.update(forgotten)
            raise
        self._learnt = tuple(_changed(before, own))

    def _prepared_rows(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
        *,
        split_seed: int,
        warm: bool,
    ) -> PreparedRows:
        table = self._checked_table(X, y, sample_weight, first=not warm)
        self._refuse_one_class(table.target)
        watched: WeightedTable | None = None
        if X_val is not None or y_val is not None:
            watched = self._checked_validation(X_val, y_val)
        elif self.early_stopping:
            _, groups = row_groups(table.X)
            kept, held_out = validation_split(
                groups,
                self.validation_fraction,
                split_seed,
                table.target.labels,
                table.sample_weight,
                which=self.validation_rows,
            )
            watched, table = table.rows(held_out), table.rows(kept)
            self._refuse_one_class(table.target, " to train on, besides the held-out rows")
        table = self._scaled(table, first=not warm)
        validation: ValidationRows | None = None
        if watched is not None:
            validation = self._scaled(watched, first=False).distinct().for_validation()
        return PreparedRows(table, validation)

    def _checked_table(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        first: bool,
        classes: ArrayLike | None = None,
        held_out: bool = False,
    ) -> WeightedTable:
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        given = X
        X = as_array(X)
        refuse_several_inputs(X, y)
        X = self._read_rows(X, first=first)
        y = checked_target(self, y, X)
        weight = checked_weight(sample_weight, X)
        target = self._encode_target(y, first=first, classes=classes, held_out=held_out)
        return WeightedTable(_without_copy(given, X), target, weight).without_zero_weights()

    def _scaled(self, table: WeightedTable, *, first: bool) -> WeightedTable:
        """The table, with a scaled target if a subclass scales it; `first` learns the scale."""
        return table

    def _checked_validation(
        self, X_val: ArrayLike | None, y_val: ArrayLike | None
    ) -> WeightedTable:
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"fit needs both X_val and y_val or neither, got no {missing}.")
        return self._checked_table(X_val, y_val, None, first=False, held_out=True)

    def _described(self, table: WeightedTable) -> NetworkDescription:
        network = self._describe(table)
        self._refuse_too_large(network_size(network))
        return network

    def _refuse_one_class(self, target: EncodedTarget, which: str = "") -> None:
        if target.labels is not None and len(np.unique(target.labels)) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes{which}, got one class "
                "only (rows of weight zero do not count)."
            )

    def _refuse_too_few_rows(
        self, validation: ValidationRows | None, metric: Metric | None
    ) -> None:
        if metric and validation and len(validation.X) < metric.least_rows:
            raise ValueError(
                f"monitor={self.monitor!r} needs at least {metric.least_rows} different rows to "
                f"validate on, got {len(validation.X)}. Give more rows, a larger "
                "validation_fraction, or monitor='val_loss'."
            )

    def _refuse_another_network(self, network: NetworkDescription) -> None:
        fitted = self._trained_network.description
        if network.structure != fitted.structure:
            raise InvalidParameterError(
                "warm_start=True continues with the fitted network, but the parameters now "
                f"describe another one: {network.structure} instead of {fitted.structure}."
                " Set warm_start=False to start anew."
            )

    def _batched(
        self, prepared: PreparedRows, network: NetworkDescription
    ) -> tuple[TrainingRows, int]:
        whole = isinstance(self.batch_size, str) or self.batch_size >= len(prepared.table.X)
        if not whole:
            return prepared.rows, int(self.batch_size)
        # Batch normalisation ignores weights in its means, so a row of weight two is not two rows.
        rows = prepared.rows if not network_of(network).shares_batches else prepared.distinct_rows
        return rows, len(rows.X)

    def _planned(self, batch_size: int, seeds: TrainingSeeds, first_epoch: int) -> TrainingPlan:
        return TrainingPlan(
            batch_size=batch_size,
            epochs=int(self.epochs),
            seed=seeds.order,
            schedule=schedule_from(self.lr_schedule),
            patience=int(self.patience) if self.early_stopping else None,
            min_delta=float(self.min_delta),
            metric=self._metric(),
            first_epoch=first_epoch,
            verbose=int(self.verbose),
        )

    def _objective(self, n_rows: int, plan: TrainingPlan) -> Objective:
        return Objective(
            loss=self._network_loss(),
            optimizer=own_optimizer(self.optimizer),
            learning_rate=float(self.learning_rate),
            schedule=plan.schedule,
            steps_per_epoch=steps_in_epoch(n_rows, plan.batch_size),
            epochs=int(self.epochs),
        )

    def _network_loss(self) -> str | NetworkLoss:
        return own_loss(self.loss)

    def _metric(self) -> Metric | None:
        return monitored_metric(self.monitor, self._metrics, self._monitors)

    def _warn_of_batches(self, rows: TrainingRows, batch_size: int) -> None:
        """Warn if most batches would teach nothing."""

    def _drawn_seeds(self) -> TrainingSeeds:
        drawn = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        return TrainingSeeds.derived_from(int(drawn))


def _without_copy(given: Any, read: np.ndarray) -> Any:
    """The checked rows `read`, as numbers of rows of the table that they were taken from.

    All folds then share the table. It is converted as the rows were, once for all; if the check
    changed more than the type and the shape, the rows stay as they are.
    """
    if not isinstance(given, TakenRows):
        return read
    shape = (len(given.table), *read.shape[1:])
    if given.table.size != np.prod(shape, dtype=np.int64):
        return read
    few = slice(0, 1)
    if not np.array_equal(
        np.asarray(given[few]).astype(read.dtype).reshape(1, *shape[1:]), read[few]
    ):
        return read
    table = prepared_once(
        ("converted table", read.dtype.str, shape),
        (given.table,),
        lambda: _converted(given.table, read.dtype).reshape(shape),
    )
    taken = TakenRows(table, given.index)
    return taken if taken.equals(read) else read


def _converted(table: np.ndarray, dtype: np.dtype) -> np.ndarray:
    # Rows that nobody trains on may hold values that are too large, which the task will refuse.
    with overflow_to_infinity():
        return np.asarray(table).astype(dtype, copy=False)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are new or hold another object than before."""
    return {
        name: value
        for name, value in now.items()
        if name not in before or value is not before[name]
    }
