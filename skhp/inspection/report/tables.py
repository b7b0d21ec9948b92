"""The tables of a report: the candidates, the settings, and the scores on new rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)

from skhp.inspection.report.page import Number, paragraph, table
from skhp.inspection.search_results import SearchResults
from skhp.inspection.training_history import fitted_network
from skhp.inspection.value_text import NOT_SET, decimals_of, public_name, value_text
from skhp.shared.class_targets import one_hot_labels
from skhp.shared.natural_scores import natural_name, natural_score

_CANDIDATES_SHOWN = 20
# The columns of the results that are about training, and their names in a report.
_COLUMNS = {
    "n_resources": "resources",
    "mean_n_iter": "epochs",
    "mean_best_epoch": "best epoch",
    "stop_reason": "ended by",
    "pruned_at_epoch": "pruned at epoch",
    "mean_fit_time": "seconds a fit",
}


def assignments(parameters: Mapping[str, Any]) -> str:
    """Parameters with their values, in a line."""
    return ", ".join(f"{name} = {value_text(value)}" for name, value in parameters.items())


def number_of_candidates(search: Any) -> int:
    """How many candidates a search tried; a halving search tries some of them several times."""
    results = search.cv_results_
    return len(results["params"]) if "iter" not in results else int((results["iter"] == 0).sum())


def order_of_candidates(search: Any, results: SearchResults) -> np.ndarray:
    """Indices of the candidates: the chosen one first, then round by round, the last round first.

    In a round, the candidates are sorted by score, but failed and then pruned ones come last.
    """
    means = np.where(results.failed, -np.inf, results.means)
    chosen = np.arange(len(means)) != getattr(search, "best_index_", results.best)
    return np.lexsort((-means, results.failed, results.pruned, -results.rounds, chosen))


def candidates_table(search: Any, results: SearchResults) -> str:
    """The best candidates as HTML, with the parameters that all of them share below."""
    scores = search.cv_results_
    order = order_of_candidates(search, results)[:_CANDIDATES_SHOWN]
    others = [
        str(name).removeprefix("mean_test_")
        for name in scores
        if str(name).startswith("mean_test_") and name != f"mean_test_{results.metric}"
    ]
    columns = [name for name in _COLUMNS if name in scores]
    decimals = decimals_of(results.means, 4)
    short = results.short_names
    rows = []
    for place, k in enumerate(order, start=1):
        varying = {
            short[name]: of[k] for name, of in results.values.items() if of[k] is not NOT_SET
        }
        rows.append(
            [
                place,
                assignments(varying),
                _score(results.means[k], decimals),
                _score(float(results.scores[k].std()), decimals),
                *(_score(float(scores[f"mean_test_{name}"][k]), decimals) for name in others),
                *(_plain(scores[name][k]) for name in columns),
            ]
        )
    names = [
        "rank",
        "parameters",
        f"mean {results.metric_title}",
        "deviation of the folds",
        *(f"mean {name}" for name in others),
        *(_COLUMNS[name] for name in columns),
    ]
    return table(names, rows) + paragraph(_below(search, results, len(order)))


def _below(search: Any, results: SearchResults, n_shown: int) -> str:
    n_all = len(results.means)
    what = "candidates" if n_all == number_of_candidates(search) else "candidates of all rounds"
    texts = [f"The first {n_shown} of {n_all} {what}."]
    if (moved := {s: n for n, s in results.short_names.items() if s != n}) and len(
        prefixes := {full.removesuffix(f"__{short}") for short, full in moved.items()}
    ) == 1:
        texts.append(f"The parameters are those of {prefixes.pop()}.")
    elif moved:
        texts.append(
            "The parameters in full: "
            + ", ".join(f"{short} is {full}" for short, full in moved.items())
            + "."
        )
    first = search.cv_results_["params"][0]
    if common := {name: first[name] for name in first if name not in results.values}:
        texts.append(f"All of them have {assignments(common)}.")
    return " ".join(texts)


def _score(score: float, decimals: int) -> Number:
    if not np.isfinite(score):
        return Number("failed" if np.isnan(score) else str(score))
    # The score of a network that diverged may have any number of digits.
    return Number(f"{score:.{decimals}f}" if abs(score) < 1e6 else f"{score:.4g}")


def _plain(value: Any) -> object:
    if isinstance(value, str):
        return str(value)
    number = float(value)
    if np.isnan(number):
        return Number("")
    # Numbers of epochs, as means of the folds, and seconds.
    return Number(f"{number:.1f}" if number >= 1 and not number.is_integer() else f"{number:.3g}")


def settings_tables(search: Any, results: SearchResults) -> str:
    """Tables of the parameters of the search and of the estimator that it chose."""
    parameters = search.get_params(deep=False)
    network = _innermost(search)
    own = network.get_params(deep=False)
    found = dict(_explanations(search, results, own))
    rows = [
        [name, f"{value_text(value)}{found.get(name, '')}"] for name, value in parameters.items()
    ]
    fitted = hasattr(search, "best_estimator_")
    state = "that was refitted" if fitted else "before the search"
    return (
        table(["parameter of the search", "value"], rows)
        + paragraph(f"The {public_name(network)} {state}:")
        + table(
            [f"parameter of {public_name(network)}", "value"],
            ([name, value_text(value)] for name, value in own.items()),
        )
        + _layers_table(network)
    )


def _layers_table(network: Any) -> str:
    layers = layers_of_model(network)
    if not layers:
        return ""
    return paragraph("Its layers:") + table(
        ["layer", "kind", "output of a row", "weights"],
        (
            [layer.name, type(layer).__name__, _output_shape(layer), _number_of_weights(layer)]
            for layer in layers
        ),
    )


def layers_of_model(network: Any) -> Sequence[Any]:
    """The layers of the Keras model of a fitted network; empty if it has no Keras model."""
    return getattr(getattr(network, "model_", None), "layers", ())


def _output_shape(layer: Any) -> str:
    try:
        shape = layer.output.shape
    except AttributeError:
        # A layer of a model whose `call` is the user's own.
        return ""
    return " x ".join("any" if size is None else str(size) for size in shape[1:]) or "1"


def _number_of_weights(layer: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in layer.weights)


def _innermost(search: Any) -> Any:
    if hasattr(search, "best_estimator_"):
        return fitted_network(search)
    estimator = search.estimator
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def _explanations(
    search: Any, results: SearchResults, network: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """The effect, in words, of settings of the search whose value does not show it."""
    if isinstance(search.scoring, str | None) and value_text(search.scoring).strip("'") != (
        results.metric_title
    ):
        yield "scoring", f": {results.metric_title}"
    yield "cv", f": {search.n_splits_} folds"
    if getattr(search, "refit_epochs", None) is not None:
        epochs = network.get("epochs", network.get("max_iter"))
        yield "refit_epochs", f": refitted for {value_text(epochs)} epochs, without early stopping"
    elif isinstance(network.get("early_stopping"), bool):
        on = "on" if network["early_stopping"] else "off"
        left = getattr(search, "early_stopping", None) is False
        yield "early_stopping", f"{', left to the network' if left else ''}: {on} in the network"


# A wider table does not fit on a page.
_MOST_CLASSES = 12
_CONFUSIONS_SHOWN = 12


def new_rows_tables(search: Any, results: SearchResults, X: ArrayLike, y: ArrayLike) -> str:
    """Scores on new rows and the confusion table of a classifier, or "" if there are none."""
    best = search.best_estimator_
    target = np.asarray(y)
    parts = []
    if getattr(search, "refit", False):
        title = natural_name(results.metric_title)
        score = natural_score(results.metric_title, float(search.score(X, y)))
        parts.append(
            paragraph(
                f"On {len(target)} rows that the search has not seen, the {title} of the best "
                f"candidate is {score:.3f}."
            )
        )
    predicted = np.asarray(best.predict(X))
    if is_classifier(best):
        parts += _classifier_tables(*_as_classes(target, predicted))
    elif is_regressor(best) and target.ndim == 1:
        parts.append(_regressor_table(target, predicted))
    return "\n".join(parts)


def class_label(label: Any) -> str:
    """A class as it is written in tables and pictures."""
    return str(label) if isinstance(label, str) else value_text(label)


def _as_classes(target: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Target and predictions, as classes where the target is one-hot rows."""
    classes = one_hot_labels(target)
    if classes is None:
        return target, predicted
    return classes, predicted.argmax(axis=1) if predicted.ndim == 2 else predicted


def _classifier_tables(target: np.ndarray, predicted: np.ndarray) -> list[str]:
    if target.ndim != 1 or predicted.ndim != 1:
        return []
    classes = np.unique(np.concatenate([target, predicted]))
    names = [class_label(label) for label in classes]
    counts = confusion_matrix(target, predicted, labels=classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        target, predicted, labels=classes, zero_division=0.0
    )
    accuracy = accuracy_score(target, predicted)
    scores: list[list[object]] = [
        [name, *map(_share, (p, r, f)), int(n)]
        for name, p, r, f, n in zip(names, precision, recall, f1, support, strict=True)
    ]
    means = [_share(of.mean()) for of in (precision, recall, f1)]
    scores.append(["mean of the classes", *means, len(target)])
    return [
        paragraph(f"Rows of each true class by predicted class; {accuracy:.1%} are right:"),
        _confusion(names, counts),
        paragraph("Scores of each class:"),
        table(["class", "precision", "recall", "F1", "rows"], scores),
    ]


def _share(share: float) -> Number:
    return Number(f"{share:.3f}")


def _confusion(names: list[str], counts: np.ndarray) -> str:
    if len(names) <= _MOST_CLASSES:
        return table(
            ["true class", *(f"predicted {name}" for name in names)],
            ([name, *map(int, row)] for name, row in zip(names, counts, strict=True)),
        )
    wrong = counts * (1 - np.eye(len(names), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS_SHOWN]
    pairs = [divmod(int(k), len(names)) for k in order if wrong.flat[k]]
    return table(
        ["true class", "predicted class", "rows"],
        ([names[true], names[predicted], int(wrong[true, predicted])] for true, predicted in pairs),
    ) + paragraph(f"The most frequent confusions among {len(names)} classes.")


def _regressor_table(target: np.ndarray, predicted: np.ndarray) -> str:
    return table(
        ["score", "on new rows"],
        [
            ["R²", float(r2_score(target, predicted)) if len(target) > 1 else float("nan")],
            ["mean absolute error", float(mean_absolute_error(target, predicted))],
            ["root mean squared error", float(root_mean_squared_error(target, predicted))],
            ["standard deviation of the target", float(np.std(target))],
        ],
    )
