"""Losses by name, and the losses that are a weighted mean over the rows of a batch."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.objectives.numbered_loss import NAMED_LOSSES, NumberedLoss
from skhp.objectives.rare_class_losses import FocalLoss
from skhp.shared.equality import library_of

ROW_WISE_LOSSES = frozenset(
    {
        keras.losses.BinaryCrossentropy,
        keras.losses.BinaryFocalCrossentropy,
        keras.losses.CategoricalCrossentropy,
        keras.losses.CategoricalFocalCrossentropy,
        keras.losses.CategoricalHinge,
        keras.losses.CosineSimilarity,
        keras.losses.Hinge,
        keras.losses.Huber,
        keras.losses.KLDivergence,
        keras.losses.LogCosh,
        keras.losses.MeanAbsoluteError,
        keras.losses.MeanAbsolutePercentageError,
        keras.losses.MeanSquaredError,
        keras.losses.MeanSquaredLogarithmicError,
        keras.losses.Poisson,
        keras.losses.SparseCategoricalCrossentropy,
        keras.losses.SquaredHinge,
    }
)
Divisor = Literal["weight", "rows", "nothing"]
Tensor: TypeAlias = Any

_DIVISOR_OF: dict[str, Divisor] = {
    "mean_with_sample_weight": "weight",
    "sum_over_batch_size": "rows",
    "mean": "rows",
    "sum": "nothing",
}


@dataclass(frozen=True)
class RowLoss:
    """A loss: its class, its settings and the divisor of its reduction."""

    kind: type[keras.losses.Loss]
    settings: tuple[tuple[str, Any], ...]
    divisor: Divisor

    @property
    def shares_batches(self) -> bool:
        """Whether the loss of a batch is the sum of the losses of its parts."""
        return not takes_whole_batches(self.kind)

    def total(
        self, y: Tensor, outputs: Tensor, weight: Tensor, numbers: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """The loss of all rows together; the last axis of `outputs` is for the output units."""
        if takes_whole_batches(self.kind):
            settings = dict(self.settings)
            numbers = numbers or self.kind(**settings).numbers_of_member()
            y = y if y.shape.rank == outputs.shape.rank else y[..., None]
            of_program = {name: settings[name] for name in self.kind.of_program}
            return self.kind.of_batch(y, outputs, weight, numbers, **of_program)
        values = self.of_rows(y, outputs, numbers)
        # Outputs with more axes, such as series, have a loss at each place.
        places = list(range(weight.shape.rank, values.shape.rank))
        if places:
            over = tf.reduce_sum if self.divisor == "nothing" else tf.reduce_mean
            values = over(values, axis=places)
        return weighted_sum(values, weight)

    def of_rows(self, y: Tensor, outputs: Tensor, numbers: tuple[Tensor, ...] = ()) -> Tensor:
        """Loss of each row."""
        if numbers:
            return self.kind.of_rows(y, outputs, numbers)
        return self.kind(**dict(self.settings), reduction=None).call(y, outputs)

    def parted(self) -> tuple[RowLoss, tuple[float, ...]]:
        """The loss without the numbers that may differ between members, and these numbers."""
        if not issubclass(self.kind, NumberedLoss):
            return self, ()
        settings = dict(self.settings)
        numbers = self.kind(**settings).numbers_of_member()
        shared = {name: settings[name] for name in self.kind.of_program}
        return replace(self, settings=tuple(sorted(shared.items()))), numbers


@dataclass(frozen=True)
class SumOfLosses:
    """The loss of a network of several outputs: the weighted sum of a loss for each.

    Losses and weights are in the order of the outputs; an output whose loss is None has no target.
    """

    losses: tuple[RowLoss | None, ...]
    weights: tuple[float, ...]

    shares_batches = False

    @property
    def divisor(self) -> Divisor:
        """The divisor of the loss of a batch, the same for all outputs."""
        return next(loss.divisor for loss in self.losses if loss is not None)

    def parted(self) -> tuple[SumOfLosses, tuple[float, ...]]:
        """The loss itself, as none of its numbers may differ."""
        return self, ()

    def total(
        self, y: Any, outputs: Any, weight: Tensor, numbers: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """Loss of all rows together."""
        targets = iter(tf.nest.flatten(y))
        return tf.add_n(
            [
                factor * loss.total(next(targets), output, weight)
                for loss, factor, output in zip(
                    self.losses, self.weights, tf.nest.flatten(outputs), strict=True
                )
                if loss is not None
            ]
        )


def takes_whole_batches(kind: type[keras.losses.Loss]) -> bool:
    """Whether a loss is one number for a batch, and not a sum over the parts of the batch."""
    return issubclass(kind, NumberedLoss) and kind.takes_whole_batches()


def weighted_sum(values: Tensor, weight: Tensor) -> Tensor:
    """Sum over the last axis; a value without a weight does not count, even if it is not finite."""
    return tf.reduce_sum(tf.where(weight > 0.0, values * weight, 0.0), axis=-1)


def row_loss(loss: keras.losses.Loss) -> RowLoss:
    """The loss for a compiled program that equals this loss of Keras."""
    known = type(loss) in ROW_WISE_LOSSES or type(loss) in NAMED_LOSSES.values()
    if not known or loss.reduction not in _DIVISOR_OF:
        name = getattr(loss, "name", loss)
        raise CannotJoinError(f"the loss {name!r} is not known to be a mean over rows.")
    settings = tuple(
        sorted(
            (name, value)
            for name, value in loss.get_config().items()
            if name not in ("name", "reduction", "dtype")
        )
    )
    # A loss that is one number for a batch is not divided.
    divisor = "nothing" if takes_whole_batches(type(loss)) else _DIVISOR_OF[loss.reduction]
    return RowLoss(type(loss), settings, divisor)


# What the outputs of a network stand for: the probability of one class, probabilities of classes
# that exclude one another, or numbers.
OutputKind = Literal["binary", "multiclass", "regression"]

# A batch's loss is sum(weight * loss) / sum(weight), so that a whole-number weight means the same
# as repeating the row; Keras' default divides by the number of rows instead.
_REDUCTION = "mean_with_sample_weight"

_REGRESSION_CLASSES: dict[str, type[keras.losses.Loss]] = {
    "squared_error": keras.losses.MeanSquaredError,
    "absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "log_cosh": keras.losses.LogCosh,
}

REGRESSION_LOSSES = tuple(_REGRESSION_CLASSES)


@dataclass(frozen=True)
class NetworkLoss:
    """The loss of a network: its name, and its parameters if it has any."""

    name: str
    settings: tuple[tuple[str, Any], ...] = ()


def keras_loss(loss: str | NetworkLoss, output: OutputKind) -> keras.losses.Loss:
    """Keras' loss for a name; ``"auto"`` is crossentropy for classes, squared error for numbers."""
    name, settings = (loss, ()) if isinstance(loss, str) else (loss.name, loss.settings)
    if output != "regression" and name in NAMED_LOSSES:
        return NAMED_LOSSES[name](**dict(settings), reduction=_REDUCTION)
    if output == "binary":
        return keras.losses.BinaryCrossentropy(reduction=_REDUCTION)
    if output == "multiclass":
        return keras.losses.SparseCategoricalCrossentropy(reduction=_REDUCTION)
    loss_class = _REGRESSION_CLASSES["squared_error" if name == "auto" else name]
    return loss_class(reduction=_REDUCTION)


# The keys are names of Keras in small letters and without underscores, as the names of its
# functions and classes differ only in these.
_CLASSIFICATION_NAMES = {
    "binarycrossentropy": "crossentropy",
    "categoricalcrossentropy": "crossentropy",
    "sparsecategoricalcrossentropy": "crossentropy",
    "binaryfocalcrossentropy": "focal",
}
_REGRESSION_NAMES = {
    "meansquarederror": "squared_error",
    "meanabsoluteerror": "absolute_error",
    "huber": "huber",
    "logcosh": "log_cosh",
}
_FOR_TWO_CLASSES = frozenset({"binarycrossentropy", "binaryfocalcrossentropy"})
_SHORT = {
    "bce": "binarycrossentropy",
    "mse": "meansquarederror",
    "mae": "meanabsoluteerror",
    "mape": "meanabsolutepercentageerror",
    "msle": "meansquaredlogarithmicerror",
    "kld": "kldivergence",
    "kullbackleiblerdivergence": "kldivergence",
    "cosineproximity": "cosinesimilarity",
    "huberloss": "huber",
}
_LOGARITHM = (
    "fit the logarithm of the target by TransformedTargetRegressor(regressor, func=numpy.log1p, "
    "inverse_func=numpy.expm1)"
)
_WHY_NOT_NUMBERS = {
    "meanabsolutepercentageerror": f"is relative to the target, which is scaled here: {_LOGARITHM}",
    "meansquaredlogarithmicerror": (
        f"takes the logarithm of the target, which is scaled here: {_LOGARITHM}"
    ),
    "poisson": (
        "needs a target and outputs above 0, but the output of this network may be any number: "
        f"{_LOGARITHM}, or give KerasRegressor a network whose output is above 0"
    ),
}
# These settings have no effect: a network chooses its last activation and its reduction itself.
_WITHOUT_EFFECT = ("name", "dtype", "axis", "from_logits", "reduction")
MEANS_OVER_ROWS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")

# Strings, in the spellings that Keras takes.
CLASSIFICATION_ALIASES = (
    *("binary_crossentropy", "BinaryCrossentropy", "bce", "BCE"),
    *("categorical_crossentropy", "CategoricalCrossentropy"),
    *("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
    *("binary_focal_crossentropy", "BinaryFocalCrossentropy"),
)
REGRESSION_ALIASES = (
    *("mean_squared_error", "MeanSquaredError", "mse", "MSE"),
    *("mean_absolute_error", "MeanAbsoluteError", "mae", "MAE"),
    *("Huber", "LogCosh", "logcosh"),
)


def own_loss(given: Any) -> Any:
    """Translate a loss of Keras into skhp's name or instance for it; return others unchanged.

    Examples
    --------
    >>> own_loss("mse"), own_loss(keras.losses.MeanSquaredError()), own_loss("focal")
    ('squared_error', 'squared_error', 'focal')
    """
    name = _plain_name(given)
    if name is None:
        return given
    if name == "binaryfocalcrossentropy" and isinstance(given, keras.losses.Loss):
        config = given.get_config()
        return FocalLoss(
            config["gamma"], config["alpha"] if _balances(config) else None, positive=1
        )
    return _CLASSIFICATION_NAMES.get(name) or _REGRESSION_NAMES.get(name) or given


def is_for_two_classes(given: Any) -> bool:
    """Whether a loss of Keras is only for two classes."""
    return _plain_name(given) in _FOR_TWO_CLASSES


def why_not(given: Any, *, of_classes: bool) -> str:
    """A sentence that says why an estimator does not take a loss of Keras; "" if it does."""
    if isinstance(given, NumberedLoss):
        return "" if of_classes else _of_the_other_kind(of_classes)
    name = _plain_name(given)
    if name is None:
        return "" if isinstance(given, str) else _not_known(given)
    known, others = _CLASSIFICATION_NAMES, _REGRESSION_NAMES
    if not of_classes:
        known, others = others, known
    if name in known:
        return _refused_setting(given, name)
    if name in others:
        return _of_the_other_kind(of_classes)
    if not of_classes and name in _WHY_NOT_NUMBERS:
        return f"It {_WHY_NOT_NUMBERS[name]}."
    if of_classes and name == "categoricalfocalcrossentropy":
        return "Write 'focal', which is the same loss without the factor alpha."
    return _not_known(given)


def _of_the_other_kind(of_classes: bool) -> str:
    kind, instead, other = (
        ("numbers", "crossentropy", "KerasMLPRegressor")
        if of_classes
        else ("classes", "squared_error", "KerasMLPClassifier")
    )
    return f"It is a loss for {kind}: write {instead!r}, or leave loss at 'auto', or take {other}."


def _not_known(given: Any) -> str:
    return (
        "It is not a loss that the multilayer perceptrons know: KerasClassifier and KerasRegressor "
        "take a network of yours with any loss."
    )


def _refused_setting(given: Any, name: str) -> str:
    """A sentence about a setting of a known loss that would have no effect; "" if there is none."""
    if not isinstance(given, keras.losses.Loss):
        return ""
    config = given.get_config()
    if config.get("reduction") not in MEANS_OVER_ROWS:
        return (
            f"It has reduction={config.get('reduction')!r}, but here the loss of a batch is the "
            "weighted mean over its rows: leave reduction out."
        )
    if name == "huber":
        # Keras 3.15 forgets the delta of a Huber that is copied, as a search copies it.
        return "Keras forgets its delta when it is copied: write loss='huber', whose delta is 1."
    taken = ("gamma", "alpha", "apply_class_balancing") if name in _FOR_TWO_CLASSES else ()
    plain = type(given)().get_config()
    for setting, value in config.items():
        if setting not in (*_WITHOUT_EFFECT, *taken) and value != plain.get(setting):
            return f"Its {setting}={value!r} is not known here: leave it out."
    return ""


def _balances(config: dict[str, Any]) -> bool:
    return bool(config.get("apply_class_balancing"))


def _plain_name(given: Any) -> str | None:
    """The name of Keras' loss in small letters without underscores; None for anything else."""
    if isinstance(given, NumberedLoss):
        return None
    if isinstance(given, str):
        name = given
    elif isinstance(given, keras.losses.Loss):
        name = type(given).__name__
    elif inspect.isfunction(given) or _is_class_of_loss(given):
        name = given.__name__
    else:
        return None
    plain = name.replace("_", "").lower()
    plain = _SHORT.get(plain, plain)
    if not isinstance(given, str):
        # A loss of the user's may have the same name.
        thing = type(given) if isinstance(given, keras.losses.Loss) else given
        return plain if library_of(thing) == "keras" else None
    return plain if plain in {*_KERAS_NAMES, *_SHORT.values()} else None


def _is_class_of_loss(given: Any) -> bool:
    return inspect.isclass(given) and issubclass(given, keras.losses.Loss)


_KERAS_NAMES = frozenset(
    name.replace("_", "").lower() for name in dir(keras.losses) if not name.startswith("_")
)
