"""Names that users know from Keras and scikit-learn, and suggestions for those we do not take."""

from __future__ import annotations

from typing import Any

from skhp.objectives.losses import why_not
from skhp.shared.nearest_name import nearest_name
from skhp.training.rate_schedules import OPTIMIZERS

# These map the names under which Keras logs its metrics to our names.
CLASSIFICATION_MONITORS = {
    "val_acc": "accuracy",
    "val_binary_accuracy": "accuracy",
    "val_categorical_accuracy": "accuracy",
    "val_sparse_categorical_accuracy": "accuracy",
    "val_auc": "roc_auc",
    "val_AUC": "roc_auc",
    "val_f1_score": "f1",
}
REGRESSION_MONITORS = {
    "val_mae": "mean_absolute_error",
    "val_MAE": "mean_absolute_error",
    "val_mse": "mean_squared_error",
    "val_MSE": "mean_squared_error",
    "val_rmse": "root_mean_squared_error",
    "val_RMSE": "root_mean_squared_error",
    "val_r2_score": "r2",
}

OPTIMIZER_ALIASES = {
    name: name.lower() for name in ("SGD", "RMSprop", "Adagrad", "Adam", "AdamW", "Nadam")
}

_OTHER_OPTIMIZERS = {"adadelta", "adamax", "ftrl", "lion", "lamb", "muon", "adafactor"}
_ACTIVATIONS = {"logistic": "sigmoid", "identity": "linear", "leakyrelu": "leaky_relu"}
_ACROSS_UNITS = {"softmax", "log_softmax", "sparsemax", "glu"}
_OF_SCIKIT_LEARN = {"log_loss": "crossentropy"}


def own_optimizer(name: str) -> str:
    """Our name of an optimizer."""
    return OPTIMIZER_ALIASES.get(name, name)


def suggestion(name: str, value: Any, options: list[str], *, of_classes: bool) -> str:
    """A sentence that suggests what was meant by a refused value of a parameter."""
    said = {"optimizer": _optimizer, "activation": _activation}.get(name, lambda _: "")(value)
    if name == "loss":
        said = _loss(value, of_classes)
    elif name == "monitor":
        said = _monitor(value, options)
    return f" {said}" if said else nearest_name(value, options)


def _loss(value: Any, of_classes: bool) -> str:
    if of_classes and isinstance(value, str) and value in _OF_SCIKIT_LEARN:
        return f"Write {_OF_SCIKIT_LEARN[value]!r}."
    return why_not(value, of_classes=of_classes)


def _optimizer(value: Any) -> str:
    if isinstance(value, str):
        small = value.lower()
        if small in OPTIMIZERS:
            return f"Write {small!r}."
        if small in _OTHER_OPTIMIZERS:
            return (
                "skhp's own networks do not know this optimizer; KerasClassifier and "
                "KerasRegressor take a network of your own with any optimizer."
            )
        return ""
    kind = getattr(value, "__name__", type(value).__name__)
    own = OPTIMIZER_ALIASES.get(kind)
    if own is None:
        return ""
    rate = getattr(value, "learning_rate", None) if not isinstance(value, type) else None
    try:
        number = "" if rate is None else f", learning_rate={float(f'{float(rate):.6g}')!r}"
    except TypeError:
        number = ", with lr_schedule for its schedule"
    return f"Write optimizer={own!r}{number}."


def _activation(value: Any) -> str:
    if value is None:
        return "Write 'linear'."
    if isinstance(value, str):
        small = value.lower()
        if small in _ACROSS_UNITS:
            return (
                "It acts across all units of a layer, not on each unit; the last layer of a "
                "classifier has an activation of its own."
            )
        return f"Write {_ACTIVATIONS[small]!r}." if small in _ACTIVATIONS else ""
    kind = getattr(value, "__name__", type(value).__name__).lower()
    return f"Write it by its name, activation={_ACTIVATIONS.get(kind, kind)!r}."


def _monitor(value: Any, options: list[str]) -> str:
    if isinstance(value, str) and f"val_{value}" in options:
        return (
            f"Early stopping watches the held-out rows, not the training rows: write 'val_{value}'."
        )
    return ""
