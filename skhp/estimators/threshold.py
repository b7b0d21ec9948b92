"""From which probability on a rare class is predicted."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

# Log-odds beyond which a threshold would be 1 or 0 itself, and rare would be none or all.
_TELLING = (-100.0, 30.0)


def best_threshold(
    log_odds: np.ndarray, is_rare: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The probability of a class from which on its F1 on some rows is greatest.

    Parameters
    ----------
    log_odds : ndarray of shape (n_rows,)
        Of the class, as a network predicts them.
    is_rare : ndarray of bool, shape (n_rows,)
        Whether a row is of the class.
    weight : ndarray of shape (n_rows,), default=None

    Returns
    -------
    float
        Between two rows of different predictions; of several that are as good, the one nearest to
        0.5; 0.5 where no threshold gives any F1. Rows whose probabilities differ from 1 by less
        than 1e-13 count as equally certain.

    Examples
    --------
    >>> round(best_threshold(np.array([-3.0, -2.0, -1.0, 0.5]), np.array([0, 0, 1, 1]) > 0), 3)
    0.182
    """
    weight = np.ones(len(log_odds)) if weight is None else np.asarray(weight, np.float64)
    if not (weight * is_rare).any():
        return 0.5
    log_odds = np.clip(log_odds, *_TELLING)
    order = np.argsort(-log_odds, kind="stable")
    sorted_odds, rare = log_odds[order], (weight * is_rare)[order]
    ends = np.flatnonzero(np.diff(sorted_odds, append=-np.inf))
    true_positives = np.cumsum(rare)[ends]
    f1 = 2 * true_positives / (np.cumsum(weight[order])[ends] + rare.sum())
    last = sorted_odds[ends]
    # Below the last row that is predicted to be rare, and above the next one.
    cuts = (last + np.append(last[1:], last[-1] - 2.0)) / 2
    best = cuts[f1 >= f1.max() * (1 - 1e-12)]
    return float(expit(best[np.abs(best).argmin()]))
