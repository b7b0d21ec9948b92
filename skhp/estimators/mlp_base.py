"""What the classifier and the regressor share: from parameters and a table to a trained network."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skhp.estimators.epoch_tasks import EpochTasks
from skhp.estimators.mlp_parameters import MLPParameters
from skhp.estimators.scikit_learn_private import CallbackSupportMixin
from skhp.estimators.tables import (
    EncodedTarget,
    WeightedTable,
    checked_features,
    checked_table,
    checked_weight,
)
from skhp.exceptions import InvalidParameterError, NonFiniteLossWarning
from skhp.networks import (
    OPTIMIZERS,
    NetworkDescription,
    build_network,
    compile_network,
    copy_network,
    describe_network,
    logits,
    restore_network,
    save_network,
    schedule_from,
)
from skhp.training import (
    Metric,
    TrainingOutcome,
    TrainingPlan,
    TrainingRows,
    TrainingSeeds,
    ValidationRows,
    ready_callbacks,
    row_groups,
    steps_in_epoch,
    train_with_keras,
    validation_split,
)

if TYPE_CHECKING:
    import keras


class KerasMLPBase(CallbackSupportMixin, MLPParameters, metaclass=ABCMeta):
    """Base of the multilayer perceptrons; not for direct use."""

    _metrics: ClassVar[dict[str, Metric]]

    history_: dict[str, list[float]]
    learning_rate_: list[float]

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

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
    ) -> Self:
        warm = self.warm_start and hasattr(self, "model_")
        seeds = self._drawn_seeds()
        table = self._checked_table(X, y, sample_weight, first=not warm)
        self._refuse_one_class(table.target)
        network = self._described(table)
        validation: ValidationRows | None = None
        if X_val is not None or y_val is not None:
            validation = self._checked_validation(X_val, y_val)
        elif self.early_stopping:
            _, groups = row_groups(table.X)
            kept, held_out = validation_split(
                groups,
                self.validation_fraction,
                seeds.split,
                table.target.labels,
                table.sample_weight,
            )
            validation = table.rows(held_out).distinct().for_validation()
            table = table.rows(kept)
        rows, batch_size = self._batched(table, network)
        model = build_network(network, seeds.network)
        if warm:
            self._refuse_another_network(network)
            model.set_weights(self.model_.get_weights())
        self._compile(model, network, steps_in_epoch(len(rows.X), batch_size))
        plan = self._planned(batch_size, seeds, first_epoch=self._epochs_run if warm else 0)
        self._refuse_too_few_rows(validation, plan.metric)
        given = (X, y, None if sample_weight is None else np.asarray(sample_weight))
        return self._trained(model, network, rows, validation, plan, given)

    def _partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        classes: ArrayLike | None = None,
    ) -> Self:
        first = not hasattr(self, "model_")
        seeds = self._drawn_seeds()
        table = self._checked_table(X, y, sample_weight, first=first, classes=classes)
        network = self._described(table) if first else self._network
        rows, batch_size = self._batched(table, network)
        if first:
            model = build_network(network, seeds.network)
            self._compile(model, network, steps_in_epoch(len(rows.X), batch_size))
        else:
            model = self.model_
        plan = self._planned(batch_size, seeds, first_epoch=0 if first else self._epochs_run)
        plan = replace(plan, epochs=1, patience=None)
        given = (X, y, None if sample_weight is None else np.asarray(sample_weight))
        earlier: dict[str, list[float]] = {} if first else self.history_
        earlier_rates: list[float] = getattr(self, "learning_rate_", [])
        self._trained(model, network, rows, None, plan, given)
        if earlier:
            # Held-out values of an earlier fit end where its epochs ended.
            self.history_ = {"loss": earlier["loss"] + self.history_["loss"]}
            self.n_iter_ += len(earlier["loss"])
            self.best_epoch_ += len(earlier["loss"])
            if self.lr_schedule is not None:
                self.learning_rate_ = earlier_rates + self.learning_rate_
        return self

    def _trained(
        self,
        model: keras.Model,
        network: NetworkDescription,
        rows: TrainingRows,
        validation: ValidationRows | None,
        plan: TrainingPlan,
        given: tuple[Any, Any, np.ndarray | None],
    ) -> Self:
        callbacks = ready_callbacks(self.callbacks)
        tasks = EpochTasks(
            self,
            plan.epochs,
            *given,
            fitted_attributes=lambda: {
                "model_": copy_network(model, network),
                "_network": network,
            },
        )
        tasks.fit_begins()
        outcome = train_with_keras(model, rows, validation, plan, tasks, callbacks)
        self.model_ = model
        self._network = network
        self._loss = self.loss
        self._epochs_run = plan.first_epoch + outcome.n_epochs
        self.history_ = outcome.history
        self.n_iter_ = outcome.n_epochs
        self.best_epoch_ = outcome.best_epoch
        self.stop_reason_ = outcome.stop_reason
        if plan.schedule is not None:
            self.learning_rate_ = outcome.learning_rates
        elif hasattr(self, "learning_rate_"):
            del self.learning_rate_
        self._warn_of_non_finite_loss(outcome)
        tasks.fit_ends()
        return self

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

    def _checked_validation(
        self, X_val: ArrayLike | None, y_val: ArrayLike | None
    ) -> ValidationRows:
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"fit needs both X_val and y_val or neither, got no {missing}.")
        table = self._checked_table(X_val, y_val, None, first=False, held_out=True)
        return table.distinct().for_validation()

    def _described(self, table: WeightedTable) -> NetworkDescription:
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
        if network.structure != self._network.structure:
            raise InvalidParameterError(
                "warm_start=True continues with the fitted network, but the parameters now "
                f"describe another one: {network.structure} instead of {self._network.structure}."
                " Set warm_start=False to start anew."
            )

    def _batched(
        self, table: WeightedTable, network: NetworkDescription
    ) -> tuple[TrainingRows, int]:
        whole = isinstance(self.batch_size, str) or self.batch_size >= len(table.X)
        # Batch normalisation takes its mean over the rows as they are, so there a row of weight
        # two is not the same as two rows.
        if whole and not network.structure.batch_norm:
            table = table.distinct()
        return table.for_training(), len(table.X) if whole else int(self.batch_size)

    def _planned(self, batch_size: int, seeds: TrainingSeeds, first_epoch: int) -> TrainingPlan:
        return TrainingPlan(
            batch_size=batch_size,
            epochs=int(self.epochs),
            seed=seeds.order,
            schedule=schedule_from(self.lr_schedule),
            patience=int(self.patience) if self.early_stopping else None,
            min_delta=float(self.min_delta),
            metric=self._metrics.get(self.monitor.removeprefix("val_")),
            first_epoch=first_epoch,
            verbose=int(self.verbose),
        )

    def _compile(self, model: keras.Model, network: NetworkDescription, steps: int) -> None:
        schedule = schedule_from(self.lr_schedule)
        rate: Any = float(self.learning_rate)
        if schedule is not None:
            rate = schedule.for_keras(rate, steps, int(self.epochs))
        compile_network(model, network, self.loss, OPTIMIZERS[self.optimizer](rate), steps)

    def _drawn_seeds(self) -> TrainingSeeds:
        drawn = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        return TrainingSeeds.derived_from(int(drawn))

    def _warn_of_non_finite_loss(self, outcome: TrainingOutcome) -> None:
        if outcome.stop_reason == "non_finite_loss":
            warnings.warn(
                f"The loss of {type(self).__name__} became NaN or infinite in epoch "
                f"{outcome.n_epochs}; the fit was stopped and the weights after epoch "
                f"{outcome.best_epoch} were kept. Try a smaller learning_rate (now "
                f"{self.learning_rate}) and inputs scaled to unit variance.",
                NonFiniteLossWarning,
                stacklevel=6,
            )

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self, "model_")
        return logits(self.model_, checked_features(self, X))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = save_network(state["model_"], self._network, self._loss)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "model_" in state:
            state["model_"] = restore_network(state["model_"])
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
