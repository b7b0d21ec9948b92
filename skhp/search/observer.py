"""Who is told how a search goes: round begins, fit finished, round ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skhp.population.parallel_call import Recalled

__all__ = ["ObservedRounds", "ObservedTasks", "SearchEnds", "SearchObserver"]

# What scikit-learn tells the tasks of a search, and no other tasks: the fold, and how many.
PART_OF_SEARCH = "split_progress"

Candidates = Sequence[Mapping[str, Any]]


class SearchEnds(Exception):  # noqa: N818
    """Leaves the loops of a search; what was finished stays."""


class SearchObserver:
    """Is told how a search goes; a subclass has the methods of what it wants to know.

    Each method may raise `SearchEnds`, but for `fit_finished`.
    """

    def largest_round(self) -> int | None:
        """How many candidates the next round may have; None for any number."""
        return None

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Told before candidates are evaluated, and what a halving search adds to their results."""

    def fit_finished(
        self, keywords: Mapping[str, Any], result: Mapping[str, Any], rung_scores: Sequence[float]
    ) -> None:
        """Told of each fit that was scored, or found in a journal.

        `keywords` and `result` are those of scikit-learn's task.
        """

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """Told of the results of all rounds so far."""

    def round_is_interrupted(self) -> None:
        """Told of Ctrl-C within a round."""


class ObservedRounds:
    """scikit-learn's `evaluate_candidates`, which observers are told of, and may part into rounds.

    Parameters
    ----------
    evaluate : callable
        scikit-learn's own.
    observers : sequence of SearchObserver
    """

    def __init__(self, evaluate: Callable[..., Any], observers: Sequence[SearchObserver]) -> None:
        self._evaluate = evaluate
        self._observers = observers

    def __call__(
        self,
        candidate_params: Any,
        cv: Any = None,
        more_results: Mapping[str, Sequence[Any]] | None = None,
        callback_ctx: Any = None,
    ) -> Any:
        """As `evaluate_candidates`; returns the results of all rounds."""
        candidates = list(candidate_params)
        context = None if callback_ctx is None else _RoundsContext(callback_ctx)
        start = 0
        while start < len(candidates) or start == 0:
            sizes = [observer.largest_round() for observer in self._observers]
            size = min([size for size in sizes if size is not None], default=len(candidates))
            part = slice(start, start + size)
            more = {name: list(values)[part] for name, values in (more_results or {}).items()}
            keywords = {} if more_results is None else {"more_results": more}
            results = self._round(candidates[part], cv, more, context, keywords)
            start += max(size, 1)
        return results

    def _round(
        self, candidates: Candidates, cv: Any, more: Any, context: Any, keywords: dict[str, Any]
    ) -> Any:
        for observer in self._observers:
            observer.round_begins(candidates, more)
        if context is not None:
            context.begin_round()
            keywords["callback_ctx"] = context
        try:
            results = self._evaluate(candidates, cv, **keywords)
        except KeyboardInterrupt:
            for observer in self._observers:
                observer.round_is_interrupted()
            raise
        for observer in self._observers:
            observer.round_ends(results)
        return results


class ObservedTasks:
    """Tells observers of the fits of a search; the journal of its tasks, as a population has one.

    Parameters
    ----------
    observers : sequence of SearchObserver
    recall : callable or None
        Finds the result of a task that ran before.
    """

    def __init__(
        self,
        observers: Sequence[SearchObserver],
        recall: Callable[[tuple[Any, ...], Mapping[str, Any]], Recalled | None] | None,
    ) -> None:
        self._observers = observers
        self._recall = recall

    def recalled(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recalled | None:
        """The result of a task, if it is known."""
        # A model of the scores may run tasks of its own.
        if self._recall is None or PART_OF_SEARCH not in keywords:
            return None
        recalled = self._recall(arguments, keywords)
        if recalled is not None:
            self.finished(keywords, recalled.result, recalled.rung_scores)
        return recalled

    def finished(
        self, keywords: Mapping[str, Any], result: Any, rung_scores: Sequence[float]
    ) -> None:
        """Told of each task that has run, as soon as it has."""
        if PART_OF_SEARCH in keywords:
            for observer in self._observers:
                observer.fit_finished(keywords, result, rung_scores)


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
