"""Ends a search, or some of its candidates, early: by time, scores, Ctrl-C, or pruning."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.population.cohorts.pruning import Pruning
from skhp.population.requested_fits import may_join
from skhp.search.observer import Candidates, SearchEnds, SearchObserver
from skhp.shared.nearest_name import nearest_name
from skhp.shared.pipelines import last_step

StopReason = Literal["completed", "time_budget", "no_improvement", "interrupted"]

# The most candidates of the first round, whose time is not known before, and of any round.
_FIRST_ROUND = 8
_LARGEST_ROUND = 256
# A round is not broken off, so it is planned to take only this share of the time that is left.
_SHARE_OF_ROUND = 0.25


class Limits(SearchObserver):
    """Decides when a search ends early; its time starts when the object is created.

    The search ends after `seconds`, or after `patience` candidates without a better `metric`, which
    is a column of the results. With `keeps_finished`, Ctrl-C keeps the finished candidates.
    """

    def __init__(
        self,
        seconds: float | None = None,
        patience: int | None = None,
        metric: str = "mean_test_score",
        keeps_finished: bool = False,
    ) -> None:
        self._seconds, self._patience, self._metric = seconds, patience, metric
        self._keeps_finished = keeps_finished
        self._began = self._round_began = time.perf_counter()
        self._candidates = 0
        self._seconds_a_candidate: float | None = None
        self._results: Mapping[str, Any] | None = None
        self.reason: StopReason = "completed"

    def __bool__(self) -> bool:
        return self._seconds is not None or self._patience is not None or self._keeps_finished

    def largest_round(self) -> int | None:
        """The number of candidates that fit the time left; raises `SearchEnds` at a limit."""
        self._obey()
        size = _LARGEST_ROUND
        if self._patience is not None:
            size = min(size, max(_FIRST_ROUND, self._patience))
        if self._keeps_finished or self._seconds is not None:
            size = min(size, _FIRST_ROUND if self._seconds_a_candidate is None else size)
        if self._seconds is not None and self._seconds_a_candidate:
            time_of_round = _SHARE_OF_ROUND * max(self._seconds_left(), 0.0)
            size = min(size, max(1, int(time_of_round / self._seconds_a_candidate)))
        return size

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Note the time, and the number of candidates."""
        self._round_began, self._candidates = time.perf_counter(), max(len(candidates), 1)

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """Learn how long a candidate takes, and how good each one is."""
        self._results = results
        self._seconds_a_candidate = (time.perf_counter() - self._round_began) / self._candidates

    def round_is_interrupted(self) -> None:
        """End the search with the finished candidates, if they are to be kept and there are any."""
        if self._keeps_finished and self._results is not None:
            self._end("interrupted")

    def _obey(self) -> None:
        """End the search before another round, if a limit is reached."""
        if self._results is None:
            return
        if self._patience is not None:
            scores = np.asarray(self._results[self._metric], float)
            if np.isfinite(scores).any():
                since_best = len(scores) - 1 - int(np.nanargmax(scores))
                if since_best >= self._patience:
                    self._end("no_improvement")
        if self._seconds is not None and self._seconds_left() <= 0:
            self._end("time_budget")

    def _end(self, reason: StopReason) -> None:
        self.reason = reason
        raise SearchEnds(reason)

    def _seconds_left(self) -> float:
        return (self._seconds or 0.0) - (time.perf_counter() - self._began)


# Networks that differ in one of these parameters have no comparable scores on held-out rows.
_APART = ("callbacks", "class_weight", "loss", "monitor", "scale_target")
_KEYS = ("factor", "rungs")


def pruning_of(setting: Any, estimator: Any, population: bool) -> Pruning | None:
    """The pruning that the parameter `prune` asks for, or InvalidParameterError."""
    if setting is None:
        return None
    if not population:
        raise InvalidParameterError(
            f"prune={setting!r} ranks candidates that train together: set population=True, or "
            "leave prune out."
        )
    if not may_join(estimator):
        raise InvalidParameterError(
            f"prune={setting!r} ends candidates between epochs of a population, and "
            f"{_named(estimator)} is not one of skhp's networks, nor a pipeline that ends in one: "
            "leave prune out."
        )
    given = {} if setting == "halving" else dict(setting)
    for name in given:
        if name not in _KEYS:
            raise InvalidParameterError(
                f"prune has {name!r}.{nearest_name(str(name), _KEYS)} "
                f"Give a dict of {' and '.join(map(repr, _KEYS))}."
            )
    return Pruning(
        rungs=_rungs(given.get("rungs")), factor=_factor(given.get("factor", 3)), apart=_APART
    )


def _named(estimator: Any) -> str:
    name, last = type(estimator).__name__, last_step(estimator)
    return name if last is estimator else f"{name}, whose last step is a {type(last).__name__},"


def pruned_are_last(results: dict[str, Any], metric: str) -> dict[str, Any]:
    """Results in which no pruned candidate is the best."""
    pruned = np.isfinite(results["pruned_at_epoch"])
    ranks, means = results[f"rank_test_{metric}"], results[f"mean_test_{metric}"]
    return results | {
        f"rank_test_{metric}": np.where(pruned, ranks + len(ranks), ranks),
        f"mean_test_{metric}": np.where(pruned, -np.inf, means),
    }


def _rungs(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    rungs = tuple(given) if not isinstance(given, (str, Mapping, Real)) else ()
    whole = all(isinstance(rung, Integral) and not isinstance(rung, bool) for rung in rungs)
    if not rungs or not whole or rungs[0] < 1 or any(b <= a for a, b in pairwise(rungs)):
        raise InvalidParameterError(
            f"prune has rungs={given!r}: give increasing numbers of epochs, such as (10, 30)."
        )
    return tuple(int(rung) for rung in rungs)


def _factor(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) > 1:
        raise InvalidParameterError(
            f"prune has factor={given!r}: give a number above 1; with 3, one in three candidates "
            "goes on at each rung."
        )
    return float(given)
