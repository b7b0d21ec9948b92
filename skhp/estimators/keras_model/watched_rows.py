"""Early stopping of a wrapped model, and the record of its epochs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import keras
import numpy as np

from skhp.compat.scikit_learn import (
    ScikitLearnInvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from skhp.estimators.early_stopping import (
    EarlyStoppingByParameters,
    WatchedRows,
    monitored_metric,
    monitors,
)
from skhp.estimators.keras_model.arguments import predicts_in_its_own_way, rows_at_once
from skhp.estimators.keras_model.model_wrapper import metric_name
from skhp.estimators.keras_model.wrapped_rows import (
    CheckedFit,
    PartedRows,
    RepairedWrapper,
    parted_rows,
)
from skhp.exceptions import CannotJoinError, InvalidParameterError
from skhp.networks.predictions import model_outputs
from skhp.objectives.metrics import Metric
from skhp.training.keras_fit import as_model_inputs
from skhp.training.model_objective import compiled_metrics


class WatchedWrapper(RepairedWrapper):
    """A wrapped model with its early stopping, and the record of its epochs."""

    _metrics: ClassVar[dict[str, Metric]]
    _monitors: ClassVar[dict[str, str]]

    history_: dict[str, list[Any]]
    n_iter_: int
    best_epoch_: int
    callbacks_: list[keras.callbacks.Callback]
    patience: int
    min_delta: float
    monitor: str
    _output_units: int | None

    def _begin_to_watch(self, checked: CheckedFit, inputs: Any, targets: Any) -> None:
        callbacks = checked.arguments["callbacks"]
        others = [c for c in callbacks if isinstance(c, keras.callbacks.EarlyStopping)]
        if others:
            raise InvalidParameterError(
                f"early_stopping=True and the callback {type(others[0]).__name__} would both end "
                "the training. Leave out one of the two."
            )
        compiled = compiled_metrics(self.model_)
        if compiled is not None:
            self._refuse_monitor(compiled)
        metric = rows = None
        # A metric that the model is compiled with replaces ours of the same name.
        if self.monitor.removeprefix("val_") not in (compiled or ()):
            metric = monitored_metric(self.monitor, self._metrics, self._monitors)
        if metric is not None:
            self._refuse_encoded_target()
            rows = self._watched_rows(checked, self._parted(inputs, targets, checked).validation)
            of_numbers = rows.target.dtype.kind == "f"
            metric = replace(metric, takes="numbers" if of_numbers else "probabilities")
            if len(rows.target) < metric.least_rows:
                raise ValueError(
                    f"monitor={self.monitor!r} needs at least {metric.least_rows} rows to validate "
                    f"on, got {len(rows.target)}. Give more rows, a larger validation_fraction, or "
                    "monitor='val_loss'."
                )
        stopping = EarlyStoppingByParameters(
            self.monitor, int(self.patience), float(self.min_delta), metric, rows
        )
        callbacks.insert(0, stopping)

    def _refuse_monitor(self, compiled: Iterable[str]) -> None:
        """Raise if `monitor` names neither a metric of ours nor one of the compiled model."""
        options = monitors(self._metrics, self._monitors) | {f"val_{name}" for name in compiled}
        try:
            validate_parameter_constraints(
                {"monitor": [StrOptions(options)]},
                {"monitor": self.monitor},
                caller_name=type(self).__name__,
            )
        except ScikitLearnInvalidParameterError as error:
            meant = self._suggestion("monitor", self.monitor, sorted(options))
            raise InvalidParameterError(f"{error}{meant}") from None

    def _refuse_encoded_target(self) -> None:
        """Raise if our metrics cannot read the target in the form that the model learns."""

    def _watched_rows(self, checked: CheckedFit, held_out: Any) -> WatchedRows:
        """Rows to compute our metric on, from held-out rows in the form that the model takes."""
        target = np.asarray(held_out[1], np.float64)
        weight = held_out[2] if len(held_out) > 2 else None
        return WatchedRows(
            target.reshape(len(target), -1),
            None if weight is None else np.asarray(weight, np.float64),
            lambda: self._model_outputs(held_out[0]),
            "numbers",
        )

    def _model_outputs(self, inputs: Any) -> np.ndarray:
        """Outputs of the model for encoded inputs."""
        batch_size = rows_at_once(self.batch_size, len(keras.tree.flatten(inputs)[0]))
        model = self._trained_model
        if predicts_in_its_own_way(model):
            outputs = model.predict(inputs, batch_size=batch_size, verbose=0)
        else:
            outputs = model_outputs(model, inputs, batch_size)
        return np.asarray(outputs, np.float64)

    def _parted(self, inputs: Any, targets: Any, checked: CheckedFit) -> PartedRows:
        weight = None if checked.weight is None else checked.weight[checked.used]
        parted = parted_rows(inputs, targets, weight, checked.arguments["n_training"])
        given = checked.arguments.get("validation_data")
        if parted.validation is None and given is not None:
            if not isinstance(given, (tuple, list)):
                raise CannotJoinError("validation_data has a form that only Keras reads.")
            parted = parted._replace(validation=self._encoded_validation(*given))
        return parted

    def _encoded_validation(self, X: Any, y: Any, *weight: Any) -> tuple[Any, ...]:
        y = np.asarray(y)
        if y.ndim == self.y_ndim_:
            X, y = self._validate_data(X, y)
            targets = self._encoded_target(y)
        else:
            # Targets of another form than in `fit` were already encoded by the user.
            X, _ = self._validate_data(X)
            targets = as_model_inputs(y)
        return self._training_inputs(self._model_inputs(X)), targets, *weight

    def _note_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Record the callbacks that the user gave."""
        self.callbacks_ = [
            callback
            for callback in callbacks
            if not isinstance(callback, EarlyStoppingByParameters)
        ]

    def _note_epochs(self, n_epochs: int, best_epoch: int) -> None:
        """Record the length of the history, and the epoch in it whose weights were kept."""
        self.n_iter_ = len(self.history_["loss"])
        self.best_epoch_ = self.n_iter_ - n_epochs + best_epoch

    def _note_history(
        self, logged: Mapping[str, list[Any]], warm_start: bool, first_epoch: int
    ) -> None:
        if not warm_start or first_epoch == 0 or not hasattr(self, "history_"):
            self.history_ = defaultdict(list)
        for name, values in logged.items():
            self.history_[_full_name(name)] += values


def _full_name(metric: str) -> str:
    """SciKeras' name of a metric, such as "mean_squared_error" for "mse"."""
    if metric == "loss" or metric.startswith("val_"):
        return metric
    try:
        return metric_name(metric)
    except ValueError:
        return metric
