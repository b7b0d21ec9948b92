"""From what the user gave to a fit that only needs to be trained."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skhp.estimators.early_stopping import monitored_metric
from skhp.estimators.familiar_names import own_optimizer
from skhp.estimators.mlp.parameters import MLPParameters
from skhp.estimators.mlp.preparation import PreparedFit, PreparedRows
from skhp.estimators.tables import EncodedTarget, WeightedTable, checked_table, checked_weight
from skhp.exceptions import InvalidParameterError
from skhp.networks.description import NetworkDescription, describe_network
from skhp.networks.optimizers import schedule_from
from skhp.objectives.losses import NetworkLoss, own_loss
from skhp.objectives.metrics import Metric
from skhp.population.handover import prepared_once
from skhp.training.distinct_rows import row_groups
from skhp.training.fit_task import MemberWeights, TrainingPlan, TrainingRows, ValidationRows
from skhp.training.row_order import TrainingSeeds, steps_in_epoch
from skhp.training.trained_network import Objective, TrainedNetwork
from skhp.training.validation_split import validation_split

# What the classifier and the regressor learn when they encode a target.
_LEARNT_OF_TARGETS = frozenset(
    {"_weight_of_class", "_one_target", "_n_targets", "_rarest", "_one_hot"}
)


class KerasMLPRows(MLPParameters):
    """Checks rows, parts them and plans their training; not for direct use."""

    _metrics: ClassVar[dict[str, Metric]]
    _monitors: ClassVar[dict[str, str]]

    _trained_network: TrainedNetwork
    _epochs_run: int

    @abstractmethod
    def _encode_target(
        self,
        y: np.ndarray,
        *,
        first: bool,
        classes: ArrayLike | None = None,
        held_out: bool = False,
    ) -> EncodedTarget:
        """Encode a target.

        `first` learns from it what the estimator knows of targets; `held_out` tells that nothing
        may be learnt from it, class weights included.
        """

    def _prepared(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> PreparedFit:
        warm = self.warm_start and hasattr(self, "_trained_network")
        seeds = self._drawn_seeds()
        given = (X, y, sample_weight, X_val, y_val)
        if warm:
            prepared = self._prepared_rows(*given, split_seed=seeds.split, warm=True)
        else:
            prepared = prepared_once(
                (type(self), seeds.split, *self._of_rows()),
                given,
                lambda: self._prepared_rows(*given, split_seed=seeds.split, warm=False),
            )
            # Copies: what one candidate does to its classes_ is nobody else's business.
            self.__dict__.update(copy.deepcopy(prepared.learnt))
        network = self._described(prepared.table)
        rows, batch_size = self._batched(prepared, network)
        plan = self._planned(batch_size, seeds, first_epoch=self._epochs_run if warm else 0)
        self._refuse_too_few_rows(prepared.validation, plan.metric)
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

    def _of_rows(self) -> tuple[str, ...]:
        """The parameters that the rows of a fit depend on, besides its batches."""
        names = ("class_weight", "early_stopping", "scale_target", "validation_fraction")
        return tuple(repr(getattr(self, name, None)) for name in names)

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
            )
            watched, table = table.rows(held_out), table.rows(kept)
        table = self._scaled(table, first=not warm)
        validation: ValidationRows | None = None
        if watched is not None:
            validation = self._scaled(watched, first=False).distinct().for_validation()
        learnt = {
            name: value
            for name, value in vars(self).items()
            if name.endswith("_") or name in _LEARNT_OF_TARGETS
        }
        return PreparedRows(table, validation, learnt)

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
        X, y = checked_table(self, X, y, first=first)
        weight = checked_weight(sample_weight, X)
        target = self._encode_target(y, first=first, classes=classes, held_out=held_out)
        return WeightedTable(X, target, weight).without_zero_weights()

    def _scaled(self, table: WeightedTable, *, first: bool) -> WeightedTable:
        """The table as a network learns it; `first` learns from it what it is scaled by."""
        return table

    def _checked_validation(
        self, X_val: ArrayLike | None, y_val: ArrayLike | None
    ) -> WeightedTable:
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"fit needs both X_val and y_val or neither, got no {missing}.")
        return self._checked_table(X_val, y_val, None, first=False, held_out=True)

    def _described(self, table: WeightedTable) -> NetworkDescription:
        self._refuse_too_large(table.X.shape[1], table.target.n_outputs)
        return describe_network(
            n_inputs=table.X.shape[1],
            n_outputs=table.target.n_outputs,
            output=table.target.output,
            hidden_layers=self.hidden_layers,
            neurons=self.neurons,
            activation=self.activation,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            l2=self.l2,
        )

    def _refuse_one_class(self, target: EncodedTarget) -> None:
        if target.labels is not None and len(np.unique(target.labels)) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes, got one class only "
                "(rows of weight zero do not count)."
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
        # Batch normalisation takes its mean over the rows as they are, so there a row of weight
        # two is not the same as two rows.
        rows = prepared.rows if network.structure.batch_norm else prepared.distinct_rows
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
        """What is monitored, under the name that the user has for it; None for the loss."""
        return monitored_metric(self.monitor, self._metrics, self._monitors)

    def _warn_of_batches(self, rows: TrainingRows, batch_size: int) -> None:
        """Warn of batches that teach nothing."""

    def _drawn_seeds(self) -> TrainingSeeds:
        drawn = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        return TrainingSeeds.derived_from(int(drawn))
