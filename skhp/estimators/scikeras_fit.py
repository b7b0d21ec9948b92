"""The fit of SciKeras' wrapper, on deterministic batches and without a global generator."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self, TypeAlias

import keras
import numpy as np
from numpy.typing import ArrayLike

from skhp.estimators.epoch_tasks import EpochTasks
from skhp.estimators.keras_arguments import (
    built_output_units,
    n_training_rows,
    refuse_learning_rate,
    rows_at_once,
)
from skhp.estimators.scikeras_base import RepairedWrapper, metric_name, route_params
from skhp.estimators.scikit_learn_private import validate_parameter_constraints
from skhp.exceptions import NonFiniteLossWarning
from skhp.training import ObservedEpochs, StopAtNonFiniteLoss
from skhp.training.model_fit import as_model_inputs, fit_model

Model: TypeAlias = keras.Model | Callable[..., keras.Model] | None


class KerasWrapper(RepairedWrapper):
    """Base of the classifier and the regressor; not for direct use."""

    history_: dict[str, list[Any]]
    _output_units: int | None

    def __init__(
        self,
        model: Model = None,
        *,
        build_fn: Model = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        batch_size: int | None = None,
        validation_batch_size: int | None = None,
        verbose: int = 0,
        callbacks: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        run_eagerly: bool = False,
        epochs: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model=model,
            build_fn=build_fn,
            warm_start=warm_start,
            random_state=random_state,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            batch_size=batch_size,
            validation_batch_size=validation_batch_size,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            shuffle=shuffle,
            run_eagerly=run_eagerly,
            epochs=epochs,
        )
        self._add_extra(kwargs)

    def initialize(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Build the model without training it, as for a model that is trained already.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        self : object
        """
        self._validate_params()
        self._initialize(X, y)
        return self

    def _initialize(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        X, y = self._validate_data(X, y, reset=True)
        self._make_model(X, y)
        return X, y

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> None:
        self._draw_seeds()
        self.target_encoder_ = self.target_encoder.fit(y)
        self.__dict__.update(getattr(self.target_encoder_, "get_metadata", dict)())
        self.feature_encoder_ = self.feature_encoder.fit(X)
        self.__dict__.update(getattr(self.feature_encoder_, "get_metadata", dict)())
        self.model_ = self._build_keras_model()

    def _encoded_target(self, y: np.ndarray) -> Any:
        """A target as the loss of the model takes it."""
        return as_model_inputs(self.target_encoder_.transform(y))

    def _refuse_rows(self, y: np.ndarray, n_training: int) -> None:
        """Raise if a model cannot learn from the targets that it is to be trained on."""

    def _fit_observed(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, keywords: dict[str, Any]
    ) -> Self:
        """Fit all epochs, and report them to scikit-learn's callbacks."""
        keywords = {"epochs": getattr(self, "fit__epochs", self.epochs), **keywords}
        validate_parameter_constraints(
            self._parameter_constraints, keywords, caller_name=f"{type(self).__name__}.fit"
        )
        epochs = keywords.pop("epochs")
        given_weight = None if sample_weight is None else np.asarray(sample_weight)
        # To copy the estimator is to copy its model, so a copy needs nothing more to predict.
        tasks = EpochTasks(self, epochs, X, y, given_weight, fitted_attributes=dict)
        self._fit(
            X,
            y,
            sample_weight=sample_weight,
            warm_start=self.warm_start,
            epochs=epochs,
            initial_epoch=keywords.pop("initial_epoch", 0),
            tasks=tasks,
            **keywords,
        )
        tasks.fit_ends()
        return self

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
        fresh = not ((warm_start or self.warm_start) and self.initialized_)
        X, y = self._validate_data(X, y, reset=fresh)
        weight = self._row_weight(X, y, sample_weight)
        if weight is not None:
            used = weight > 0
            if not used.any():
                raise ValueError(
                    "No row has a weight: only zeros were passed in sample_weight, or "
                    "class_weight is zero for all rows. Give at least one non-zero number."
                )
        else:
            used = np.ones(len(X), bool)
        arguments = self._fit_arguments(keywords, n_rows=int(used.sum()))
        if tasks is not None:
            self._refuse_rows(y[used], arguments["n_training"])
        if fresh:
            self._make_model(X, y)
        with self._default_seeds.in_use():
            self._ensure_compiled_model()
            refuse_learning_rate(self.model_)
            inputs = as_model_inputs(self.feature_encoder_.transform(X[used]))
            self._output_units = built_output_units(self.model_, inputs)
            targets = self._encoded_target(y[used])
            self._check_model_compatibility(targets)
            self._fit_keras_model(
                inputs,
                targets,
                sample_weight=None if weight is None else weight[used],
                warm_start=warm_start,
                epochs=epochs,
                initial_epoch=initial_epoch,
                tasks=tasks,
                **arguments,
            )

    def _fit_arguments(self, keywords: dict[str, Any], n_rows: int) -> dict[str, Any]:
        """Arguments of a fit, from the parameters and, before these, from the call."""
        arguments = route_params(self.get_params(), destination="fit", pass_filter=self._fit_kwargs)
        callbacks = self._ready_callbacks("fit")
        callbacks += keras.tree.flatten(keywords.get("callbacks") or [])
        arguments = {
            name: value
            for name, value in {**arguments, **keywords}.items()
            if name not in ("epochs", "initial_epoch", "sample_weight")
            and not name.startswith("callbacks")
        }
        batch_size = rows_at_once(arguments.get("batch_size"), n_rows)
        validation_batch_size = arguments.get("validation_batch_size") or batch_size
        held_out = arguments.pop("validation_split", 0.0)
        if arguments.get("validation_data") is not None:
            held_out = 0.0
        return {
            **arguments,
            "batch_size": batch_size,
            "validation_batch_size": rows_at_once(validation_batch_size, n_rows),
            "n_training": n_training_rows(n_rows, held_out),
            "callbacks": callbacks,
        }

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
        if n_training < len(keras.tree.flatten(X)[0]):
            rows = (X, y) if sample_weight is None else (X, y, sample_weight)
            validation_data = keras.tree.map_structure(lambda array: array[n_training:], rows)
            X, y = keras.tree.map_structure(lambda array: array[:n_training], (X, y))
            if sample_weight is not None:
                sample_weight = sample_weight[:n_training]
                # Of the scale that the weights of the training get.
                validation_data = (*validation_data[:2], validation_data[2] / sample_weight.mean())
        elif isinstance(validation_data, (tuple, list)):
            validation_data = self._encoded_validation(*validation_data)
        finite = StopAtNonFiniteLoss()
        watching = [finite, *callbacks]
        if tasks is not None:
            tasks.fit_begins()
            watching.append(ObservedEpochs(tasks))
        logged = fit_model(
            self.model_,
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
        self.callbacks_ = callbacks
        if not warm_start or initial_epoch == 0 or not hasattr(self, "history_"):
            self.history_ = defaultdict(list)
        for name, values in logged.items():
            self.history_[_full_name(name)] += values
        self._note_why_it_ended(len(logged["loss"]) == epochs, finite)

    def _encoded_validation(self, X: Any, y: Any, *weight: Any) -> tuple[Any, ...]:
        y = np.asarray(y)
        if y.ndim == self.y_ndim_:
            X, y = self._validate_data(X, y)
            targets = self._encoded_target(y)
        else:
            # Not of the form that the estimator was fitted on: encoded by the user already.
            X, _ = self._validate_data(X)
            targets = as_model_inputs(y)
        return as_model_inputs(self.feature_encoder_.transform(X)), targets, *weight

    def _note_why_it_ended(self, all_epochs: bool, finite: StopAtNonFiniteLoss) -> None:
        self.stop_reason_ = "epochs" if all_epochs else "callback"
        if finite.stopped:
            self.stop_reason_ = "non_finite_loss"
            warnings.warn(
                f"The loss of {type(self).__name__} became NaN or infinite in epoch "
                f"{finite.finite_epochs + 1}; the fit was stopped and the weights before it were "
                "kept. Try a smaller learning rate and inputs scaled to unit variance.",
                NonFiniteLossWarning,
                stacklevel=7,
            )


def _full_name(metric: str) -> str:
    """The name of a metric as SciKeras gives it: "mean_squared_error" for "mse"."""
    if metric == "loss" or metric.startswith("val_"):
        return metric
    try:
        return metric_name(metric)
    except ValueError:
        return metric
