"""The report of a search: what it found, how sure that is, and how it was done."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import brier_score_loss
from sklearn.utils.validation import check_is_fitted

from skhp.class_targets import class_labels
from skhp.diagnosis import diagnose
from skhp.displays import (
    HistoryDisplay,
    SearchDisplay,
    SearchHistoryDisplay,
    ThresholdDisplay,
)
from skhp.displays.search_results import SearchResults, search_results
from skhp.displays.training_history import training_history
from skhp.exceptions import InvalidParameterError
from skhp.reporting.page import Section, list_of, page, paragraph, table
from skhp.reporting.pictures import picture

_CANDIDATES_SHOWN = 20
_COLUMNS = ("mean_n_iter", "mean_best_epoch", "stop_reason", "pruned_at_epoch", "mean_fit_time")
_PACKAGES = ("skhp", "scikit-learn", "keras", "tensorflow", "numpy", "scipy", "scikit-optimize")


class ReportAddition(NamedTuple):
    """A section beneath the verdict: sentences and a table."""

    title: str
    texts: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def write_report(
    search: Any,
    path: str | os.PathLike[str],
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    additions: Sequence[ReportAddition] = (),
) -> Path:
    """Write a page about a search: one file of HTML, without any outside address.

    Parameters
    ----------
    search : searcher
        Fitted.
    path : str or path
        Of the page; a file that is there is replaced when the page is whole.
    X : array-like of shape (n_samples, n_features), default=None
        Rows that the search has not seen. With `X` and `y` the page shows the threshold, and how
        far the probabilities can be trusted, for two classes.
    y : array-like of shape (n_samples,), default=None
    additions : sequence of ReportAddition, default=()
        Sections beneath the verdict: what the search was set beside.

    Returns
    -------
    Path

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    InvalidParameterError
        If only one of `X` and `y` is given.
    ImportError
        If matplotlib is not installed (extra ``plot``).
    """
    check_is_fitted(search)
    if (X is None) != (y is None):
        raise InvalidParameterError(
            "a report takes both X and y, rows that the search has not seen, or neither."
        )
    results = search_results(search)
    sections = [
        Section("Verdict", _verdict(search, results)),
        *(
            Section(one.title, _paragraphs(one.texts) + table(one.names, one.rows))
            for one in additions
        ),
        Section("Diagnosis", _diagnosis(search)),
        Section("Pictures", _pictures(search, X, y)),
        Section("Candidates", _candidates(search, results)),
        Section("Settings", _settings(search)),
        Section("Versions", table(["package", "version"], _versions())),
    ]
    target = Path(path)
    _replace(target, page(f"Report of a {_public_name(search)}", sections))
    return target


def _public_name(search: Any) -> str:
    # A class that this package makes for itself is nothing that a reader could look up.
    names = (one.__name__ for one in type(search).__mro__)
    return next(name for name in names if not name.startswith("_"))


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(map(paragraph, texts))


def _verdict(search: Any, results: SearchResults) -> str:
    best = int(search.best_index_) if hasattr(search, "best_index_") else results.best
    if best is None:
        return paragraph("No candidate has a score: all fits failed.", "verdict")
    scores = search.cv_results_
    metric = results.metric
    mean, spread = (float(scores[f"{name}_test_{metric}"][best]) for name in ("mean", "std"))
    n_folds = int(search.n_splits_)
    error = spread / np.sqrt(max(n_folds - 1, 1))
    chosen = _assignments(scores["params"][best])
    reason = getattr(search, "search_stop_reason_", None)
    texts = [
        paragraph(
            f"The best of {len(scores['params'])} candidates has a mean {metric} of {mean:.3f} "
            f"over {n_folds} folds, with a standard error of {error:.3f}: {chosen}.",
            "verdict",
        ),
        paragraph(
            "It is the best of many, so on new rows expect somewhat less. The folds share rows; "
            "for a comparison with a baseline that allows for both, see skhp.compare."
        ),
    ]
    if reason is not None and reason != "completed":
        texts.append(paragraph(f"The search ended early: {reason}."))
    return "\n".join(texts)


def _diagnosis(search: Any) -> str:
    found = diagnose(search)
    if not found:
        return paragraph(str(found))
    return list_of(finding.message for finding in found)


def _pictures(search: Any, X: Any, y: Any) -> str:
    return "\n".join(
        picture(drawing.draw, drawing.caption, number, drawing.width)
        for number, drawing in enumerate(_drawings(search, X, y))
    )


class _Drawing(NamedTuple):
    draw: Callable[[Any], object]
    caption: str
    width: float = 7.0


def _drawings(search: Any, X: Any, y: Any) -> Iterator[_Drawing]:
    if searched := search_results(search).values:
        yield _Drawing(
            lambda ax: SearchDisplay.from_search(search, ax=ax),
            "The score over the parameters that were searched.",
            # Of three and more, the importances stand beside the coordinates.
            width=7.0 if len(searched) < 3 else 2.0 * len(searched) + 6.0,
        )
    yield _Drawing(
        lambda ax: SearchHistoryDisplay.from_search(search, ax=ax),
        "The best score so far.",
    )
    best: Any = getattr(search, "best_estimator_", None)
    if best is not None and _has_history(best):
        yield _Drawing(
            lambda ax: HistoryDisplay.from_estimator(best, ax=ax),
            "The training of the best candidate on all rows.",
        )
    binary = best is not None and is_classifier(best) and len(best.classes_) == 2
    if X is not None and binary and hasattr(best, "predict_proba"):
        yield _Drawing(
            lambda ax: ThresholdDisplay.from_estimator(best, X, y, ax=ax),
            "Precision, recall and F1 over the threshold, on rows that the search has not seen.",
        )
        probability = best.predict_proba(X)[:, 1]
        positive = np.ravel(class_labels(y)) == best.classes_[1]
        brier = brier_score_loss(positive, probability)
        yield _Drawing(
            lambda ax: CalibrationDisplay.from_predictions(positive, probability, ax=ax),
            f"How far the probabilities of {best.classes_[1]!s} can be trusted; Brier score "
            f"{brier:.3f}. Class weights, focal loss and above all soft F1 distort them; "
            "scikit-learn's CalibratedClassifierCV mends that.",
        )


def _has_history(estimator: Any) -> bool:
    try:
        training_history(estimator)
    except (InvalidParameterError, AttributeError):
        return False
    return True


def _candidates(search: Any, results: SearchResults) -> str:
    scores = search.cv_results_
    metric = results.metric
    order = np.argsort(scores[f"rank_test_{metric}"], kind="stable")[:_CANDIDATES_SHOWN]
    columns = [name for name in _COLUMNS if name in scores]
    rows = [
        [
            int(scores[f"rank_test_{metric}"][k]),
            _assignments(scores["params"][k]),
            *(float(scores[f"{name}_test_{metric}"][k]) for name in ("mean", "std")),
            *(_plain(scores[name][k]) for name in columns),
        ]
        for k in order
    ]
    shown = f"The first {len(order)} of {len(scores['params'])}." if len(order) else ""
    names = ["rank", "parameters", f"mean {metric}", "deviation", *columns]
    return table(names, rows) + paragraph(shown)


def _settings(search: Any) -> str:
    parameters = search.get_params(deep=False)
    return table(["parameter", "value"], ([name, repr(v)] for name, v in parameters.items()))


def _versions() -> Iterator[list[str]]:
    yield ["Python", platform.python_version()]
    for name in _PACKAGES:
        try:
            yield [name, version(name)]
        except PackageNotFoundError:
            continue


def _assignments(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_plain(value)!r}" for name, value in parameters.items())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _replace(target: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}-", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # A temporary file is its owner's alone; a page is like any other that the user makes.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
