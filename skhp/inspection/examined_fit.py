"""What a diagnosis looks at: the curves of a fit, their statistics, and the findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_regressor

from skhp.inspection.training_history import layers_of, training_history
from skhp.inspection.value_text import is_number, value_text
from skhp.shared.class_targets import TargetSummary, target_summary

# The standard deviation of normal noise, divided by its median absolute deviation.
_NORMAL = 1.4826


def smoothed(curve: np.ndarray) -> np.ndarray:
    """Medians of each epoch with its two neighbours; the first and last epoch are not changed."""
    if len(curve) < 3:
        return curve
    middle = np.median([curve[:-2], curve[1:-1], curve[2:]], axis=0)
    return np.concatenate([curve[:1], middle, curve[-1:]])


def noise(curve: np.ndarray) -> float:
    """Standard deviation of the scatter of single epochs around a curve that bends slowly.

    It is taken from the median absolute second difference, in which slopes cancel and a few jumps
    do not count; 0 for fewer than four epochs.
    """
    if len(curve) < 4:
        return 0.0
    bends = curve[2:] - 2 * curve[1:-1] + curve[:-2]
    return float(_NORMAL * np.median(np.abs(bends)) / np.sqrt(6))


def share_of_late_fall(curve: np.ndarray) -> float:
    """The share of a curve's whole fall that came in the last quarter of its epochs.

    It is a quarter for a straight fall, a tenth for an exponential fall that ends after two time
    constants, and 0 for a curve that has come to rest or fell by no more than its noise.
    """
    if len(curve) < 2:
        return 0.0
    quiet = smoothed(curve)
    quarter = max(1, len(curve) // 4)
    # Medians of a few epochs, because a single epoch may be an outlier.
    width = min(3, quarter)
    end = float(np.median(curve[-width:]))
    before = float(np.median(curve[-quarter - width : len(curve) - quarter]))
    fall, whole = before - end, float(quiet[0]) - end
    if whole <= 0 or fall <= 2 * noise(curve[-2 * quarter - 2 :]) / np.sqrt(width):
        return 0.0
    return fall / whole


def falling_share(curve: np.ndarray) -> float:
    """Share of the epochs whose value is below the value of the epoch before."""
    return float(np.mean(np.diff(curve) < 0)) if len(curve) > 1 else 0.0


@dataclass(frozen=True)
class Finding:
    """One thing that is likely to be wrong with a fit or a search.

    Parameters
    ----------
    kind : str
        Such as "overfitting"; see `skhp.diagnose`.
    message : str
        Sentences with the figure and what to do.
    figure : float
        The number that the finding rests on; the message says what it measures.
    parameter : str
        The parameter to change first.
    """

    kind: str
    message: str
    figure: float
    parameter: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, repr=False)
class Diagnosis(Sequence[Finding]):
    """Findings in the order in which to mend them; prints as sentences.

    Parameters
    ----------
    findings : tuple of Finding
        Empty where nothing was found; then the diagnosis is false.
    unexamined : tuple of str
        What could not be looked at, and why.
    """

    findings: tuple[Finding, ...]
    unexamined: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...

    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    def __str__(self) -> str:
        lines = [f"- {finding.message}" for finding in self.findings]
        if not lines:
            lines = ["Nothing found that is likely to be wrong."]
        return "\n".join([*lines, *(f"Not looked at: {what}" for what in self.unexamined)])

    def __repr__(self) -> str:
        return str(self)


# Losses whose value for a constant prediction is known.
_CROSSENTROPIES = {
    "auto",
    "crossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
}
_SQUARED_ERRORS = {"auto", "mse", "mean_squared_error", "squared_error"}

# The names that scikit-learn and SciKeras have for parameters of skhp's multilayer perceptrons.
_ALIASES = {
    "learning_rate": ("learning_rate_init", "optimizer__learning_rate"),
    "epochs": ("max_iter",),
    "patience": ("n_iter_no_change",),
    "l2": ("alpha",),
    "neurons": ("hidden_layer_sizes",),
    "validation_fraction": ("validation_split",),
}


@dataclass(frozen=True)
class ExaminedFit:
    """The curves of a fit, how it ended, and its parameters."""

    loss: np.ndarray
    val_loss: np.ndarray | None  # None where no rows were held out
    kept_epoch: int  # counted from 1
    stop_reason: str
    parameters: Mapping[str, Any]
    # The loss of the best constant prediction; without the target, the highest that it can be.
    constant_loss: float | None = None
    held_out_rows: int | None = None
    rarest_held_out: int | None = None
    chosen_by: str | None = None  # the curve that chose `kept_epoch`; None where nothing did
    # The target of a regressor, where nothing scales it to unit variance.
    unscaled_target: TargetSummary | None = None
    epochs_are_given: bool = True  # False in a refit for the median of the folds

    @property
    def watched(self) -> np.ndarray:
        """The validation loss, or else the training loss."""
        return self.loss if self.val_loss is None else self.val_loss

    @property
    def reference(self) -> float:
        """The loss of knowing nothing: of a constant prediction, or of epoch 1 if that is lower."""
        first = float(self.loss[0])
        return first if self.constant_loss is None else min(first, self.constant_loss)

    @property
    def is_wrapped(self) -> bool:
        """Whether the estimator wraps a model of the user."""
        return "model" in self.parameters

    def own_name(self, parameter: str) -> str:
        """The estimator's own name for a parameter of skhp's multilayer perceptrons."""
        draws_rows = self.parameters.get("early_stopping") and not self.parameters.get(
            "validation_split"
        )
        if parameter == "validation_fraction" and draws_rows and parameter in self.parameters:
            # A wrapper has both parameters, and uses this one.
            return parameter
        for alias in _ALIASES.get(parameter, ()):
            if alias in self.parameters:
                return alias
        routed = {"learning_rate": "optimizer__learning_rate"}
        if parameter not in self.parameters and self.is_wrapped:
            return routed.get(parameter, parameter)
        return parameter

    def named(self, parameter: str) -> str:
        """A parameter by the name that the estimator has for it, with its value."""
        name = self.own_name(parameter)
        value = self.parameters.get(name)
        return f"{name} (now {value_text(value)})" if is_number(value) else name

    @property
    def _is_convolutional(self) -> bool:
        return "filters" in self.parameters

    @property
    def larger_network(self) -> str:
        """How a message names a larger network."""
        if self.is_wrapped:
            return "a larger model"
        name = self.own_name("neurons")
        if self._is_convolutional:
            return "more filters or hidden_layers"
        return "more neurons or hidden_layers" if name == "neurons" else f"larger {name}"

    @property
    def smaller_network(self) -> str:
        """How a message names a smaller network."""
        if self.is_wrapped:
            return "a smaller model, or one with dropout or penalties"
        name = self.own_name("neurons")
        if self._is_convolutional:
            more = "" if self.parameters.get("augmentation") else ", augmentation"
            return f"fewer filters{more}, a larger l2 or dropout"
        if name != "neurons":
            return f"smaller {name}, a larger {self.own_name('l2')}"
        # Recurrent networks have no l2.
        known = [one for one in ("l2", "dropout") if one in self.parameters or one == "dropout"]
        return f"fewer neurons, a larger {' or '.join(known)}"


def examined_fit(
    estimator: Any, y: ArrayLike | TargetSummary | None = None, *, epochs_are_given: bool = True
) -> ExaminedFit:
    """Read a fitted estimator, the last step of a pipeline or the best one of a search."""
    history = training_history(estimator)
    layers = list(layers_of(estimator))
    network = layers[-1]
    parameters = network.get_params(deep=False)
    loss = np.array(history.curves.get("loss", ()), dtype=float)
    val_loss = np.array(history.curves.get("val_loss", ()), dtype=float)
    target = _learnt_target(layers, y)
    held_out, rarest = _held_out(parameters, target, hasattr(network, "classes_"), history.watched)
    stop_reason = getattr(network, "stop_reason_", None)
    if not isinstance(stop_reason, str):
        most = parameters.get("epochs", parameters.get("max_iter"))
        stop_reason = "epochs" if len(loss) == most else "patience"
    scales_itself = bool(getattr(network, "scale_target", False))
    return ExaminedFit(
        loss=loss,
        val_loss=val_loss if len(val_loss) == len(loss) else None,
        kept_epoch=len(loss) if history.kept_epoch is None else history.kept_epoch,
        stop_reason=stop_reason,
        parameters=parameters,
        constant_loss=_constant_loss(network, parameters, target),
        held_out_rows=held_out,
        rarest_held_out=rarest,
        chosen_by=None if history.kept_epoch is None else history.watched,
        unscaled_target=target if is_regressor(network) and not scales_itself else None,
        epochs_are_given=epochs_are_given,
    )


def _learnt_target(layers: list[Any], y: Any) -> TargetSummary | None:
    """The target as the network saw it, after the transformers around the network."""
    transformers = [layer.transformer_ for layer in layers if hasattr(layer, "transformer_")]
    if isinstance(y, TargetSummary):
        # The transformers need the values; a mean and a deviation are not enough.
        return replace(y, means=None, deviations=None) if transformers else y
    if y is not None and transformers:
        y = np.asarray(y)
        for transformer in transformers:
            y = transformer.transform(y.reshape(len(y), -1))
    return target_summary(y)


def _constant_loss(
    network: Any, parameters: Mapping[str, Any], target: TargetSummary | None
) -> float | None:
    loss, class_weight = parameters.get("loss", "auto"), parameters.get("class_weight")
    if not isinstance(loss, str) or isinstance(class_weight, Mapping):
        return None
    classes = getattr(network, "classes_", None)
    if classes is None:
        if loss not in _SQUARED_ERRORS or target is None or target.deviations is None:
            return None
        # A network that scales its target has the loss of the scaled target.
        learnt_scale = np.ravel(getattr(network, "target_scale_", 1.0))
        return float(np.mean(np.square(target.deviations / learnt_scale)))
    if loss not in _CROSSENTROPIES or np.ndim(classes) != 1 or len(classes) < 2:
        return None
    if target is None or target.entropy is None or class_weight == "balanced":
        return math.log(len(classes))
    return target.entropy


def _held_out(
    parameters: Mapping[str, Any],
    target: TargetSummary | None,
    has_classes: bool,
    watched: str | None,
) -> tuple[int | None, int | None]:
    if target is None:
        return None, None
    split = parameters.get("validation_split")
    if isinstance(split, float) and split and watched is not None:
        # These are the last rows of the table, of any class.
        return target.n_rows - math.floor(target.n_rows * (1 - split)), None
    fraction = parameters.get("validation_fraction")
    if not parameters.get("early_stopping") or not isinstance(fraction, float):
        return None, None
    rarest = None
    drawn = parameters.get("validation_rows", "random") == "random"
    if has_classes and drawn and target.rarest is not None:
        rarest = math.ceil(fraction * target.rarest)
    return round(fraction * target.n_rows), rarest
