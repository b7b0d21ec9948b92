"""The fit of a wrapped model, on deterministic batches and without global random generators."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import ArrayLike

from skhp.compat.forked_process import refuse_after_fork
from skhp.compat.scikit_learn import (
    fit_context,
    only_shows_progress,
    validate_parameter_constraints,
)
from skhp.estimators.early_stopping import kept_epoch, replayed
from skhp.estimators.fit_reports import EpochTasks, log_refusal
from skhp.estimators.keras_model.arguments import refuse_arguments, separate_callbacks
from skhp.estimators.keras_model.preparation import (
    PreparedModel,
    WeightsInModel,
    custom_fit_task,
    write_weights,
)
from skhp.estimators.keras_model.transfer.base_model import TransferWrapper
from skhp.estimators.keras_model.wrapped_rows import CheckedFit, HeldOutLabels, parted_rows
from skhp.exceptions import CannotJoinError, NonFiniteLossError, NonFiniteLossWarning
from skhp.networks.whole_models.portable_model import PortableModel
from skhp.population.handover import AdoptableFit, adoptable_fit
from skhp.training.cohort.cohort import LoneFit
from skhp.training.fit_task import FitResult, FitTask
from skhp.training.keras_fit import ObservedEpochs, StopAtNonFiniteLoss, fit_model


class KerasWrapper(TransferWrapper):
    """Base of the classifier and the regressor; not for direct use."""

    def __skhp_fit_task__(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> FitTask:
        """Prepare a fit as `fit` would, for a population to train."""
        self._validate_params()
        drawn_before = copy.deepcopy(self.random_state)
        try:
            return KerasWrapper._prepared_task(self._copied(), X, y, fit_params)
        except Exception:
            # The fit that runs instead draws its seeds from the same state.
            if isinstance(self.random_state, np.random.RandomState):
                self.random_state.set_state(drawn_before.get_state())
            raise

    def _prepared_task(self, X: Any, y: Any, fit_params: Mapping[str, Any]) -> FitTask:
        before = dict(vars(self))
        keywords = self._checked_keywords(fit_params)
        sample_weight = keywords.pop("sample_weight", None)
        epochs, first_epoch = keywords.pop("epochs"), keywords.pop("initial_epoch", 0)
        checked = self._checked(X, y, sample_weight, self.warm_start, keywords, whole=True)
        self._refuse_population(checked.arguments)
        with self._model_for(checked) as (inputs, targets):
            parted = self._parted(inputs, targets, checked)
            missing = object()
            learnt = {
                name: value
                for name, value in vars(self).items()
                if before.get(name, missing) is not value
            }
            return custom_fit_task(
                self._trained_model,
                parted,
                checked.arguments,
                epochs=epochs,
                first_epoch=first_epoch,
                seeds=self._seeds,
                origin=PreparedModel(
                    self.model_, learnt, checked.held_out, checked.arguments["callbacks"]
                ),
            )

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **kwargs: Any
    ) -> Self:
        """Build the model and train it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
            Sparse matrices are made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            A classifier reads one-hot rows as classes, whose labels are the column numbers, and
            other rows of zeros and ones as several labels at once. Predictions have the same form.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; only their ratios matter.
        **kwargs : dict
            Arguments of ``model.fit`` for this call, such as ``validation_data``, whose targets
            have the form of `y`.

        Returns
        -------
        self : object

        Raises
        ------
        InvalidParameterError
            If a parameter has a wrong value, is unknown, or would have no effect.
        CannotJoinError
            If `engine` is "population", but only Keras' own ``fit`` can train the model.
        ValueError
            If the data are not finite, have a single class, or do not fit the outputs of the model.

        Warns
        -----
        NonFiniteLossWarning
            If the loss became NaN or infinite; the weights before it are kept.
        """
        return self._fit_observed(X, y, sample_weight, kwargs)

    def _fit_observed(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, keywords: dict[str, Any]
    ) -> Self:
        """Fit all epochs, and report them to scikit-learn's callbacks."""
        refuse_after_fork()
        given = dict(keywords)
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        keywords = self._checked_keywords(keywords)
        epochs, first_epoch = keywords.pop("epochs"), keywords.pop("initial_epoch", 0)
        later_epochs = int(self.fine_tune_epochs) if self._fine_tunes() else 0
        given_weight = None if sample_weight is None else np.asarray(sample_weight)
        # A copy of the estimator has a copy of its model, and needs nothing more to predict.
        tasks = EpochTasks(self, epochs + later_epochs, X, y, given_weight, fitted_attributes=dict)
        # Other callbacks may read the weights after each epoch, or end the fit.
        adopted = adoptable_fit(self, X, y, given) if only_shows_progress(self) else None
        if adopted is not None:
            self._adopt(adopted, tasks)
        else:
            self._fit(
                X,
                y,
                sample_weight=sample_weight,
                warm_start=self.warm_start,
                epochs=epochs,
                initial_epoch=first_epoch,
                tasks=tasks,
                **keywords,
            )
        if self._begin_to_fine_tune():
            self._fit(
                X,
                y,
                sample_weight=sample_weight,
                warm_start=True,
                epochs=later_epochs,
                initial_epoch=self.n_iter_,
                tasks=tasks,
                **keywords,
            )
        tasks.fit_ends()
        return self

    def _checked_keywords(self, keywords: Mapping[str, Any]) -> dict[str, Any]:
        checked = {"epochs": getattr(self, "fit__epochs", self.epochs), **keywords}
        validate_parameter_constraints(
            self._parameter_constraints, checked, caller_name=f"{type(self).__name__}.fit"
        )
        counts = {
            name: int(checked[name]) for name in ("epochs", "initial_epoch") if name in checked
        }
        return checked | counts

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        warm_start: bool,
        epochs: int,
        initial_epoch: int,
        tasks: EpochTasks | None = None,
        **keywords: Any,
    ) -> None:
        checked = self._checked(X, y, sample_weight, warm_start, keywords, whole=tasks is not None)
        with self._model_for(checked) as (inputs, targets):
            task = self._joining_task(inputs, targets, checked, epochs, initial_epoch)
            if task is not None:
                self._fit_as_cohort(task, checked.arguments["callbacks"], warm_start, tasks)
            else:
                weight = checked.weight
                self._fit_keras_model(
                    inputs,
                    targets,
                    sample_weight=None if weight is None else weight[checked.used],
                    warm_start=warm_start,
                    epochs=epochs,
                    initial_epoch=initial_epoch,
                    tasks=tasks,
                    **checked.arguments,
                )
            self._settle(
                checked.held_out, lambda: self._parted(inputs, targets, checked).validation[0]
            )

    def _joining_task(
        self, inputs: Any, targets: Any, checked: CheckedFit, epochs: int, first_epoch: int
    ) -> FitTask | None:
        """The fit as a cohort of one; None if Keras has to train it."""
        try:
            self._refuse_population(checked.arguments)
            return custom_fit_task(
                self._trained_model,
                self._parted(inputs, targets, checked),
                checked.arguments,
                epochs=epochs,
                first_epoch=first_epoch,
                seeds=self._seeds,
            )
        except CannotJoinError as refusal:
            if self.engine == "population":
                raise
            if self.engine == "auto":
                log_refusal(type(self).__name__, refusal)
            return None

    def _refuse_population(self, arguments: Mapping[str, Any]) -> None:
        if self.engine == "keras":
            raise CannotJoinError("engine='keras' asks for Keras' own fit.")
        if getattr(self._fit_keras_model, "__func__", 0) is not KerasWrapper._fit_keras_model:
            raise CannotJoinError(f"{type(self).__name__} trains in its own _fit_keras_model.")
        refuse_arguments({"run_eagerly": self.run_eagerly}, arguments)

    def _fit_as_cohort(
        self,
        task: FitTask,
        callbacks: Sequence[keras.callbacks.Callback],
        warm_start: bool,
        tasks: EpochTasks | None,
    ) -> None:
        lone = LoneFit(task)
        observer = None
        if tasks is not None:
            tasks.fit_begins()
            if tasks.observed:
                observer = WeightsInModel(
                    tasks, lambda: write_weights(self._trained_model, task.network, lone.member)
                )
        self._take_over(task, lone.trained(observer), callbacks, warm_start, stacklevel=8)

    def _adopt(self, adopted: AdoptableFit, tasks: EpochTasks) -> None:
        """Take over the fit that a population trained."""
        prepared: PreparedModel = adopted.task.origin
        self.__dict__.update(prepared.learnt)
        callbacks = separate_callbacks(list(prepared.callbacks))
        # Recorded again, as objects among the parameters were copied with the estimator.
        self._built_with = self._building_parameters()
        if adopted.estimator is not self:
            # Each of the two estimators has a model of its own.
            self.model_ = PortableModel(prepared.model).restored()
            self._choose_trained_model({})
        tasks.fit_begins()
        result = tasks.awaited(adopted)
        if adopted.failure_is_scored and result.outcome.stop_reason == "non_finite_loss":
            raise NonFiniteLossError(self._non_finite_message(result.outcome.n_epochs))
        self._take_over(adopted.task, result, callbacks, self.warm_start, stacklevel=7)
        self._settle(prepared.held_out, lambda: adopted.task.validation.X)

    def _settle(self, held_out: HeldOutLabels | None, inputs: Callable[[], Any]) -> None:
        """Set attributes that depend on the trained model, such as a threshold.

        `inputs` returns the encoded inputs of the held-out labels.
        """

    def _take_over(
        self,
        task: FitTask,
        result: FitResult,
        callbacks: Sequence[keras.callbacks.Callback],
        warm_start: bool,
        stacklevel: int,
    ) -> None:
        write_weights(self._trained_model, task.network, result.trained)
        outcome = result.outcome
        replayed(callbacks, self.model_, task.plan, outcome)
        self._note_callbacks(callbacks)
        self._note_history(outcome.history, warm_start, task.plan.first_epoch)
        self._note_epochs(outcome.n_epochs, outcome.best_epoch)
        self.stop_reason_ = outcome.stop_reason
        if outcome.stop_reason == "patience" and self.callbacks_:
            self.stop_reason_ = "callback"
        if outcome.stop_reason == "non_finite_loss":
            self._warn_of_non_finite_loss(outcome.n_epochs, stacklevel)

    def _fit_keras_model(
        self,
        X: Any,
        y: Any,
        sample_weight: np.ndarray | None,
        warm_start: bool,
        epochs: int,
        initial_epoch: int,
        tasks: EpochTasks | None = None,
        *,
        n_training: int,
        callbacks: list[keras.callbacks.Callback],
        shuffle: bool = True,
        validation_data: Any = None,
        **arguments: Any,
    ) -> None:
        X, y, sample_weight, held_out = parted_rows(X, y, sample_weight, n_training)
        if held_out is not None:
            validation_data = held_out
        elif isinstance(validation_data, (tuple, list)):
            validation_data = self._encoded_validation(*validation_data)
        finite = StopAtNonFiniteLoss()
        watching = [finite, *callbacks]
        if tasks is not None:
            tasks.fit_begins()
            watching.append(ObservedEpochs(tasks))
        logged = fit_model(
            self._trained_model,
            X,
            y,
            sample_weight,
            epochs=epochs,
            first_epoch=initial_epoch,
            seed=self._seeds.order if shuffle else None,
            callbacks=watching,
            validation_data=validation_data,
            **arguments,
        )
        self._note_callbacks(callbacks)
        self._note_history(logged, warm_start, initial_epoch)
        n_epochs = len(logged["loss"])
        self._note_epochs(n_epochs, kept_epoch(callbacks, initial_epoch, finite.finite_epochs))
        self.stop_reason_ = "epochs" if n_epochs == epochs else "callback"
        if any(own.stopped_epoch for own in callbacks if own not in self.callbacks_):
            self.stop_reason_ = "patience"
        if finite.stopped:
            self.stop_reason_ = "non_finite_loss"
            self._warn_of_non_finite_loss(finite.finite_epochs + 1, stacklevel=7)

    def _non_finite_message(self, epoch: int) -> str:
        return (
            f"The loss of {type(self).__name__} became NaN or infinite in epoch {epoch}. Try a "
            "smaller learning rate and inputs scaled to unit variance."
        )

    def _warn_of_non_finite_loss(self, epoch: int, stacklevel: int) -> None:
        warnings.warn(
            f"{self._non_finite_message(epoch)} The fit was stopped and the weights before that "
            "epoch were kept.",
            NonFiniteLossWarning,
            stacklevel=stacklevel,
        )
