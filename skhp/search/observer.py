"""Tells observers how a search goes: a round begins, a fit is finished, a round ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skhp.population.parallel_call import Recalled
from skhp.population.report import PopulationProgress

__all__ = ["ObservedRounds", "ObservedTasks", "SearchEnds", "SearchObserver"]

# The keyword by which scikit-learn tells a task its fold; only tasks of a search have it.
PART_OF_SEARCH = "split_progress"

Candidates = Sequence[Mapping[str, Any]]


class SearchEnds(Exception):  # noqa: N818
    """Ends a search, which keeps the finished candidates."""


class SearchObserver:
    """Is told how a search goes; a subclass overrides the methods that it needs.

    Each method except `fit_finished` may raise `SearchEnds`.
    """

    def largest_round(self) -> int | None:
        """The most candidates that the next round may have; None for any number."""
        return None

    def round_begins(self, candidates: Candidates, more_results: Mapping[str, Any]) -> None:
        """Called before a round, with its candidates and the columns that a halving search adds."""

    def fit_finished(
        self, keywords: Mapping[str, Any], result: Mapping[str, Any], rung_scores: Sequence[float]
    ) -> None:
        """Called after each fit that was scored, or found in a journal.

        `keywords` and `result` are those of scikit-learn's task.
        """

    def training_advanced(self, progress: PopulationProgress) -> None:
        """Called after each chunk of the training of a population, from any thread."""

    def round_ends(self, results: Mapping[str, Any]) -> None:
        """Called after a round, with the results of all rounds so far.

        All observers are told, even if one of them raises `SearchEnds`.
        """

    def round_is_interrupted(self) -> None:
        """Called when Ctrl-C interrupts a round."""


class ObservedRounds:
    """scikit-learn's `evaluate_candidates`, in rounds; observers decide their size and the end."""

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
        """Evaluate candidates, and return the results of all rounds."""
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
        ended: SearchEnds | None = None
        for observer in self._observers:
            try:
                observer.round_ends(results)
            except SearchEnds as error:
                ended = ended or error
        if ended is not None:
            raise ended
        return results


class ObservedTasks:
    """A `TaskJournal` that tells observers of each fit; `recall` finds known results.

    `states` makes what keeps the states of cohorts.
    """

    def __init__(
        self,
        observers: Sequence[SearchObserver],
        recall: Callable[[tuple[Any, ...], Mapping[str, Any]], Recalled | None] | None,
        states: Callable[[Sequence[Mapping[str, Any]]], Any] | None = None,
    ) -> None:
        self._observers = observers
        self._recall = recall
        self._states = states

    def recalled(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recalled | None:
        """The result of a task, if it is known."""
        # The model that suggests candidates may run tasks of its own.
        if self._recall is None or PART_OF_SEARCH not in keywords:
            return None
        recalled = self._recall(arguments, keywords)
        if recalled is not None:
            self.finished(keywords, recalled.result, recalled.rung_scores)
        return recalled

    def kept_states(self, fits: Sequence[Mapping[str, Any]]) -> Any:
        """What keeps the states of cohorts of these fits, if they are all fits of the search."""
        if self._states is None or not all(PART_OF_SEARCH in keywords for keywords in fits):
            return None
        return self._states(fits)

    def advanced(self, progress: PopulationProgress) -> None:
        """Tell the observers of the progress of a training."""
        for observer in self._observers:
            observer.training_advanced(progress)

    def finished(
        self, keywords: Mapping[str, Any], result: Any, rung_scores: Sequence[float]
    ) -> None:
        """Tell the observers of a task that has run."""
        if PART_OF_SEARCH in keywords:
            for observer in self._observers:
                observer.fit_finished(keywords, result, rung_scores)


class _RoundsContext:
    """A callback context that continues the numbers of tasks from one round to the next."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._before = self._issued = 0

    def begin_round(self) -> None:
        """Count the following tasks as those of another round."""
        self._before = self._issued

    def subcontext(self, task_name: str = "", task_id: Any = None, **keywords: Any) -> Any:
        """The context of a task, which scikit-learn counts from 0 in every round."""
        self._issued = max(self._issued, self._before + task_id + 1)
        return self._context.subcontext(
            task_name=task_name, task_id=self._before + task_id, **keywords
        )
