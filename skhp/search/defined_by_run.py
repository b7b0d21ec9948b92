"""Candidates that a function of the user's suggests, trial by trial, as in Optuna."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import (
    refuse_bad_combinations,
    refuse_bad_values,
    refuse_unknown_names,
)
from skhp.search.space.dimensions import Choices

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["defined_by_run"]


def defined_by_run(
    space: Callable[[Trial], Any], estimator: Any, *, checks_values: bool
) -> Callable[[Trial], dict[str, Any]]:
    """A function that lets a trial of Optuna suggest parameters, which are checked at once.

    Parameters
    ----------
    space : callable
        From a trial to a dict of parameters.
    estimator : estimator
    checks_values : bool
        Whether values that the estimator refuses end the search; names that it does not know do.

    Raises
    ------
    InvalidParameterError
        By the function that is returned, before the candidate is trained.
    """

    def suggest(trial: Trial) -> dict[str, Any]:
        suggested = space(trial)
        if not isinstance(suggested, Mapping):
            raise InvalidParameterError(
                f"The function given as search_spaces returned {suggested!r} for a trial. It must "
                "return a dict from names of parameters to values, as "
                "{'neurons': trial.suggest_int('neurons', 2, 64)}."
            )
        if suggested:
            refuse_unknown_names(estimator, {name: [value] for name, value in suggested.items()})
            alternative = [(name, [value], Choices((value,))) for name, value in suggested.items()]
            if checks_values:
                refuse_bad_values(estimator, [alternative])
                refuse_bad_combinations(estimator, [alternative])
        return dict(suggested)

    return suggest
