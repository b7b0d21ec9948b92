"""SciKeras' wrapper, repaired for today's scikit-learn and Keras.

No other file imports SciKeras. What is wrong with SciKeras 0.13.0 on scikit-learn 1.9 and Keras
3.15, and is not so here:

- Its import replaces how Keras pickles and copies models, losses, metrics and optimizers, for all
  other code too. What it replaces is put back, unless the user imported SciKeras first.
- Its tags are those of scikit-learn 1.5 and its mixins follow their base class: to scikit-learn its
  classifier is none, so that folds are not stratified and ``roc_auc`` fails.
- It takes whatever is in ``__dict__`` for a parameter, shows it so in its ``repr``, and cannot set
  a parameter that is routed to a callback (`skhp.estimators.routed_parameters`).
- It seeds Python's, NumPy's and TensorFlow's global generators while it fits, which other threads
  see, and lets Keras shuffle by TensorFlow's global seed.
- It multiplies class weights into the caller's array of sample weights.
- It trains the very model, optimizer, metrics and callbacks that it is given as instances, so that
  a second fit starts where the first one ended, or fails.
- It finds no class for a loss or metric that is named as "BinaryCrossentropy", so that no argument
  can be routed to it.
- It drops callbacks that are passed to ``fit``, forgets the classes in a warm start, and asks a
  feature encoder for its metadata that was never fitted.
- It needs the outputs of a model before there are any in a model that is built by its first batch.
- It refuses to predict on floats after a fit on whole numbers, and on other widths of string.
- Its label encoder squeezes the probabilities of a single row to one dimension, takes logits for
  probabilities, predicts with too few output units, and lets Keras compare one column of class
  numbers with several units (`skhp.estimators.class_encoding`).
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skhp.estimators.arrays import checked_arrays, checked_features
from skhp.estimators.custom_preparation import CheckedFit
from skhp.estimators.keras_arguments import (
    WRAPPER_CONSTRAINTS,
    built_output_units,
    class_named,
    n_training_rows,
    predicts_in_its_own_way,
    refuse_learning_rate,
    rows_at_once,
    started_afresh,
    watches_prediction,
)
from skhp.estimators.routed_parameters import RoutedParametersMixin
from skhp.estimators.scikit_learn_private import CallbackSupportMixin, check_sample_weight
from skhp.networks.keras_private import DefaultSeeds
from skhp.networks.model_outputs import model_outputs
from skhp.networks.portable_model import PortableModel, custom_objects, loading_scope
from skhp.training import TrainingSeeds
from skhp.training.model_fit import as_model_inputs


@contextlib.contextmanager
def keras_left_as_it_was() -> Iterator[None]:
    """Undo what the first import of SciKeras does to Keras."""
    imported_before = "scikeras" in sys.modules
    classes = (
        keras.Model,
        keras.losses.Loss,
        keras.metrics.Metric,
        keras.optimizers.Optimizer,
    )
    before = [dict(vars(changed)) for changed in classes]
    yield
    for changed, attributes in zip(classes, before, strict=True):
        for name in ("__reduce__", "__deepcopy__"):
            if not imported_before and name in vars(changed) and name not in attributes:
                delattr(changed, name)


with keras_left_as_it_was():
    from scikeras._utils import route_params
    from scikeras.utils import loss_name, metric_name
    from scikeras.utils.transformers import ClassifierLabelEncoder, RegressorTargetEncoder
    from scikeras.wrappers import BaseWrapper

__all__ = [
    "BaseWrapper",
    "ClassifierLabelEncoder",
    "RegressorTargetEncoder",
    "RepairedWrapper",
    "loss_name",
    "metric_name",
    "route_params",
]

# `_more_tags`, dead on every scikit-learn that skhp supports, makes `check_estimator` refuse all
# subclasses of a class that has it alone. This is the method that the class inherits anyway.
if "__sklearn_tags__" not in vars(BaseWrapper):
    BaseWrapper.__sklearn_tags__ = BaseEstimator.__sklearn_tags__


class RepairedWrapper(CallbackSupportMixin, RoutedParametersMixin, BaseWrapper):
    """A Keras model as an estimator: its parameters, its parts, its rows and its predictions."""

    _unrouted_names = frozenset(
        BaseWrapper._fit_kwargs | BaseWrapper._compile_kwargs | BaseWrapper._predict_kwargs
    )
    _parameter_constraints: ClassVar[dict[str, Any]] = WRAPPER_CONSTRAINTS

    model_: keras.Model

    __repr__ = BaseEstimator.__repr__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return self.initialized_

    def __sklearn_clone__(self) -> Self:
        if not isinstance(self.model, keras.Model):
            return super().__sklearn_clone__()
        with loading_scope(custom_objects(self.model)):
            return super().__sklearn_clone__()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        # They refer to the model, and have no part in predictions.
        state.pop("callbacks_", None)
        for name in ("model", "model_"):
            if isinstance(state.get(name), keras.Model):
                state[name] = PortableModel(state[name])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        restored = {
            name: value.restored() if isinstance(value, PortableModel) else value
            for name, value in state.items()
        }
        super().__setstate__(restored)

    # The model and its parts

    def _check_model_param(self) -> Callable[..., keras.Model]:
        if isinstance(self.model, keras.Model):
            return PortableModel(self.model).restored
        if callable(self.model) and not inspect.isfunction(self.model):
            return self.model
        return super()._check_model_param()

    def _build_keras_model(self) -> keras.Model:
        with self._default_seeds.in_use():
            model = super()._build_keras_model()
        if not isinstance(model, keras.Model):
            raise TypeError(f"The build function has to return a keras.Model, got {model!r}.")
        return model

    def _draw_seeds(self) -> None:
        # What SciKeras would seed the global generators with.
        self._random_state = None
        if self.random_state is None:
            drawn = np.random.SeedSequence().generate_state(1)[0]
        else:
            drawn = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._seeds = TrainingSeeds.derived_from(int(drawn))
        self._default_seeds = DefaultSeeds(
            self._seeds.network, required=self.random_state is not None
        )

    def _ensure_compiled_model(self) -> None:
        super()._ensure_compiled_model()
        if all(loss is None for loss in keras.tree.flatten(self.model_.loss)):
            raise ValueError("You must provide a loss or a compiled model.")

    def _get_compile_kwargs(self) -> dict[str, Any]:
        params = self.get_params()
        if hasattr(params["loss"], "get_params") and not isinstance(params["loss"], type):
            # The loss has its own parameters already, which SciKeras would have its class take.
            params = {name: params[name] for name in params if not name.startswith("loss__")}
        for name, module in (("loss", keras.losses), ("metrics", keras.metrics)):
            params[name] = keras.tree.map_structure(
                lambda given, module=module: class_named(given, module), params[name]
            )
        stand_in = types.SimpleNamespace(
            get_params=lambda: params, _compile_kwargs=self._compile_kwargs
        )
        return keras.tree.map_structure(started_afresh, BaseWrapper._get_compile_kwargs(stand_in))

    def _ready_callbacks(self, purpose: str) -> list[keras.callbacks.Callback]:
        # SciKeras leaves the callbacks in the object that it is called on.
        compiled = types.SimpleNamespace(get_params=self.get_params)
        BaseWrapper._initialize_callbacks(compiled)
        # Keras leaves its model and its counts in a callback. The lists and files that a callback
        # of the user's refers to remain the user's own.
        return [
            copy.copy(callback)
            for callback in keras.tree.flatten(getattr(compiled, f"_{purpose}_callbacks"))
        ]

    def _check_model_compatibility(self, y: Any) -> None:
        if getattr(self.model_, "outputs", None):
            super()._check_model_compatibility(y)

    # Rows

    def _validate_data(
        self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False
    ) -> tuple[np.ndarray, Any]:
        if y is None and not reset:
            X = checked_features(self, X)
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

    def _checked(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        warm_start: bool,
        keywords: dict[str, Any],
        whole: bool,
    ) -> CheckedFit:
        """Check the rows and the arguments of a fit; `whole` refuses rows to learn nothing from."""
        fresh = not ((warm_start or self.warm_start) and self.initialized_)
        X, y = self._validate_data(X, y, reset=fresh)
        weight = self._row_weight(X, y, sample_weight)
        used = np.ones(len(X), bool) if weight is None else weight > 0
        if not used.any():
            raise ValueError(
                "No row has a weight: only zeros were passed in sample_weight, or "
                "class_weight is zero for all rows. Give at least one non-zero number."
            )
        arguments = self._fit_arguments(keywords, n_rows=int(used.sum()))
        if whole:
            self._refuse_rows(y[used], arguments["n_training"])
        return CheckedFit(X, y, weight, used, arguments, fresh)

    @contextlib.contextmanager
    def _model_for(self, checked: CheckedFit) -> Iterator[tuple[Any, Any]]:
        """Build and compile the model; inside, its random numbers are those of the fit.

        Yields the rows as it takes them.
        """
        if checked.fresh:
            self._make_model(checked.X, checked.y)
        with self._default_seeds.in_use():
            self._ensure_compiled_model()
            refuse_learning_rate(self.model_)
            inputs = as_model_inputs(self.feature_encoder_.transform(checked.X[checked.used]))
            self._output_units = built_output_units(self.model_, inputs)
            targets = self._encoded_target(checked.y[checked.used])
            self._check_model_compatibility(targets)
            yield inputs, targets

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

    # Prediction

    def _predict_raw(self, X: ArrayLike, **keywords: Any) -> Any:
        check_is_fitted(self)
        X, _ = self._validate_data(X)
        routed = route_params(
            self.get_params(),
            destination="predict",
            pass_filter=self._predict_kwargs - {"batch_size", "verbose"},
            strict=True,
        )
        routed.pop("callbacks", None)
        asked = routed | keywords
        batch_size = rows_at_once(asked.pop("batch_size", self.batch_size), len(X))
        verbose = asked.pop("verbose", 0)
        callbacks = [c for c in self._ready_callbacks("predict") if watches_prediction(c)]
        callbacks += keras.tree.flatten(asked.pop("callbacks", None) or [])
        inputs = as_model_inputs(self.feature_encoder_.transform(X))
        if asked or verbose or callbacks or predicts_in_its_own_way(self.model_):
            outputs = self.model_.predict(
                inputs, batch_size=batch_size, verbose=verbose, callbacks=callbacks, **asked
            )
        else:
            outputs = model_outputs(self.model_, inputs, batch_size)
        return keras.tree.map_structure(_as_float64, outputs)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score of the predictions for `X`, by the method `scorer`.

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
        return self.scorer(y, self.predict(X), sample_weight=sample_weight, **arguments)


def _as_float64(output: np.ndarray) -> np.ndarray:
    return output.astype(np.float64) if output.dtype.kind == "f" else output
