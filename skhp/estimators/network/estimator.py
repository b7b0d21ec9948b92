"""The base of our own networks: trains them alone, in a population, or with Keras."""

from __future__ import annotations

import contextlib
import warnings
from abc import ABCMeta
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skhp.compat.scikit_learn import CallbackSupportMixin, fit_context, only_shows_progress
from skhp.estimators.fit_reports import EpochTasks, callbacks_reason, log_refusal
from skhp.estimators.network.prepared_fit import PreparedFit, PreparedRows
from skhp.estimators.network.rows import NetworkRows
from skhp.exceptions import CannotJoinError, NonFiniteLossError, NonFiniteLossWarning
from skhp.networks.build import build_network, compile_network
from skhp.population.handover import AdoptableFit, adoptable_fit
from skhp.shared.unusable_data import refuse_several_inputs
from skhp.training.cohort.cohort import LoneFit
from skhp.training.fit_task import FitTask, TrainingOutcome
from skhp.training.keras_fit import ready_callbacks, train_with_keras
from skhp.training.trained_network import MemberWeights, TrainedNetwork

if TYPE_CHECKING:
    import keras


class NetworkEstimator(CallbackSupportMixin, NetworkRows, metaclass=ABCMeta):
    """Base of the estimators whose network is a `NetworkDescription`; not for direct use.

    A subclass describes its layers in `_describe`, reads its rows in `_read_rows`, and lists in
    `_row_parameters` the parameters that change the rows.
    """

    history_: dict[str, list[float]]
    learning_rate_: list[float]

    def __skhp_fit_task__(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> FitTask:
        """Prepare a fit as `fit` would, for a population to train."""
        self._validate_params()
        self._refuse_population()
        return self._prepared(X, y, **fit_params).task()

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train a network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; sparse ones are made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            For a regressor: numbers, of one target or several. For a classifier: labels of any
            type, of at least two classes, or one-hot rows, whose labels are the column numbers.
            Predictions have the same form.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none negative; a row of weight zero is left out.
        X_val, y_val : array-like, default=None
            Rows and targets to validate on, in place of a part held out of `X` and `y`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the data cannot be learnt from (NaN, infinite or too large values, a single class, a
            wrong shape), or if a parameter has a value out of its range.

        Warns
        -----
        NonFiniteLossWarning
            If the loss became NaN or infinite; the best weights before that are kept.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
    ) -> Self:
        given = {"sample_weight": sample_weight, "X_val": X_val, "y_val": y_val}
        given = {name: value for name, value in given.items() if value is not None}
        # Other callbacks may read the weights after each epoch, or end the fit.
        adopted = adoptable_fit(self, X, y, given) if only_shows_progress(self) else None
        if adopted is not None:
            return self._adopt(adopted, X, y, given)
        return self._train(self._prepared(X, y, **given), X, y, given)

    def _partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        classes: ArrayLike | None = None,
    ) -> Self:
        first = not hasattr(self, "_trained_network")
        seeds = self._drawn_seeds()
        with self._learning() if first else contextlib.nullcontext():
            table = self._checked_table(X, y, sample_weight, first=first, classes=classes)
            table = self._scaled(table, first=first)
        network = self._described(table) if first else self._trained_network.description
        rows, batch_size = self._batched(PreparedRows(table, None), network)
        plan = self._planned(batch_size, seeds, first_epoch=0 if first else self._epochs_run)
        plan = replace(plan, epochs=1, patience=None, metric=None)
        self._refuse_too_much_memory(network, batch_size, rows.n_rows, 0)
        earlier: dict[str, list[float]] = {} if first else self.history_
        earlier_rates: list[float] = getattr(self, "learning_rate_", [])
        prepared = PreparedFit(
            rows=rows,
            validation=None,
            network=network,
            objective=self._objective(len(rows.X), plan)
            if first
            else self._trained_network.objective,
            plan=plan,
            seeds=seeds,
            start=None if first else self._trained_network.member,
        )
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._train(prepared, X, y, given)
        if earlier:
            # partial_fit holds no rows out, so the validation values of earlier epochs are dropped.
            self.history_ = {"loss": earlier["loss"] + self.history_["loss"]}
            self.n_iter_ += len(earlier["loss"])
            self.best_epoch_ += len(earlier["loss"])
            if self.lr_schedule is not None:
                self.learning_rate_ = earlier_rates + self.learning_rate_
        return self

    def _train(
        self, prepared: PreparedFit, X: ArrayLike, y: ArrayLike, given: Mapping[str, Any]
    ) -> Self:
        """Train a prepared fit as a cohort of one, or with Keras."""
        try:
            self._refuse_population()
        except CannotJoinError as refusal:
            if self.engine == "population":
                raise
            if self.engine == "auto":
                log_refusal(type(self).__name__, refusal)
            return self._train_with_keras(prepared, X, y, given)
        lone = LoneFit(prepared.task())
        tasks = self._epoch_tasks(prepared, X, y, given, lambda: lone.member)
        tasks.fit_begins()
        result = lone.trained(tasks if tasks.observed else None)
        network = TrainedNetwork(prepared.network, prepared.objective, result.trained)
        self._note(prepared, result.outcome, network)
        tasks.fit_ends()
        return self

    def _train_with_keras(
        self, prepared: PreparedFit, X: ArrayLike, y: ArrayLike, given: Mapping[str, Any]
    ) -> Self:
        callbacks = ready_callbacks(self.callbacks)
        if prepared.start is None:
            initial = build_network(prepared.network, prepared.seeds.network)
            compile_network(
                initial,
                prepared.network,
                prepared.objective.loss,
                prepared.objective.keras_optimizer(),
                prepared.objective.steps_per_epoch,
            )
            network = TrainedNetwork.of_model(prepared.network, prepared.objective, initial)
        elif prepared.objective is getattr(getattr(self, "_trained_network", None), "objective", 0):
            network = self._trained_network
        else:
            network = TrainedNetwork(prepared.network, prepared.objective, prepared.start)
        tasks = self._epoch_tasks(prepared, X, y, given, lambda: network.member)
        tasks.fit_begins()
        outcome = train_with_keras(
            network.model, prepared.rows, prepared.validation, prepared.plan, tasks, callbacks
        )
        self._note(prepared, outcome, network)
        tasks.fit_ends()
        return self

    def _adopt(
        self, adopted: AdoptableFit, X: ArrayLike, y: ArrayLike, given: Mapping[str, Any]
    ) -> Self:
        """Take over the fit that a population trained."""
        prepared: PreparedFit = adopted.task.origin
        parameters = self.get_params(deep=False)
        self.__dict__.update(
            (name, value)
            for name, value in vars(adopted.estimator).items()
            if name not in parameters
        )
        trained: list[MemberWeights] = []
        tasks = self._epoch_tasks(prepared, X, y, given, lambda: trained[0])
        tasks.fit_begins()
        result = tasks.awaited(adopted)
        if adopted.failure_is_scored and result.outcome.stop_reason == "non_finite_loss":
            raise NonFiniteLossError(self._non_finite_message(result.outcome))
        trained.append(result.trained)
        network = TrainedNetwork(
            prepared.network,
            prepared.objective,
            result.trained,
            shared_outputs=result.shared_outputs,
        )
        self._note(prepared, result.outcome, network)
        tasks.fit_ends()
        return self

    def _epoch_tasks(
        self,
        prepared: PreparedFit,
        X: ArrayLike,
        y: ArrayLike,
        given: Mapping[str, Any],
        member: Callable[[], MemberWeights],
    ) -> EpochTasks:
        weight = given.get("sample_weight")
        return EpochTasks(
            self,
            prepared.plan.epochs,
            X,
            y,
            None if weight is None else np.asarray(weight),
            fitted_attributes=lambda: {
                "_trained_network": TrainedNetwork(prepared.network, prepared.objective, member())
            },
        )

    def _note(
        self, prepared: PreparedFit, outcome: TrainingOutcome, network: TrainedNetwork
    ) -> None:
        self._trained_network = network
        self._epochs_run = prepared.plan.first_epoch + outcome.n_epochs
        self.history_ = outcome.history
        self.n_iter_ = outcome.n_epochs
        self.best_epoch_ = outcome.best_epoch
        self.stop_reason_ = outcome.stop_reason
        if prepared.plan.schedule is not None:
            self.learning_rate_ = outcome.learning_rates
        elif hasattr(self, "learning_rate_"):
            del self.learning_rate_
        self._settle(prepared, network)
        self._warn_of_non_finite_loss(outcome)

    def _settle(self, prepared: PreparedFit, network: TrainedNetwork) -> None:
        """Set attributes that depend on the trained network, such as a threshold."""

    def _refuse_population(self) -> None:
        if self.engine == "keras":
            raise CannotJoinError("engine='keras' asks for Keras' own fit.")
        if self.callbacks is not None:
            raise CannotJoinError(
                f"{type(self).__name__} has callbacks={self.callbacks!r}, which run in Python, and "
                "a population is trained by a compiled program. Leave them out, or set "
                "engine='auto' to let Keras train the network.",
                callbacks_reason(self.callbacks),
            )

    def _warn_of_non_finite_loss(self, outcome: TrainingOutcome) -> None:
        if outcome.stop_reason == "non_finite_loss":
            warnings.warn(
                f"{self._non_finite_message(outcome)} The weights after epoch "
                f"{outcome.best_epoch} were kept.",
                NonFiniteLossWarning,
                stacklevel=6,
            )

    def _non_finite_message(self, outcome: TrainingOutcome) -> str:
        return (
            f"The loss of {type(self).__name__} became NaN or infinite in epoch "
            f"{outcome.n_epochs}. Try a smaller learning_rate (now {self.learning_rate}) and "
            "inputs scaled to unit variance."
        )

    @property
    def model_(self) -> keras.Model:
        """The trained network as a Keras model, built on first access."""
        if not hasattr(self, "_trained_network"):
            raise AttributeError(f"{type(self).__name__} has no model_ before it is fitted.")
        return self._trained_network.model

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_trained_network")

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        refuse_several_inputs(X)
        outputs = self._trained_network.logits(self._read_rows(X))
        self._refuse_overflow(outputs)
        return outputs

    def _refuse_overflow(self, outputs: np.ndarray) -> None:
        """Raise where a network computes beyond float32, instead of predicting anything."""
        # The loss of the last epoch is that before its last update, which may have gone too far.
        # Infinite log-odds of two classes still are a clear decision.
        of_two = is_classifier(self) and outputs.shape[1] == 1
        wrong = np.isnan(outputs) if of_two else ~np.isfinite(outputs)
        if wrong.any():
            raise ValueError(
                f"The outputs of {type(self).__name__} are NaN or infinite for "
                f"{wrong.any(axis=1).sum()} of {len(outputs)} rows: numbers within the network are "
                "beyond the range of float32. Scale the inputs to unit variance, or fit with a "
                f"smaller learning_rate (now {self.learning_rate})."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
