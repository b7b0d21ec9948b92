"""What the best estimator of a search predicts for rows that the search has not seen."""

from __future__ import annotations

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
from skhp.inspection.value_text import value_text

__all__ = ["class_label", "new_rows_tables"]

# A wider table has no room on a page.
_MOST_CLASSES = 12
_CONFUSIONS_SHOWN = 12


def new_rows_tables(search: Any, results: SearchResults, X: ArrayLike, y: ArrayLike) -> str:
    """Scores on new rows and, of a classifier, the confusion table; "" where neither is known.

    Parameters
    ----------
    search : searcher
        With a `best_estimator_`.
    results : SearchResults
    X, y : array-like
        The new rows.

    Returns
    -------
    str
        HTML.
    """
    best = search.best_estimator_
    target = np.asarray(y)
    parts = []
    if getattr(search, "refit", False):
        parts.append(
            paragraph(
                f"On {len(target)} rows that the search has not seen, the {results.metric_title} "
                f"of the best candidate is {float(search.score(X, y)):.3f}."
            )
        )
    predicted = np.asarray(best.predict(X))
    if is_classifier(best):
        parts += _of_classes(*_as_classes(target, predicted))
    elif is_regressor(best) and target.ndim == 1:
        parts.append(_of_numbers(target, predicted))
    return "\n".join(parts)


def class_label(label: Any) -> str:
    """A class as it is written in tables and pictures."""
    return str(label) if isinstance(label, str) else value_text(label)


def _as_classes(target: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that each hold a single one are classes, as Keras has them."""
    one_hot = (
        target.ndim == 2
        and target.dtype.kind in "fiub"
        and np.isin(target, (0, 1)).all()
        and (target.sum(axis=1) == 1).all()
    )
    if not one_hot:
        return target, predicted
    return target.argmax(axis=1), predicted.argmax(axis=1) if predicted.ndim == 2 else predicted


def _of_classes(target: np.ndarray, predicted: np.ndarray) -> list[str]:
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
        paragraph(
            f"How many rows of each class were predicted as which; {accuracy:.1%} are right:"
        ),
        _confusion(names, counts),
        paragraph("Of each class:"),
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
        ([names[true], names[said], int(wrong[true, said])] for true, said in pairs),
    ) + paragraph(f"The most frequent confusions among {len(names)} classes.")


def _of_numbers(target: np.ndarray, predicted: np.ndarray) -> str:
    return table(
        ["score", "on new rows"],
        [
            ["R²", float(r2_score(target, predicted)) if len(target) > 1 else float("nan")],
            ["mean absolute error", float(mean_absolute_error(target, predicted))],
            ["root mean squared error", float(root_mean_squared_error(target, predicted))],
            ["standard deviation of the target", float(np.std(target))],
        ],
    )
