"""Which metrics cannot leave the range from 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skhp.comparison.metric_scorers import Scoring
from skhp.comparison.scores import SCORINGS

__all__ = ["metrics_from_0_to_1"]

_ELSEWHERE = ("neg_", "d2_", "matthews_")


def metrics_from_0_to_1(scoring: Scoring, metrics: Iterable[str]) -> frozenset[str]:
    """The metrics that are known to lie between 0 and 1; of a scorer of the user's nothing is.

    Parameters
    ----------
    scoring : str, callable, sequence of str, mapping or None
        As for `metric_scorers`.
    metrics : iterable of str
        The names that it gave the metrics.

    Returns
    -------
    frozenset of str

    Examples
    --------
    >>> sorted(metrics_from_0_to_1({"mine": "recall", "f1": print}, ["mine", "f1"]))
    ['mine']
    """
    known = {name for name in SCORINGS if not name.startswith(_ELSEWHERE)}
    scorers = scoring if isinstance(scoring, Mapping) else {}
    return frozenset(name for name in metrics if scorers.get(name, name) in known)
