"""The settings of a network in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from skhp.inspection.value_text import value_text
from skhp.study.search_space import SCALER
from skhp.tables.preparation import PiecewiseLinear, PowerScaler

_NETWORK = "network__"


def settings_in_words(parameters: Mapping[str, Any], of_images: bool = False) -> str:
    """A phrase on the parameters of a candidate, whichever they are."""
    left = {name.removeprefix(_NETWORK): value for name, value in parameters.items()}
    layers = list(_layers(left, of_images))
    numbers = [*_numbers(left), *_loss(left), *_ending(left)]
    phrases = [*numbers, *layers] if of_images else [*layers, *numbers]
    if SCALER in left:
        phrases.append(f"numbers {_scaler(left.pop(SCALER))}")
    # Any other parameter is shown by its own name.
    phrases += [f"{name} = {value_text(value)}" for name, value in left.items()]
    return ", ".join(phrases)


def _layers(left: dict[str, Any], of_images: bool) -> Iterator[str]:
    if "hidden_layers" not in left:
        return
    n_layers, neurons = left.pop("hidden_layers"), left.pop("neurons", None)
    plural = "" if n_layers == 1 else "s"
    if of_images:
        yield f"{n_layers} block{plural} of convolution"
    elif not n_layers:
        yield "no hidden layer"
        # Dropout follows a hidden layer.
        left.pop("dropout", None)
    else:
        of_neurons = "" if neurons is None else f" of {neurons} neurons"
        yield f"{n_layers} hidden layer{plural}{of_neurons}"


def _numbers(left: dict[str, Any]) -> Iterator[str]:
    words: dict[str, Callable[[Any], str]] = {
        "learning_rate": lambda rate: f"learning rate {rate:.3g}",
        "batch_size": lambda size: f"batch size {size}",
        "dropout": lambda share: f"dropout {share:.3g}" if share else "no dropout",
        "l2": lambda factor: f"l2 {factor:.3g}" if factor else "no l2",
    }
    for name, in_words in words.items():
        if name in left:
            yield in_words(left.pop(name))


def _loss(left: dict[str, Any]) -> Iterator[str]:
    if "loss" in left:
        yield f"loss {str(left.pop('loss')).replace('_', ' ')}"
    if "class_weight" in left:
        weights = left.pop("class_weight")
        if isinstance(weights, str):
            yield f"{weights} class weights"
        else:
            yield "no class weights" if weights is None else f"class weights {value_text(weights)}"


def _ending(left: dict[str, Any]) -> Iterator[str]:
    monitor, patience = left.pop("monitor", None), left.pop("patience", None)
    stops, schedule = left.pop("early_stopping", None), left.pop("lr_schedule", None)
    if monitor is not None:
        watched = str(monitor).removeprefix("val_").replace("_", " ")
        epochs = "" if patience is None else f" with a patience of {patience} epochs"
        yield f"stopped by the {watched} of held-out rows{epochs}"
    if stops is False:
        yield "trained on all rows without early stopping"
    if schedule is not None:
        yield f"a {schedule} schedule of the learning rate"


def _scaler(scaler: Any) -> str:
    for kind, words in (
        (PiecewiseLinear, "encoded piecewise linearly"),
        (PowerScaler, "scaled by a power transformation"),
    ):
        if isinstance(scaler, kind):
            return words
    return f"scaled by {value_text(scaler).removesuffix('()')}"


def threshold_of(pipeline: Pipeline) -> float | None:
    """The threshold of the network that a pipeline ends in; None if it has none."""
    return getattr(_network(pipeline), "threshold_", None)


def tunes_on_held_out_rows(pipeline: Pipeline) -> bool:
    """Whether the network that a pipeline ends in has tuned its threshold in its own training."""
    return bool(getattr(_network(pipeline), "threshold", None) == "tune")


def _network(pipeline: Pipeline) -> Any:
    network = pipeline[-1]
    return getattr(network, "estimator_", network)
