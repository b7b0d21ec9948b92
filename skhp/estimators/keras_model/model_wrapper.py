"""SciKeras' wrapper, repaired for today's scikit-learn and Keras.

No other file imports SciKeras. The faults of SciKeras 0.13.0 on scikit-learn 1.9 and Keras 3.15,
which the wrappers repair:

- Its import changes how Keras pickles and copies models, losses, metrics and optimizers, for all
  other code too. The change is undone, unless the user imported SciKeras first.
- Its tags are those of scikit-learn 1.5, and its classes name their mixins last. scikit-learn does
  not see its classifier as a classifier: folds are not stratified, and ``roc_auc`` fails.
- It treats everything in ``__dict__`` as a parameter (also in its ``repr``), and cannot set a
  parameter that is routed to a callback (`skhp.estimators.keras_model.routed_parameters`).
- It seeds Python's, NumPy's and TensorFlow's global generators while it fits, which other threads
  see, and lets Keras shuffle by TensorFlow's global seed.
- It multiplies class weights into the caller's array of sample weights.
- It trains the very model, optimizer, metrics and callbacks that it is given as instances, so that
  a second fit starts where the first one ended, or fails.
- It is silent about parameters that have no effect: `optimizer` and `metrics` where the model is
  compiled already, `units` beside ``model__units``, parameters routed to a callback that does not
  exist (see `parameters_without_effect.py`).
- It drops ``optimizer__learning_rate__decay_steps``, and passes NumPy scalars, which Keras refuses,
  to the user's layers.
- It does not find the class of a loss or metric given as "BinaryCrossentropy", so that no argument
  can be routed to it.
- It drops callbacks that are passed to ``fit``, forgets the classes in a warm start, and asks a
  feature encoder for its metadata before it is fitted.
- It reads the outputs of a model before they exist, if the model is built by its first batch.
- It refuses to predict on floats after a fit on whole numbers, and on strings of another width.
- Its label encoder squeezes the probabilities of a single row to one dimension, mistakes logits for
  probabilities, predicts with too few output units, and lets Keras compare one column of class
  numbers with several units (`skhp.estimators.keras_model.label_encoding`).
"""

from __future__ import annotations

import contextlib
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_random_state

from skhp.compat.keras import DefaultSeeds
from skhp.compat.scikit_learn import CallbackSupportMixin
from skhp.estimators.familiar_names import suggestion
from skhp.estimators.keras_model.arguments import (
    class_named,
    fresh_objects,
    in_python_types,
    started_afresh,
)
from skhp.estimators.keras_model.build_function import (
    OfferedParameters,
    model_mistake,
    wrong_result,
)
from skhp.estimators.keras_model.parameters_without_effect import (
    held_out_twice,
    refuse_without_effect,
    without_effect,
)
from skhp.estimators.keras_model.routed_parameters import constructor_names
from skhp.estimators.keras_model.wrapper_parameters import WrapperParameters
from skhp.estimators.several_inputs import input_mistakes
from skhp.exceptions import InvalidParameterError
from skhp.networks.whole_models.portable_model import PortableModel, custom_objects, loading_scope
from skhp.shared.equality import equal
from skhp.training.training_rows import TrainingSeeds


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
    from scikeras._utils import route_params, unflatten_params
    from scikeras.utils import loss_name as loss_name
    from scikeras.utils import metric_name as metric_name
    from scikeras.utils.transformers import ClassifierLabelEncoder as ClassifierLabelEncoder
    from scikeras.utils.transformers import RegressorTargetEncoder as RegressorTargetEncoder
    from scikeras.wrappers import BaseWrapper

# `check_estimator` refuses all subclasses of a class that has `_more_tags`, an unused method, but
# no `__sklearn_tags__`. This is the method that the class inherits anyway.
if "__sklearn_tags__" not in vars(BaseWrapper):
    BaseWrapper.__sklearn_tags__ = BaseEstimator.__sklearn_tags__


class ModelWrapper(CallbackSupportMixin, WrapperParameters, BaseWrapper):
    """A Keras model as an estimator: its parameters, and how the model is built and compiled."""

    _unrouted_names = frozenset(
        BaseWrapper._fit_kwargs | BaseWrapper._compile_kwargs | BaseWrapper._predict_kwargs
    )

    model_: keras.Model
    early_stopping: bool
    input_columns: Any
    _built_with: dict[str, Any]

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
        # Callbacks refer to the model, and predictions do not need them.
        state.pop("callbacks_", None)
        source = None
        for name in ("base_model", "model"):
            if isinstance(state.get(name), keras.Model):
                source = state[name] = PortableModel(state[name])
        if isinstance(state.get("model_"), keras.Model):
            state["model_"] = PortableModel(state["model_"], source)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        restored = {
            name: value.restored() if isinstance(value, PortableModel) else value
            for name, value in state.items()
        }
        super().__setstate__(restored)

    # The parameters

    def _suggestion(self, name: str, value: Any, options: list[str]) -> str:
        if name == "monitor":
            return suggestion(name, value, options, of_classes=is_classifier(self))
        return super()._suggestion(name, value, options)

    def _further_mistakes(self) -> list[str]:
        mistake = self._model_mistake()
        if mistake:
            return [mistake]
        mistakes = held_out_twice(self._chosen(), self.early_stopping)
        if isinstance(self.input_columns, dict):
            mistakes += input_mistakes(self.input_columns)
        return mistakes + without_effect(
            self.get_params(),
            self._chosen(),
            self._set_names,
            constructor_names(type(self), inherited=True),
            self._unrouted_names,
            self._build_signature(self.model),
        )

    def _model_mistake(self) -> str | None:
        own_build = getattr(self, "_keras_build_fn", None)
        return model_mistake(self.model, self.build_fn, own_build)

    def _python_params(self) -> dict[str, Any]:
        """The parameters in Python's own types: Keras refuses some of NumPy's."""
        return in_python_types(self.get_params())

    # The model and its parts

    def _building_parameters(self) -> dict[str, Any]:
        """Parameters that a model is built with, and that have no effect on it afterwards."""
        return {
            name: value
            for name, value in self.get_params().items()
            if name in self._user_params | self._compile_kwargs
            or name.startswith(("model__", "compile__", "optimizer__", "loss__", "metrics__"))
            or (name in ("model", "build_fn") and not isinstance(value, keras.Model))
        }

    def _refuse_changes(self) -> None:
        """Raise if a changed parameter would have no effect, as the model is built already."""
        built_with = self._built_with
        asked = self._building_parameters()
        changed = [
            name
            for name in sorted(asked.keys() | built_with.keys())
            if not equal(asked.get(name), built_with.get(name))
            and (self.model_.compiled or not _is_of_compilation(name))
        ]
        if changed:
            raise InvalidParameterError(
                f"The training continues with the model as it was built, so that "
                f"{', '.join(f'{name}={asked.get(name)!r}' for name in changed)} would have no "
                "effect. Fit anew, with warm_start=False, or change `model_` itself."
            )

    def _check_model_param(self) -> Callable[..., keras.Model]:
        given = self._given_build(self.model)
        if isinstance(given, keras.Model):
            return PortableModel(given).restored
        return given

    def _build_keras_model(self) -> keras.Model:
        if self.model is None and self.build_fn is not None:
            warnings.warn(
                "build_fn is the former name of the parameter model. Write model instead.",
                UserWarning,
                stacklevel=7,
            )
        build = self._check_model_param()
        signature = self._build_signature(self.model)
        params = self._python_params()
        arguments = route_params(params, destination="model", pass_filter=self._user_params)
        with self._default_seeds.in_use():
            arguments = fresh_objects(arguments)
        compile_kwargs, offered = OfferedParameters({}), OfferedParameters(params)
        if "meta" in signature.offered:
            arguments["meta"] = in_python_types(self._get_metadata())
        if "compile_kwargs" in signature.offered:
            arguments["compile_kwargs"] = compile_kwargs = OfferedParameters(
                self._get_compile_kwargs()
            )
        if "params" in signature.offered:
            arguments["params"] = offered
        with self._default_seeds.in_use():
            model = build(**arguments)
        if not isinstance(model, keras.Model):
            raise TypeError(wrong_result(build, model))
        if model.compiled:
            # Unlike other arguments of a compilation, this one can be changed afterwards.
            chosen = self._chosen()
            for name in ("run_eagerly", "compile__run_eagerly"):
                if name in chosen:
                    model.run_eagerly = bool(chosen[name])
            self._refuse_without_effect(model, frozenset(compile_kwargs.read | offered.read))
        return model

    def _refuse_without_effect(self, model: keras.Model, read: frozenset[str]) -> None:
        build = self._given_build(self.model)
        refuse_without_effect(
            model,
            self._get_compile_kwargs(),
            self._chosen(),
            self._set_names,
            None if getattr(build, "__self__", None) is self else read,
            is_function=not isinstance(build, keras.Model),
        )

    def _draw_seeds(self) -> None:
        # Unless this is None, SciKeras seeds the global generators with it.
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
        if not self.model_.compiled:
            self._built_with = self._building_parameters()
        super()._ensure_compiled_model()
        if all(loss is None for loss in keras.tree.flatten(self.model_.loss)):
            raise ValueError("You must provide a loss or a compiled model.")

    def _get_compile_kwargs(self) -> dict[str, Any]:
        params = self._python_params()
        if hasattr(params["loss"], "get_params") and not isinstance(params["loss"], type):
            # The instance has its parameters already; SciKeras would pass them to its class.
            params = {name: params[name] for name in params if not name.startswith("loss__")}
        for name, module in (("loss", keras.losses), ("metrics", keras.metrics)):
            params[name] = keras.tree.map_structure(
                lambda given, module=module: class_named(given, module), params[name]
            )
        # SciKeras drops parameters that are routed to a part of the optimizer.
        for name in [name for name in params if re.fullmatch(r"optimizer__((?!__).)+", name)]:
            routed = route_params(params, destination=name, pass_filter=set())
            params[name] = unflatten_params(items=params[name], params=routed)
        stand_in = types.SimpleNamespace(
            get_params=lambda: params, _compile_kwargs=self._compile_kwargs
        )
        return keras.tree.map_structure(started_afresh, BaseWrapper._get_compile_kwargs(stand_in))

    def _ready_callbacks(self, purpose: str) -> list[keras.callbacks.Callback]:
        # SciKeras stores the callbacks on the object that its method is called with.
        compiled = types.SimpleNamespace(get_params=self._python_params)
        BaseWrapper._initialize_callbacks(compiled)
        return keras.tree.flatten(getattr(compiled, f"_{purpose}_callbacks"))

    def _check_model_compatibility(self, y: Any) -> None:
        if getattr(self.model_, "outputs", None):
            super()._check_model_compatibility(y)


def _is_of_compilation(name: str) -> bool:
    route, separator, _ = name.partition("__")
    return route != "model" if separator else name in BaseWrapper._compile_kwargs
