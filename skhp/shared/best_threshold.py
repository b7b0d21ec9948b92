"""The threshold on a probability with the greatest F1, and the value that leaves it to a search."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

# Beyond these limits a threshold rounds to 0 or 1, and would make all rows rare, or none.
_LOG_ODDS_LIMITS = (-100.0, 30.0)


class TunedByFolds(str):
    """The value "tune" for fits that hold no rows out, whose threshold the search tunes."""

    __slots__ = ()


TUNED_BY_FOLDS = TunedByFolds("tune")


def best_threshold(
    probability: np.ndarray, is_rare: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The threshold on the probability of a class that gives the class the greatest F1.

    Thresholds lie halfway between the probabilities of two rows. If several are equally good, the
    nearest to 0.5 is returned, and 0.5 itself if no threshold gives an F1 above 0. Probabilities
    that differ from 1 by less than 1e-13 count as equal.
    """
    weight = np.ones(len(probability)) if weight is None else np.asarray(weight, np.float64)
    if not (weight * is_rare).any():
        return 0.5
    # "Halfway" and "nearest" are measured in log-odds.
    log_odds = np.clip(logit(probability.astype(np.float64)), *_LOG_ODDS_LIMITS)
    order = np.argsort(-log_odds, kind="stable")
    sorted_odds, rare = log_odds[order], (weight * is_rare)[order]
    ends = np.flatnonzero(np.diff(sorted_odds, append=-np.inf))
    true_positives = np.cumsum(rare)[ends]
    f1 = 2 * true_positives / (np.cumsum(weight[order])[ends] + rare.sum())
    last = sorted_odds[ends]
    # Each cut lies between the last row that it makes rare and the next one.
    cuts = (last + np.append(last[1:], last[-1] - 2.0)) / 2
    best = cuts[f1 >= f1.max() * (1 - 1e-12)]
    cut = best[np.abs(best).argmin()]
    threshold = float(expit(cut))
    is_above = log_odds > cut
    if (probability[~is_above] >= threshold).any():
        # The dtype of the probabilities has no number between those of the two rows.
        threshold = float(probability[is_above].min())
    return threshold
