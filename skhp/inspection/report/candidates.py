"""The best candidates of a search as a table, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skhp.inspection.report.page import Number, paragraph, table
from skhp.inspection.search_results import SearchResults
from skhp.inspection.value_text import NOT_SET, decimals_of, value_text

__all__ = ["assignments", "candidates_table", "number_of_candidates", "order_of_candidates"]

_CANDIDATES_SHOWN = 20
# Columns on the training, as a report names them.
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
    """Indices of the candidates: the chosen one first, then those that could have been it.

    A candidate of an earlier round, or one that was pruned, comes after the others whatever its
    score, and one without a score at the end.
    """
    means = np.where(results.failed, -np.inf, results.means)
    chosen = np.arange(len(means)) != getattr(search, "best_index_", results.best)
    return np.lexsort((-means, results.failed, results.pruned, -results.rounds, chosen))


def candidates_table(search: Any, results: SearchResults) -> str:
    """The first candidates as HTML, with what all of them have in common below."""
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
    # A candidate that is far worse than all others would need many places.
    return Number(f"{score:.{decimals}f}" if abs(score) < 1e6 else f"{score:.4g}")


def _plain(value: Any) -> object:
    if isinstance(value, str):
        return str(value)
    number = float(value)
    if np.isnan(number):
        return Number("")
    # Epochs, as means of the folds, and seconds.
    return Number(f"{number:.1f}" if number >= 1 and not number.is_integer() else f"{number:.3g}")
