"""The rows of a wrapped model, the steps of its fit before the training, and its predictions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skhp.compat.forked_process import refuse_after_fork
from skhp.compat.scikit_learn import check_sample_weight
from skhp.estimators.keras_model.arguments import (
    all_callbacks,
    built_output_units,
    n_training_rows,
    predicts_in_its_own_way,
    refuse_inputs,
    refuse_learning_rate,
    refuse_tokens,
    refuse_unused_validation,
    rows_at_once,
    separate_callbacks,
    watches_prediction,
)
from skhp.estimators.keras_model.model_wrapper import ModelWrapper, route_params
from skhp.estimators.several_inputs import PackedInputs, column_places
from skhp.estimators.tables import checked_arrays, checked_rows
from skhp.exceptions import InvalidParameterError
from skhp.networks.predictions import model_outputs
from skhp.shared.unusable_data import are_several_inputs, refuse_several_inputs
from skhp.training.keras_fit import as_model_inputs
from skhp.training.training_rows import row_groups, validation_split


class HeldOutLabels(NamedTuple):
    """Held-out labels for a threshold or a metric, with the user's sample weights."""

    labels: np.ndarray
    weight: np.ndarray | None


class CheckedFit(NamedTuple):
    """The checked rows of a fit, not yet encoded, and the arguments of Keras' fit.

    `weight` is the product of `sample_weight`, which the user gave, and class weights; `used` is
    False for rows of weight zero. `fresh` is False if a fitted model is trained further. `held_out`
    is None if nothing is tuned after the training. `stops_early` is True if the parameters ask for
    early stopping.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    used: np.ndarray
    arguments: dict[str, Any]
    fresh: bool
    held_out: HeldOutLabels | None = None
    sample_weight: np.ndarray | None = None
    stops_early: bool = False


class PartedRows(NamedTuple):
    """Rows as the model takes them, split for training and validation, which may be None."""

    X: Any
    y: Any
    weight: np.ndarray | None
    validation: Any


def parted_rows(X: Any, y: Any, weight: np.ndarray | None, n_training: int) -> PartedRows:
    """Split rows: the first are to train on, and the others, if any, to validate on."""
    if n_training == len(keras.tree.flatten(X)[0]):
        return PartedRows(X, y, weight, None)

    def taken(rows: Any, part: slice) -> Any:
        return keras.tree.map_structure(lambda array: array[part], rows)

    training, held_out = slice(None, n_training), slice(n_training, None)
    watched = taken((X, y), held_out)
    if weight is not None:
        # Relative to the mean weight of the training rows, which Keras sees as 1.
        watched = (*watched, weight[held_out] / weight[training].mean())
        weight = weight[training]
    return PartedRows(taken(X, training), taken(y, training), weight, watched)


class RepairedWrapper(ModelWrapper):
    """A wrapped model with its rows and its predictions."""

    validation_fraction: float
    validation_rows: str
    input_columns: Any
    _packed_inputs: PackedInputs | None = None

    # Rows

    def _packed(self, X: Any, y: Any, reset: bool) -> Any:
        """Rows as one table, also where they are several inputs."""
        known: PackedInputs | None = getattr(self, "_packed_inputs", None)
        several = are_several_inputs(X, y) or (not reset and known is not None)
        if reset:
            self._packed_inputs = PackedInputs.of(X, type(self).__name__) if several else None
        elif several and known is None:
            refuse_several_inputs(X, y)
        if several and self.input_columns is not None:
            raise InvalidParameterError(
                "input_columns parts one table into inputs, and X is several inputs already: leave "
                "one of the two out."
            )
        packed: PackedInputs | None = self._packed_inputs
        return packed.table(X, type(self).__name__) if several and packed else X

    def _model_inputs(self, X: np.ndarray) -> Any:
        """Checked rows as the model takes them."""
        transformed = self.feature_encoder_.transform(X)
        if self._packed_inputs is not None:
            transformed = self._packed_inputs.inputs(transformed)
        elif self.input_columns is not None:
            names = getattr(self, "feature_names_in_", None)
            places = column_places(self.input_columns, transformed.shape[1], names)
            transformed = {name: transformed[:, columns] for name, columns in places.items()}
        inputs = as_model_inputs(transformed)
        refuse_tokens(self.model_, inputs)
        return inputs

    def _validate_data(
        self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False
    ) -> tuple[np.ndarray, Any]:
        X = self._packed(X, y, reset)
        if y is None and not reset:
            X = checked_rows(self, X)
        else:
            X, y = checked_arrays(self, X, y, first=reset)
        if reset:
            self.X_dtype_, self.X_shape_ = X.dtype, X.shape
            self.y_dtype_, self.y_ndim_ = y.dtype, y.ndim
            self.target_type_ = self._type_of_target(y)
        if X.shape[1:] != self.X_shape_[1:]:
            raise ValueError(
                f"X has {X.ndim} dimensions and rows of shape {X.shape[1:]}, but "
                f"{type(self).__name__} is expecting {len(self.X_shape_)} dimensions in X and "
                f"rows of shape {self.X_shape_[1:]}."
            )
        if y is not None and y.ndim != self.y_ndim_:
            raise ValueError(
                f"y has {y.ndim} dimensions, but this {type(self).__name__} is expecting "
                f"{self.y_ndim_} dimensions in y."
            )
        return X, y

    def _row_weight(
        self, X: np.ndarray, y: np.ndarray, sample_weight: ArrayLike | None
    ) -> np.ndarray | None:
        """Weights of the rows; None if all weigh the same."""
        if sample_weight is None:
            return None
        return check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)

    # A fit, up to its training

    def initialize(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Build the model without training it, for example if it is already trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), as in `fit`

        Returns
        -------
        self : object
        """
        self._validate_params()
        self._initialize(X, y)
        return self

    def _initialize(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        X, y = self._validate_data(X, y, reset=True)
        self._draw_seeds()
        self._count_classes(y, np.ones(len(y), bool))
        self._make_model(X, y)
        return X, y

    def _count_classes(self, y: np.ndarray, used: np.ndarray) -> None:
        """Learn the classes from the targets of the rows in use, before the model is built."""

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> None:
        self.target_encoder_ = self.target_encoder.fit(y)
        self.__dict__.update(getattr(self.target_encoder_, "get_metadata", dict)())
        self.feature_encoder_ = self.feature_encoder.fit(X)
        self.__dict__.update(getattr(self.feature_encoder_, "get_metadata", dict)())
        self._built_with = self._building_parameters()
        self.model_ = self._build_keras_model()

    def _encoded_target(self, y: np.ndarray) -> Any:
        """A target as the loss of the model takes it."""
        return as_model_inputs(self.target_encoder_.transform(y))

    def _refuse_rows(self, y: np.ndarray, n_training: int) -> None:
        """Raise if a model cannot learn from the training targets."""

    def _checked(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        warm_start: bool,
        keywords: dict[str, Any],
        whole: bool,
    ) -> CheckedFit:
        """Check the rows and the arguments of a fit.

        `whole`, which is False in `partial_fit`, refuses rows that a model cannot learn from, and
        holds out rows for early stopping.
        """
        refuse_after_fork()
        fresh = not ((warm_start or self.warm_start) and self.initialized_)
        X, y = self._validate_data(X, y, reset=fresh)
        if fresh:
            self._draw_seeds()
        weight = self._row_weight(X, y, sample_weight)
        given_weight = RepairedWrapper._row_weight(self, X, y, sample_weight)
        used = np.ones(len(X), bool) if weight is None else weight > 0
        if not used.any():
            raise ValueError(
                "No row has a weight: only zeros were passed in sample_weight, or "
                "class_weight is zero for all rows. Give at least one non-zero number."
            )
        arguments = self._fit_arguments(keywords, n_rows=int(used.sum()))
        stops_early = whole and bool(self.early_stopping)
        is_watched = arguments["n_training"] < used.sum() or "validation_data" in arguments
        if stops_early and not is_watched:
            order, arguments["n_training"] = self._held_out_last(X, y, given_weight, used)
            X, y, used = X[order], y[order], used[order]
            weight = None if weight is None else weight[order]
            given_weight = None if given_weight is None else given_weight[order]
        if whole:
            self._refuse_rows(y[used], arguments["n_training"])
        return CheckedFit(X, y, weight, used, arguments, fresh, None, given_weight, stops_early)

    def _held_out_last(
        self, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, used: np.ndarray
    ) -> tuple[np.ndarray, int]:
        """Indices of training, then held-out, then unused rows; and how many rows train."""
        rows = np.flatnonzero(used)
        _, groups = row_groups(X[rows])
        kept, held_out = validation_split(
            groups,
            self.validation_fraction,
            self._seeds.split,
            self._strata(y[rows]),
            None if weight is None else weight[rows],
            rows_given_as="validation_data=(X, y)",
            which=self.validation_rows,
        )
        return np.concatenate([rows[kept], rows[held_out], np.flatnonzero(~used)]), len(kept)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Class numbers by which the split for early stopping is stratified, or None."""

    @contextlib.contextmanager
    def _model_for(self, checked: CheckedFit) -> Iterator[tuple[Any, Any]]:
        """Build and compile the model, and yield inputs and targets in the form that it takes.

        Inside the block, Keras draws its random numbers from the seeds of the fit.
        """
        if checked.fresh:
            self._count_classes(checked.y, checked.used)
            self._make_model(checked.X, checked.y)
        else:
            self._refuse_changes()
        with self._default_seeds.in_use():
            self._ensure_compiled_model()
            refuse_learning_rate(self.model_)
            inputs = self._model_inputs(checked.X[checked.used])
            refuse_inputs(self.model_, inputs)
            self._output_units = built_output_units(self.model_, inputs)
            targets = self._encoded_target(checked.y[checked.used])
            self._check_model_compatibility(targets)
            self._choose_trained_model(checked.arguments)
            inputs = self._training_inputs(inputs)
            if checked.stops_early:
                self._begin_to_watch(checked, inputs, targets)
            yield inputs, targets

    @property
    def _trained_model(self) -> keras.Model:
        """The model that a fit trains: `model_`, or a part of it."""
        return self.model_

    def _choose_trained_model(self, arguments: Mapping[str, Any]) -> None:
        """Decide which part of `model_` a fit trains."""

    def _training_inputs(self, inputs: Any) -> Any:
        """Inputs of `model_`, in the form that `_trained_model` takes."""
        return inputs

    def _begin_to_watch(self, checked: CheckedFit, inputs: Any, targets: Any) -> None:
        """Add the callback for early stopping to the callbacks of a fit."""

    def _fit_arguments(self, keywords: dict[str, Any], n_rows: int) -> dict[str, Any]:
        """Arguments of a fit; arguments of the call replace parameters."""
        routed = route_params(
            self._python_params(), destination="fit", pass_filter=self._fit_kwargs
        )
        if keywords.get("validation_data") is not None:
            routed.pop("validation_split", None)
        callbacks = self._ready_callbacks("fit")
        callbacks += all_callbacks(keywords.get("callbacks"))
        arguments = {
            name: value
            for name, value in {**_without_callbacks(routed), **keywords}.items()
            if name not in ("epochs", "initial_epoch", "sample_weight", "callbacks")
        }
        refuse_unused_validation(arguments, early_stopping=bool(self.early_stopping))
        batch_size = rows_at_once(arguments.get("batch_size"), n_rows)
        validation_batch_size = arguments.get("validation_batch_size") or batch_size
        n_training = n_training_rows(n_rows, arguments.pop("validation_split", 0.0))
        return {
            **arguments,
            "batch_size": batch_size,
            "validation_batch_size": rows_at_once(validation_batch_size, n_rows),
            "n_training": n_training,
            "callbacks": separate_callbacks(callbacks),
        }

    # Prediction

    def _predict_raw(self, X: ArrayLike, **keywords: Any) -> Any:
        refuse_after_fork()
        check_is_fitted(self)
        X, _ = self._validate_data(X)
        routed = route_params(
            self._python_params(),
            destination="predict",
            pass_filter=self._predict_kwargs - {"batch_size", "verbose"},
        )
        asked = _without_callbacks(routed) | keywords
        batch_size = rows_at_once(asked.pop("batch_size", self.batch_size), len(X))
        verbose = asked.pop("verbose", 0)
        callbacks = [c for c in self._ready_callbacks("predict") if watches_prediction(c)]
        callbacks = separate_callbacks(callbacks + all_callbacks(asked.pop("callbacks", None)))
        inputs = self._model_inputs(X)
        if asked or verbose or callbacks or predicts_in_its_own_way(self.model_):
            outputs = self.model_.predict(
                inputs, batch_size=batch_size, verbose=verbose, callbacks=callbacks, **asked
            )
        else:
            outputs = model_outputs(*self._predicting(inputs), batch_size)
        return keras.tree.map_structure(_as_float64, outputs)

    def _predicting(self, inputs: Any) -> tuple[keras.Model, Any]:
        """The model that predicts, and the inputs of `model_` in the form that it takes."""
        return self.model_, inputs

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score of the predictions by `scorer`: accuracy, or the coefficient of determination.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        arguments = route_params(self.get_params(), destination="score", pass_filter=set())
        y = self._as_learnt(y)
        return self.scorer(y, self.predict(X), sample_weight=sample_weight, **arguments)

    def _as_learnt(self, y: Any) -> Any:
        """A target in the form that predictions have."""
        return y


def _without_callbacks(routed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in routed.items() if name.partition("__")[0] != "callbacks"}


def _as_float64(output: np.ndarray) -> np.ndarray:
    return output.astype(np.float64) if output.dtype.kind == "f" else output
