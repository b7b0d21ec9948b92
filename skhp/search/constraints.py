"""What the parameters of searchers may be."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

from skhp.compat.scikit_learn import Interval, StrOptions


def additional_constraints(base: type, *, sequential: bool = False) -> dict[str, Any]:
    """Constraints of a class of scikit-learn's, and of what a searcher adds to it.

    Parameters
    ----------
    base : type
    sequential : bool, default=False
        Whether the search can end for want of improvement.
    """
    own: dict[str, Any] = getattr(base, "_parameter_constraints", {})
    constraints = {
        **own,
        "scoring": [*own["scoring"], StrOptions({"auto"})],
        "early_stopping": [
            "boolean",
            dict,
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        # Its items are checked where it is read, by `pruning_of`.
        "prune": [StrOptions({"halving"}), dict, None],
        "refit_epochs": [StrOptions({"median"}), None],
        # Checked where it is read, by `seconds_of_budget`.
        "time_budget": "no_validation",
        "on_interrupt": [StrOptions({"raise", "partial"})],
        "journal": [str, os.PathLike, None],
        "population": ["boolean"],
    }
    if sequential:
        constraints["stop_after"] = [Interval(Integral, 1, None, closed="left"), None]
    return constraints
