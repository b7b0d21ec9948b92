"""The report of a search: what it found, how sure that is, and how it was done."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier, is_regressor
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import PredictionErrorDisplay, brier_score_loss
from sklearn.utils.validation import check_is_fitted

from skhp.exceptions import InvalidParameterError
from skhp.inspection.diagnose import diagnose
from skhp.inspection.displays.history_display import HistoryDisplay
from skhp.inspection.displays.search_display import SearchDisplay, size_of_coordinates
from skhp.inspection.displays.search_history_display import SearchHistoryDisplay
from skhp.inspection.displays.threshold_display import ThresholdDisplay
from skhp.inspection.report.page import Section, list_of, page, paragraph, picture, table
from skhp.inspection.report.tables import (
    assignments,
    candidates_table,
    class_label,
    layers_of_model,
    new_rows_tables,
    number_of_candidates,
    settings_tables,
)
from skhp.inspection.search_results import SearchResults, search_results
from skhp.inspection.training_history import fitted_network, training_history
from skhp.inspection.value_text import public_name
from skhp.shared.class_targets import TargetSummary, class_labels
from skhp.shared.natural_scores import natural_name, natural_score
from skhp.shared.rarest_class import rare_class_of, rarest_class

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
    """Write a page about a search: one file of HTML, which refers to nothing outside."""
    check_is_fitted(search)
    if (X is None) != (y is None):
        raise InvalidParameterError(
            "give a report both X and y, of rows that the search has not seen, or neither of them."
        )
    results = _results(search)
    new_rows = _new_rows(search, results, X, y)
    sections = [
        Section("Verdict", _verdict(search, results)),
        *(
            Section(one.title, _paragraphs(one.texts) + table(one.names, one.rows))
            for one in additions
        ),
        *([Section("New rows", new_rows)] if new_rows else []),
        Section("Diagnosis", _diagnosis(search, results)),
        Section("Pictures", _pictures(search, results, X, y)),
        Section("Candidates", candidates_table(search, results)),
        Section("Settings", settings_tables(search, results)),
        Section("Versions", table(["package", "version"], _versions())),
    ]
    target = Path(path)
    _replace(target, page(f"Report of a {results.name}", sections))
    return target


def _results(search: Any) -> SearchResults:
    """The results by the metric that the search was refitted for, or else by the first metric."""
    names = [str(name) for name in search.cv_results_ if str(name).startswith("mean_test_")]
    one_of_several = isinstance(search.refit, str) or len(names) == 1
    return search_results(search, None if one_of_several else names[0].removeprefix("mean_test_"))


def _new_rows(search: Any, results: SearchResults, X: Any, y: Any) -> str:
    if X is None or not hasattr(search, "best_estimator_") or _best(search, results) is None:
        return ""
    return new_rows_tables(search, results, X, y)


def _best(search: Any, results: SearchResults) -> int | None:
    """The index of the chosen candidate; None if all candidates failed."""
    best = int(search.best_index_) if hasattr(search, "best_index_") else results.best
    return best if best is not None and np.isfinite(results.means[best]) else None


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(map(paragraph, texts))


def _verdict(search: Any, results: SearchResults) -> str:
    best = _best(search, results)
    if best is None:
        return paragraph(
            "No candidate has a score: all of them failed. Set error_score='raise' to see why.",
            "verdict",
        )
    n_folds = results.scores.shape[1]
    mean, spread = float(results.means[best]), float(results.scores[best].std())
    error = spread / np.sqrt(max(n_folds - 1, 1))
    chosen = assignments(search.cv_results_["params"][best])
    mean = natural_score(results.metric_title, mean)
    title = natural_name(results.metric_title)
    title = title if title.startswith("mean ") else f"mean {title}"
    reason = getattr(search, "search_stop_reason_", None)
    texts = [
        paragraph(
            f"The best of {number_of_candidates(search)} candidates has a {title} of {mean:.3f} "
            f"over {n_folds} folds, with a standard error of {error:.3f}: {chosen}.",
            "verdict",
        ),
        paragraph(
            "This score is the best of many, so expect a somewhat worse one on new rows; and the "
            "folds share training rows. skhp.compare compares the search to a baseline and allows "
            "for both."
        ),
    ]
    if reason is not None and reason != "completed":
        texts.append(paragraph(f"The search ended early: {reason}."))
    return "\n".join(texts)


def _diagnosis(search: Any, results: SearchResults) -> str:
    found = diagnose(search, metric=results.metric)
    nothing = "Nothing found that is likely to be wrong."
    says = list_of(finding.message for finding in found) if found else paragraph(nothing)
    return says + _paragraphs(f"Not looked at: {what}" for what in found.unexamined)


def _pictures(search: Any, results: SearchResults, X: Any, y: Any) -> str:
    return "\n".join(
        picture(drawing.draw, drawing.caption, number, drawing.size)
        for number, drawing in enumerate(_drawings(search, results, X, y))
    )


class _Drawing(NamedTuple):
    draw: Callable[[Any], object]
    caption: str
    size: tuple[float, float] = (7.0, 4.2)


def _drawings(search: Any, results: SearchResults, X: Any, y: Any) -> Iterator[_Drawing]:
    metric = results.metric
    if searched := results.values:
        several = len(searched) > 2
        yield _Drawing(
            lambda ax: SearchDisplay.from_search(search, metric=metric, ax=ax),
            f"The {results.metric_title} over the parameters that were searched."
            + (" The thick line is the best candidate." if several else ""),
            size_of_coordinates(len(searched)) if several else (7.0, 4.2),
        )
    yield _Drawing(
        lambda ax: SearchHistoryDisplay.from_search(search, metric=metric, ax=ax),
        f"The best {results.metric_title} so far.",
    )
    best: Any = getattr(search, "best_estimator_", None)
    if best is None or _best(search, results) is None:
        return
    yield from _training(best)
    if X is not None:
        labels = np.asarray(class_labels(y) if is_classifier(best) else y)
        yield from _on_new_rows(best, X, labels, getattr(search, "target_summary", None))


def _training(best: Any) -> Iterator[_Drawing]:
    try:
        history = training_history(best)
    except (InvalidParameterError, AttributeError):
        return
    watched = history.watched or "loss"
    yield _Drawing(
        lambda ax: HistoryDisplay([history]).plot(ax),
        f"The training of the best candidate on all rows: {watched.removeprefix('val_')}"
        + (", which early stopping watched." if history.watched else "."),
    )
    if watched.removeprefix("val_") != "loss" and "loss" in history.curves:
        yield _Drawing(
            lambda ax: HistoryDisplay([history], "loss").plot(ax), "The loss of the same training."
        )


def _on_new_rows(
    best: Any, X: Any, y: np.ndarray, searched: TargetSummary | None
) -> Iterator[_Drawing]:
    name = public_name(fitted_network(best))
    if is_regressor(best) and y.ndim == 1:
        predicted = best.predict(X)
        yield _Drawing(
            lambda ax: _prediction_errors(y, predicted, ax),
            "Predictions for rows that the search has not seen, against the true values.",
        )
        if _reads_series(fitted_network(best)):
            yield _Drawing(
                lambda ax: _forecasts(y, predicted, ax),
                "The same predictions and true values in the order of the rows.",
            )
    binary = is_classifier(best) and np.ndim(best.classes_) == 1 and len(best.classes_) == 2
    if not binary or y.ndim != 1 or not hasattr(best, "predict_proba"):
        return
    classes = list(best.classes_)
    rare = _rare_class(best, searched, y)
    label = class_label(rare)
    is_rare = y == rare
    if is_rare.any():
        yield _Drawing(
            lambda ax: ThresholdDisplay.from_estimator(
                best, X, y, pos_label=rare, name=name, ax=ax
            ),
            f"Precision, recall and F1 of class {label} over the threshold, on rows that the "
            "search has not seen.",
        )
    if is_rare.all() or not is_rare.any():
        return
    probability = best.predict_proba(X)[:, classes.index(rare)]
    brier = brier_score_loss(is_rare, probability)
    yield _Drawing(
        lambda ax: _calibration(is_rare, probability, name, label, ax),
        f"How far the probabilities of class {label} can be trusted; Brier score {brier:.3f}. "
        "Class weights, focal loss and above all soft F1 distort them; scikit-learn's "
        "CalibratedClassifierCV mends that.",
    )


def _rare_class(best: Any, searched: TargetSummary | None, y: np.ndarray) -> Any:
    """The rarest class that the search or its estimator learnt, or else the rarest in `y`."""
    classes = list(best.classes_)
    learnt = (rare_class_of(best), None if searched is None else searched.rare_class)
    known = (label for label in learnt if label is not None and label in classes)
    return next(known, rarest_class(y, classes))


def _prediction_errors(y: np.ndarray, predicted: np.ndarray, ax: Any) -> None:
    from matplotlib.ticker import AutoLocator

    PredictionErrorDisplay.from_predictions(y, predicted, kind="actual_vs_predicted", ax=ax)
    # scikit-learn sets ticks at fifths of the range, which are not round numbers.
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(AutoLocator())


_RECURRENT = ("RNN", "LSTM", "GRU", "ConvLSTM", "Bidirectional")


def _reads_series(network: Any) -> bool:
    """Whether a network has recurrent layers that read numbers and not tokens."""
    kinds = [type(layer).__name__ for layer in layers_of_model(network)]
    return "Embedding" not in kinds and any(part in kind for kind in kinds for part in _RECURRENT)


def _forecasts(y: np.ndarray, predicted: np.ndarray, ax: Any) -> None:
    ax.plot(y, color="black", linewidth=1, label="true value")
    ax.plot(np.ravel(predicted), color="tab:orange", linewidth=1, label="prediction")
    ax.set(xlabel="row", ylabel="target")
    ax.legend()


def _calibration(
    is_rare: np.ndarray, probability: np.ndarray, name: str, label: str, ax: Any
) -> None:
    CalibrationDisplay.from_predictions(is_rare, probability, name=name, ax=ax)
    ax.set(
        xlabel=f"mean predicted probability of class {label}",
        ylabel=f"share of rows of class {label}",
    )


def _versions() -> Iterator[list[str]]:
    yield ["Python", platform.python_version()]
    for name in _PACKAGES:
        try:
            yield [name, version(name)]
        except PackageNotFoundError:
            continue


def _replace(target: Path, text: str) -> None:
    """Write the whole file, or leave it as it was."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}-", suffix=".part")
    try:
        # The text may hold the name of a file that is not valid in the encoding of the system.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        # Only its owner may read a temporary file; a page gets the usual permissions of the user.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
