"""Ends a search, or some of its candidates, early: by time, scores, Ctrl-C, or pruning."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.population.cohorts.pruning import Pruning
from skhp.population.limits.conditions import Deadline, is_dropped
from skhp.population.requested_fits import may_join
from skhp.search.observer import Candidates, SearchEnds, SearchObserver
from skhp.shared.nearest_name import nearest_name
from skhp.shared.pipelines import last_step

StopReason = Literal["completed", "time_budget", "no_improvement", "interrupted"]

# The most candidates of the first round, whose time is not known before, and of any round.
_FIRST_ROUND = 8
_LARGEST_ROUND = 256
# The share of the time left that a round is planned to take: one whose trainings can end within it,
# and one that is not broken off.
_SHARE_OF_ROUND = 0.6
_SHARE_OF_WHOLE_ROUND = 0.25


class Limits(SearchObserver):
    """Decides when a search ends early; its time starts when the object is created.

    The search ends after `seconds`, even within a round if its trainings are `breakable`, or after
    `patience` candidates without a better `metric`, which is a column of the results. With
    `keeps_finished`, Ctrl-C keeps the finished candidates.
    """

    def __init__(
        self,
        seconds: float | None = None,
        patience: int | None = None,
        metric: str = "mean_test_score",
        keeps_finished: bool = False,
        breakable: bool = False,
    ) -> None:
        self._patience, self._metric = patience, metric
        self._keeps_finished, self._breakable = keeps_finished, breakable
        self.deadline = None if seconds is None else Deadline(seconds)
        self._round_began = 0.0
        self._is_cut = False
        self._candidates = 0
        self._seconds_a_candidate: float | None = None
        self._results: Mapping[str, Any] | None = None
        self.reason: StopReason = "completed"

    def __bool__(self) -> bool:
        return self.deadline is not None or self._patience is not None or self._keeps_finished

    def largest_round(self) -> int | None:
        """The number of candidates that fit the time left; raises `SearchEnds` at a limit."""
        self._obey()
        size = _LARGEST_ROUND
        if self._patience is not None:
            size = min(size, max(_FIRST_ROUND, self._patience))
        if self._keeps_finished or self.deadline is not None:
            size = min(size, _FIRST_ROUND if self._seconds_a_candidate is None else size)
        if self.deadline is not None and self._seconds_a_candidate:
            share = _SHARE_OF_ROUND if self._breakable else _SHARE_OF_WHOLE_ROUND
            time_of_round = share * max(self.deadline.seconds_left(), 0.0)
            size = min(size, max(1, int(time_of_round / self._seconds_a_candidate)))
        return size

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Note the time, and the number of candidates."""
        self._round_began, self._candidates = time.perf_counter(), max(len(candidates), 1)

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """Learn how long a candidate takes, and how good each one is.

        A round in which the time ran out is the last.
        """
        self._results = results
        if self.deadline is not None:
            self.deadline.round_has_ended = True
        self._seconds_a_candidate = (time.perf_counter() - self._round_began) / self._candidates
        if self._is_cut:
            self._end("time_budget")

    def without_dropped(self, candidates: list[Any], n_splits: int, *columns: list[Any]) -> None:
        """Take candidates that the time did not suffice for out of the lists of a search.

        Each of the `columns` has an entry for each candidate, or for each of its fits.
        """
        (fits, *_) = columns
        dropped = {number // n_splits for number, fit in enumerate(fits) if is_dropped(fit)}
        if not dropped:
            return
        self._is_cut = True
        if len(dropped) == len(candidates):
            seconds = 0.0 if self.deadline is None else self.deadline.seconds
            raise InvalidParameterError(
                f"time_budget={seconds:g} seconds ran out before any candidate was trained: give "
                'the search more time, or on_budget="score" to score trainings that are cut off.'
            )
        for column in (candidates, *columns):
            fits_each = n_splits if column is fits else 1
            column[:] = [
                entry for place, entry in enumerate(column) if place // fits_each not in dropped
            ]

    def note_cut_off(self) -> None:
        """Note that the time ended trainings before their own end."""
        self._is_cut = True

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
        if self.deadline is not None and self.deadline.is_over:
            self._end("time_budget")

    def _end(self, reason: StopReason) -> None:
        self.reason = reason
        if reason == "time_budget" and self.deadline is not None and self.deadline.is_long_over:
            logging.getLogger("skhp").warning(
                "The search took %.1f s of a time_budget of %g s; programs were compiled for "
                "%.1f s, and an epoch or a fit by Keras is not broken off.",
                *(self.deadline.elapsed, self.deadline.seconds, self.deadline.compiling),
            )
        raise SearchEnds(reason)


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
    """Results in which no pruned candidate is the best, unless there is no other in its round."""
    pruned = np.isfinite(results["pruned_at_epoch"])
    rounds = np.asarray(results.get("iter", np.zeros(len(pruned))))
    pruned &= np.isin(rounds, rounds[~pruned])
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
