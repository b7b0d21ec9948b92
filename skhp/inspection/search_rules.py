"""The rules for the results of a search; each is a function from results to findings."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

from skhp.inspection.displays.axes import scale_of
from skhp.inspection.examined_fit import Finding
from skhp.inspection.search_results import SearchResults
from skhp.inspection.value_text import is_number, number_text

_LEAST_VALUES = 3
# A parameter with this many values or more was drawn from a range, not tried on a grid.
_DRAWN = 9
_OUTER = 0.1  # share of a range that counts as its end, for the best candidate
_OUTER_MEDIAN = 0.15  # the same for the median of the best candidates
_BEST_SHARE = 0.12  # share of the candidates that count as the best
_CHANCE = 0.1  # probability of a finding where there is nothing to find
_UNDECIDED = 0.1
_MANY_FAILED = 0.2


def findings_of_search(results: SearchResults) -> list[Finding]:
    """The findings of all rules, with the scores of each candidate in its last round."""
    results = results.last_rounds()
    return [*failed_candidates(results), *grid_edges(results), *undecided(results)]


def failed_candidates(results: SearchResults) -> list[Finding]:
    """Many candidates have no score."""
    failed = results.failed
    if failed.mean() < _MANY_FAILED:
        return []
    where, parameter = "", "error_score"
    for name, values in results.values.items():
        numbers = np.array([float(v) if is_number(v) else np.nan for v in values])
        if failed.all() or not np.isfinite(numbers).all():
            continue
        for side, apart in (
            ("or more", numbers[failed].min() > numbers[~failed].max()),
            ("or less", numbers[failed].max() < numbers[~failed].min()),
        ):
            if apart:
                nearest = numbers[failed].min() if side == "or more" else numbers[failed].max()
                where, parameter = f", all those with {name} of {number_text(nearest)} {side}", name
    return [
        Finding(
            "failed_candidates",
            f"{failed.sum()} of {len(failed)} candidates failed in at least one fold{where}. "
            + (
                f"Leave such values of {parameter} out."
                if where
                else "Set error_score='raise' to see why."
            ),
            float(failed.mean()),
            parameter,
        )
    ]


def grid_edges(results: SearchResults) -> list[Finding]:
    """The best value of a parameter is the smallest or the largest that was tried.

    In a grid, the best candidate has to be better than the best one with the next value, by a
    corrected t-test of their folds (Nadeau and Bengio, 2003). In a range, the best eighth of the
    candidates has to lie at its end. The least possible number of layers (0) or
    neurons (1) is not an edge.
    """
    best = results.best
    if best is None:
        return []
    findings = []
    for name, values in results.values.items():
        if is_number(values[best]):
            finding = _edge(results, name, best)
            findings += [] if finding is None else [finding]
    return findings


def undecided(results: SearchResults) -> list[Finding]:
    """The candidates differ no more than by chance, by Friedman's test over the folds."""
    finite = ~results.failed & ~results.pruned & (results.rounds == results.rounds.max())
    scores = results.scores[finite]
    if len(scores) < _LEAST_VALUES or scores.shape[1] < 3 or not np.ptp(scores, axis=0).all():
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chance = float(stats.friedmanchisquare(*scores).pvalue)
    if not chance > _UNDECIDED:
        return []
    return [
        Finding(
            "undecided",
            f"The {len(scores)} candidates differ no more than by chance in "
            f"{scores.shape[1]} folds (Friedman's test, p = {chance:.2f}), so the best one is as "
            "good as any. Try repeated folds (RepeatedStratifiedKFold) or more rows if it matters.",
            chance,
            "cv",
        )
    ]


def _edge(results: SearchResults, name: str, best: int) -> Finding | None:
    values = results.values[name]
    with_number = np.array([is_number(value) for value in values])
    numbers = np.array([float(v) if is_number(v) else np.nan for v in values])
    distinct = np.unique(numbers[with_number])
    if len(distinct) < _LEAST_VALUES:
        return None
    usable = with_number & ~results.failed & ~results.pruned
    if len(distinct) >= _DRAWN:
        end = _end_of_the_best(results, name, usable)
    else:
        end = _end_of_the_grid(results, numbers, distinct, usable, best)
    if end is None:
        return None
    value = float(distinct[-1] if end == "largest" else distinct[0])
    whole = all(isinstance(v, int | np.integer) for v in values if is_number(v))
    if end == "smallest" and (value == 0 or (whole and value == 1)):
        return None
    shown = number_text(value)
    if len(distinct) < _DRAWN:
        message = f"{shown} is the {end} {name} tried, and the best: widen the grid there."
    else:
        message = (
            f"The best candidates are near {shown}, the {end} {name} tried: widen the range there."
        )
    return Finding("edge_of_the_grid", message, value, name)


def _end_of_the_grid(
    results: SearchResults,
    numbers: np.ndarray,
    distinct: np.ndarray,
    usable: np.ndarray,
    best: int,
) -> str | None:
    place = int(np.searchsorted(distinct, numbers[best]))
    if place not in (0, len(distinct) - 1):
        return None
    inner = distinct[1] if place == 0 else distinct[-2]
    rivals = np.flatnonzero(usable & (numbers == inner))
    if not len(rivals):
        return None
    rival = rivals[np.argmax(results.means[rivals])]
    if not _better(results.scores[best], results.scores[rival]):
        return None
    return "smallest" if place == 0 else "largest"


def _better(one: np.ndarray, other: np.ndarray) -> bool:
    difference = one - other
    n_folds = len(difference)
    if n_folds < 2 or difference.mean() <= 0:
        return False
    # The variance is corrected, because the folds share training rows.
    error = difference.std(ddof=1) * np.sqrt(1 / n_folds + 1 / (n_folds - 1))
    return bool(difference.mean() > stats.t.ppf(1 - _CHANCE, n_folds - 1) * error)


def _end_of_the_best(results: SearchResults, name: str, usable: np.ndarray) -> str | None:
    shares = scale_of(results.values[name]).shares(results.values[name])
    candidates = np.flatnonzero(usable & np.isfinite(shares))
    order = candidates[np.argsort(-results.means[candidates], kind="stable")]
    top = shares[order[: max(3, round(_BEST_SHARE * len(order)))]]
    # By chance, the median of these draws is rarely this near to an end.
    for end, distances in (("smallest", top), ("largest", 1 - top)):
        if np.median(distances) < _OUTER_MEDIAN and distances[0] < _OUTER:
            return end
    return None
