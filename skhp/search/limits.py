"""Ends a search before its last candidate: by time, for want of improvement, by Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

StopReason = Literal["completed", "time_budget", "no_improvement", "interrupted"]

# Candidates of a first round, when nothing is known of how long one takes, and of any.
_FIRST_ROUND = 8
_LARGEST_ROUND = 256
# A round may take this share of the time that is left, since it is not broken off.
_SHARE_OF_ROUND = 0.25


class SearchEnds(Exception):  # noqa: N818
    """Leaves the loops of a search; what was finished stays."""


@dataclass(frozen=True)
class Limits:
    """When a search ends early.

    `seconds` bounds its time; `patience` the candidates without a better `metric`, the name of a
    column of the results; `keeps_finished` is whether Ctrl-C leaves the finished candidates.
    """

    seconds: float | None = None
    patience: int | None = None
    metric: str = "mean_test_score"
    keeps_finished: bool = False

    def __bool__(self) -> bool:
        return self.seconds is not None or self.patience is not None or self.keeps_finished


class LimitedEvaluation:
    """Evaluates candidates round by round, for as long as the limits allow.

    Parameters
    ----------
    evaluate : callable
        scikit-learn's `evaluate_candidates`.
    limits : Limits
    began : float
        By `time.perf_counter`.
    """

    def __init__(self, evaluate: Callable[..., Any], limits: Limits, began: float) -> None:
        self._evaluate = evaluate
        self._limits = limits
        self._began = began
        self._seconds_a_candidate: float | None = None
        self._results: Mapping[str, Any] | None = None
        self.reason: StopReason = "completed"

    def __call__(
        self,
        candidate_params: Any,
        cv: Any = None,
        more_results: Mapping[str, Sequence[Any]] | None = None,
        callback_ctx: Any = None,
    ) -> Any:
        """As `evaluate_candidates`; raises `SearchEnds` where a limit is reached."""
        candidates = list(candidate_params)
        start = 0
        rounds = None if callback_ctx is None else _RoundsContext(callback_ctx)
        while start < len(candidates) or start == 0:
            self._obey()
            round_ = slice(start, start + self._size_of_round())
            keywords: dict[str, Any] = {}
            if more_results is not None:
                keywords["more_results"] = {
                    name: list(values)[round_] for name, values in more_results.items()
                }
            if rounds is not None:
                rounds.begin_round()
                keywords["callback_ctx"] = rounds
            self._results = self._evaluated(candidates[round_], cv, keywords)
            start = round_.stop
        return self._results

    def _evaluated(self, candidates: list[Any], cv: Any, keywords: dict[str, Any]) -> Any:
        began = time.perf_counter()
        try:
            results = self._evaluate(candidates, cv, **keywords)
        except KeyboardInterrupt:
            if not self._limits.keeps_finished or self._results is None:
                raise
            self._end("interrupted")
        self._seconds_a_candidate = (time.perf_counter() - began) / max(len(candidates), 1)
        return results

    def _obey(self) -> None:
        """End the search before another round, if a limit is reached."""
        limits = self._limits
        if self._results is None:
            return
        if limits.patience is not None:
            scores = np.asarray(self._results[limits.metric], float)
            if np.isfinite(scores).any():
                since_best = len(scores) - 1 - int(np.nanargmax(scores))
                if since_best >= limits.patience:
                    self._end("no_improvement")
        if limits.seconds is not None and self._seconds_left() <= 0:
            self._end("time_budget")

    def _end(self, reason: StopReason) -> None:
        self.reason = reason
        raise SearchEnds(reason)

    def _seconds_left(self) -> float:
        return (self._limits.seconds or 0.0) - (time.perf_counter() - self._began)

    def _size_of_round(self) -> int:
        size = _LARGEST_ROUND
        if self._limits.patience is not None:
            size = min(size, max(_FIRST_ROUND, self._limits.patience))
        if self._limits.keeps_finished or self._limits.seconds is not None:
            size = min(size, _FIRST_ROUND if self._seconds_a_candidate is None else size)
        if self._limits.seconds is not None and self._seconds_a_candidate:
            time_of_round = _SHARE_OF_ROUND * max(self._seconds_left(), 0.0)
            size = min(size, max(1, int(time_of_round / self._seconds_a_candidate)))
        return size


class _RoundsContext:
    """A callback context that numbers the tasks of each round on from those of earlier rounds."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._before = self._issued = 0

    def begin_round(self) -> None:
        """From now on, tasks are those of another round."""
        self._before = self._issued

    def subcontext(self, task_name: str = "", task_id: Any = None, **keywords: Any) -> Any:
        """As scikit-learn's, which counts the tasks of every round from 0."""
        self._issued = max(self._issued, self._before + task_id + 1)
        return self._context.subcontext(
            task_name=task_name, task_id=self._before + task_id, **keywords
        )
