"""Transfer: a trained network, cut before its head, is the base of a new one.

Frozen layers always compute the same outputs for a row, so they run once for all rows of a fit.
Only a model of the other layers trains, with these outputs as its rows. It shares its layers with
the whole network, `model_`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import is_classifier

from skhp.estimators.early_stopping import unread_callbacks
from skhp.estimators.keras_model.model_wrapper import loss_name
from skhp.estimators.keras_model.transfer.joined_layers import (
    after_frozen,
    composed,
    with_held_layers,
)
from skhp.estimators.keras_model.watched_rows import WatchedWrapper
from skhp.exceptions import InvalidParameterError
from skhp.networks.predictions import model_outputs
from skhp.networks.whole_models.portable_model import (
    PortableModel,
    anonymous_configuration,
    configuration_text,
    loading_scope,
)
from skhp.networks.whole_models.unmade_model import refuse_hostile_file
from skhp.population.handover import computed_once, prepared_once, shares_computations
from skhp.shared.equality import library_of

# At least this many rows go through frozen layers at once.
_ROWS_AT_ONCE = 32

_OF_TRANSFER = ("freeze", "fine_tune_epochs", "fine_tune_learning_rate")


# The base


def portable_base(given: keras.Model | str | os.PathLike[str]) -> PortableModel:
    """A base to make copies of; in a search, it is read once."""
    if isinstance(given, keras.Model):
        return prepared_once("base model", (given,), lambda: PortableModel(given))
    path = Path(given)
    try:
        state = path.stat()
    except OSError as error:
        raise InvalidParameterError(
            f"base_model={str(path)!r} cannot be read: {error.strerror}. Give the path of a file "
            "that model.save('name.keras') has written."
        ) from None
    key = ("base model in a file", str(path), state.st_mtime_ns, state.st_size)
    return prepared_once(key, (), lambda: PortableModel(_read(path)))


def _read(path: Path) -> keras.Model:
    if path.suffix != ".keras" or not path.is_file():
        raise InvalidParameterError(
            f"base_model={str(path)!r} is not a .keras file, the only format that Keras can read "
            "safely. Write one with model.save('name.keras'), or give the model itself."
        )
    try:
        refuse_hostile_file(path)
        with loading_scope({}):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:400]
        raise InvalidParameterError(
            f"base_model={str(path)!r} cannot be loaded: the file is damaged, or needs code that "
            "Keras' safe mode does not run, such as a Lambda layer's, or a class that is not "
            "registered with keras.saving.register_keras_serializable. Mend the file, or, if you "
            f"trust it, load the model and give the model itself. The reason: {reason}"
        ) from error
    if not isinstance(model, keras.Model):
        raise InvalidParameterError(
            f"base_model={str(path)!r} holds a {type(model).__name__}, and not a keras.Model."
        )
    return model


def refuse_rows(base: keras.Model, inputs: Any) -> None:
    """Raise if rows have another shape than a base takes."""
    taken, given = keras.tree.flatten(base.inputs), keras.tree.flatten(inputs)
    if len(taken) != len(given):
        raise ValueError(f"base_model takes {len(taken)} inputs, and X has {len(given)}.")
    if isinstance(inputs, dict):
        named = {tensor.name: tensor for tensor in taken}
        taken = [named.get(name, tensor) for name, tensor in zip(inputs, taken, strict=True)]
    for tensor, array in zip(taken, given, strict=True):
        expected, shape = tuple(tensor.shape[1:]), tuple(np.shape(array)[1:])
        # Keras, too, adds a missing last axis of length 1.
        for possible in (shape, (*shape, 1)):
            if len(possible) == len(expected) and all(
                size in (None, one) for size, one in zip(expected, possible, strict=True)
            ):
                break
        else:
            raise ValueError(
                f"base_model takes rows of the shape {expected}, and the rows of X have the shape "
                f"{shape}. Give X the shape (n_samples, {', '.join(map(str, expected))}), for "
                "example by a reshape or a resize of the images."
            )


def features_of(part: keras.Model, inputs: Any) -> np.ndarray:
    """The outputs of frozen layers for rows; a population computes them once for all members."""

    def computed() -> np.ndarray:
        return model_outputs(part, inputs, _ROWS_AT_ONCE).astype(np.float32, copy=False)

    if not shares_computations():
        return computed()
    digest = hashlib.blake2b(digest_size=16)
    shape = inputs.shape[1:] if isinstance(inputs, np.ndarray) else None
    digest.update(configuration_text(anonymous_configuration(part, shape)).encode())
    for array in (*(np.asarray(v) for v in part.variables), *keras.tree.flatten(inputs)):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return computed_once(("features of a base", digest.digest()), computed)


class TransferWrapper(WatchedWrapper):
    """A wrapped model that may be built on a base; not for direct use."""

    base_model: keras.Model | str | os.PathLike[str] | None
    freeze: bool | int
    fine_tune_epochs: int
    fine_tune_learning_rate: float | None
    # The layer of `model_` that holds the frozen part, if any.
    _frozen_part: str | None = None
    _is_fine_tuned = False
    # The model that trains in place of `model_`, with all of its layers or those after the frozen
    # part.
    _stand_in: keras.Model | None = None
    _takes_features = False

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_stand_in", None)
        return state

    def __sklearn_clone__(self) -> Self:
        # A base is large and never changed, so a clone has the same one.
        cloned = super(TransferWrapper, self._copied(base_model=None)).__sklearn_clone__()
        cloned.base_model = self.base_model
        return cloned

    def _copied(self, **changed: Any) -> Self:
        """A shallow copy, whose fit does not change the estimator."""
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__, **changed)
        return copied

    # The parameters

    def _model_mistake(self) -> str | None:
        if self.base_model is None:
            return super()._model_mistake()
        given = [name for name in ("model", "build_fn") if getattr(self, name) is not None]
        given += ["the method _keras_build_fn"] if hasattr(self, "_keras_build_fn") else []
        if given:
            return (
                f"base_model and {' and '.join(given)} are both given, but only one of them can "
                "make the model. Leave out one of them."
            )
        return None

    def _further_mistakes(self) -> list[str]:
        mistakes = super()._further_mistakes()
        if self.base_model is None:
            chosen = self._chosen()
            mistakes += [
                f"{name}={chosen[name]!r} has no effect, as base_model is None."
                for name in _OF_TRANSFER
                if name in chosen
            ]
        elif self.fine_tune_learning_rate is not None and not self.fine_tune_epochs:
            mistakes.append(
                f"fine_tune_learning_rate={self.fine_tune_learning_rate!r} has no effect, as "
                "fine_tune_epochs is 0."
            )
        return mistakes

    def _building_parameters(self) -> dict[str, Any]:
        parameters = super()._building_parameters()
        return parameters if self.base_model is None else parameters | {"freeze": self.freeze}

    # The model

    def _build_keras_model(self) -> keras.Model:
        if self.base_model is None:
            return super()._build_keras_model()
        units, activation = self._head()
        self._is_fine_tuned, self._stand_in, self._takes_features = False, None, False
        with self._default_seeds.in_use():
            head = keras.layers.Dense(units, activation=activation, dtype="float32")
            base = portable_base(self.base_model).restored()
            model, self._frozen_part = composed(base, self.freeze, head, self.X_shape_[1:])
        return model

    def _head(self) -> tuple[int, str | None]:
        """Units and activation of the head for the target."""
        if not is_classifier(self):
            return self.n_outputs_, None
        if self.n_classes_ is None:
            raise ValueError(
                f"base_model is for a target of classes or of several labels, and y is "
                f"{self.target_type_}. Give a build function as model."
            )
        loss = self._get_compile_kwargs()["loss"]
        named = loss_name(loss) if isinstance(loss, str) or callable(loss) else ""
        of_classes = self.target_type_ == "multiclass" or "categorical" in named
        units = 1 if self.target_type_ == "binary" and not of_classes else int(self.n_classes_)
        if isinstance(loss, keras.losses.Loss) and loss.get_config().get("from_logits"):
            return units, None
        if named in ("hinge", "squared_hinge"):
            return units, "tanh"
        return units, "softmax" if of_classes else "sigmoid"

    def _get_compile_kwargs(self) -> dict[str, Any]:
        compiled = super()._get_compile_kwargs()
        if self.base_model is not None and compiled.get("loss") is None:
            compiled["loss"] = "mean_squared_error"
            if is_classifier(self):
                one_of_many = self.target_type_ == "multiclass"
                kind = "sparse_categorical" if one_of_many else "binary"
                compiled["loss"] = f"{kind}_crossentropy"
        return compiled

    # The fit

    def _model_inputs(self, X: np.ndarray) -> Any:
        inputs = super()._model_inputs(X)
        if self.base_model is not None:
            refuse_rows(self.model_, inputs)
        return inputs

    @property
    def _trained_model(self) -> keras.Model:
        return self.model_ if self._stand_in is None else self._stand_in

    def _choose_trained_model(self, arguments: Mapping[str, Any]) -> None:
        self._stand_in, self._takes_features = None, False
        if self.base_model is None:
            return
        # Callbacks in Python, and a subclass with its own fit, must see the whole network.
        if (
            self._frozen_part is not None
            and not unread_callbacks(arguments.get("callbacks", ()))
            and library_of(self._fit_keras_model) == "skhp"
            and not self.model_.get_layer(self._frozen_part).trainable_variables
        ):
            self._takes_features = True
            model = after_frozen(self.model_, self._frozen_part)
        else:
            model = with_held_layers(self.model_, all_before_head=self._is_fine_tuned)
        if model is not None:
            model.compile(**{**self._get_compile_kwargs(), "optimizer": self.model_.optimizer})
        self._stand_in = model

    def _training_inputs(self, inputs: Any) -> Any:
        if not self._takes_features:
            return inputs
        return features_of(self.model_.get_layer(self._frozen_part), inputs)

    def _predicting(self, inputs: Any) -> tuple[keras.Model, Any]:
        if not self._takes_features or self._frozen_part is None:
            return super()._predicting(inputs)
        if self._stand_in is None:
            self._stand_in = after_frozen(self.model_, self._frozen_part)
        return self._stand_in, self._training_inputs(inputs)

    def _begin_to_fine_tune(self) -> bool:
        """Make the whole network ready for fine-tuning; False if there is none."""
        if not self._fine_tunes() or self.stop_reason_ in (
            "non_finite_loss",
            "pruned",
            "time_budget",
        ):
            return False
        with self._default_seeds.in_use():
            compiled = self._get_compile_kwargs()
            optimizer = keras.optimizers.get(compiled["optimizer"])
            slower = self._slower(optimizer)
            for layer in self.model_.layers:
                layer.trainable = True
            self.model_.compile(**{**compiled, "optimizer": slower})
        self._is_fine_tuned, self._frozen_part = True, None
        return True

    def _fine_tunes(self) -> bool:
        return self.base_model is not None and self.fine_tune_epochs > 0

    def _slower(self, optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        """An optimizer with the learning rate of fine tuning."""
        configuration = optimizer.get_config()
        rate = configuration["learning_rate"]
        is_number = isinstance(rate, (int, float))
        if self.fine_tune_learning_rate is not None:
            slower = float(self.fine_tune_learning_rate)
        else:
            # With a schedule, the rate at which the epochs before fine-tuning ended.
            slower = (rate if is_number else float(self.model_.optimizer.learning_rate)) / 10
        if is_number:
            optimizer.learning_rate = slower
            return optimizer
        return type(optimizer).from_config({**configuration, "learning_rate": slower})
