"""Which candidates of a search are ended before their last epoch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from skhp.exceptions import InvalidParameterError

if TYPE_CHECKING:
    # Both modules import TensorFlow, and a search is described without it.
    from skhp.population.cohorts.planned_cohort import PlannedCohort
    from skhp.training.fit_task import FitResult

# What scikit-learn tells a task of a search: the number of its candidate, and how many there are.
_CANDIDATE = "candidate_progress"

# Fewer epochs tell a good candidate from a bad one no better than chance would.
_FEWEST_EPOCHS = 5


@dataclass(frozen=True)
class Pruning:
    """How candidates are pruned while they train.

    Parameters
    ----------
    rungs : tuple of int, default=None
        Epochs after which all candidates wait for one another and are ranked; None takes the most
        epochs divided by `factor`, by its square, and so on.
    factor : float, default=3
        One in so many candidates goes on.
    apart : tuple of str, default=()
        Parameters, as they are named within their estimator: candidates that differ in one of them
        are ranked among their own kind, as their scores do not compare.
    """

    rungs: tuple[int, ...] | None = None
    factor: float = 3.0
    apart: tuple[str, ...] = ()

    def kind(self, parameters: Mapping[str, Any]) -> Hashable:
        """Equal for candidates whose scores compare."""
        return tuple(
            (name, repr(parameters[name]))
            for name in sorted(parameters)
            if name.rpartition("__")[2] in self.apart
        )

    def rungs_of(self, epochs: int) -> tuple[int, ...]:
        """The rungs of candidates that train for no more than so many epochs."""
        if self.rungs is not None:
            return tuple(rung for rung in self.rungs if rung < epochs)
        return tuple(sorted(self._halved(epochs)))

    def _halved(self, epochs: float) -> Iterator[int]:
        while (epochs := epochs / self.factor) >= _FEWEST_EPOCHS:
            yield int(epochs)


@dataclass(frozen=True, eq=False)
class Contest:
    """The fits of candidates that are ranked among each other.

    Parameters
    ----------
    pruning : Pruning
    epochs : int
        The most that a fit trains for.
    candidates : sequence of hashable
        Of each fit: its candidate. A fit of None is no part of the contest.
    kinds : sequence of hashable
        Of each fit: candidates of other kinds are ranked apart.
    known : mapping of int to sequence of float
        The scores of fits that were trained before, at each rung that they reached.
    """

    pruning: Pruning
    epochs: int
    candidates: Sequence[Hashable]
    kinds: Sequence[Hashable]
    known: Mapping[int, Sequence[float]]

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs after which the fits are ranked."""
        return self.pruning.rungs_of(self.epochs)

    def pruned(self, scores: Mapping[int, float]) -> set[int]:
        """The fits that end at a rung.

        Parameters
        ----------
        scores : mapping of int to float
            Of each fit that is still in the contest, by its number; greater is better.
        """
        fits: dict[Hashable, list[int]] = defaultdict(list)
        for number in scores:
            if self.candidates[number] is not None:
                fits[self.candidates[number]].append(number)
        means = {
            candidate: sum(scores[number] for number in numbers) / len(numbers)
            for candidate, numbers in fits.items()
        }
        of_kinds: dict[Hashable, list[Hashable]] = defaultdict(list)
        for candidate, numbers in fits.items():
            of_kinds[self.kinds[numbers[0]]].append(candidate)
        losers: list[Hashable] = []
        for candidates in of_kinds.values():
            # Of equals the first stays, so that a search is pruned the same way each time.
            ranked = sorted(candidates, key=lambda candidate: -means[candidate])
            losers += ranked[math.ceil(len(ranked) / self.pruning.factor) :]
        return {number for candidate in losers for number in fits[candidate]}


class Entry(NamedTuple):
    """A fit that enters: the keywords of its task, and its scores where it was trained before."""

    keywords: Mapping[str, Any]
    rung_scores: tuple[float, ...] = ()


def contest_of(tasks: Sequence[Any], entries: Sequence[Entry], pruning: Pruning) -> Contest:
    """The contest of the fits of a search.

    Parameters
    ----------
    tasks : sequence of FitTask
    entries : sequence of Entry
        Of each fit.
    pruning : Pruning

    Raises
    ------
    InvalidParameterError
        If there is nothing to rank the candidates by.
    """
    if all(task.validation is None for task in tasks):
        raise InvalidParameterError(
            "prune ranks candidates by rows that are held out of their training, and none holds "
            "out any: set early_stopping=True, or validation_split of a custom model, or leave "
            "prune out."
        )
    return Contest(
        pruning=pruning,
        epochs=max(task.plan.epochs for task in tasks),
        candidates=[
            None if task.validation is None else entry.keywords.get(_CANDIDATE)
            for task, entry in zip(tasks, entries, strict=True)
        ],
        kinds=[pruning.kind(entry.keywords.get("parameters") or {}) for entry in entries],
        known={
            number: entry.rung_scores for number, entry in enumerate(entries) if entry.rung_scores
        },
    )


# How long the calling thread sleeps before it looks for Ctrl-C again.
_SECONDS_ASLEEP = 0.05

Results: TypeAlias = "list[tuple[int, FitResult | Exception]]"


def trained_by_rungs(
    cohorts: Sequence[PlannedCohort], contest: Contest | None, executor: Executor
) -> Iterator[Results]:
    """Train cohorts to the end.

    Parameters
    ----------
    cohorts : sequence of PlannedCohort
    contest : Contest or None
        None lets every member train for as long as it would by itself.
    executor : Executor

    Yields
    ------
    results : list of (int, FitResult or Exception)
        Members that have ended, by their numbers in the population: those of a cohort that is done,
        and those that were pruned at a rung, while the others train on.
    """
    cohorts = list(cohorts)
    standings = None if contest is None else _Standings(contest)
    pruned: Results = []
    for rung in (*(() if contest is None else contest.rungs), None):
        waiting = {executor.submit(cohort.train, rung): cohort for cohort in cohorts}
        if pruned:
            yield pruned
        for future, cohort in _as_done(waiting):
            error = future.exception()
            if error is not None:
                if not isinstance(error, Exception):
                    raise error
                cohorts.remove(cohort)
                yield [(number, error) for number in cohort.members]
            elif rung is None:
                yield _ended(cohort, standings)
        if rung is not None and standings is not None:
            pruned = standings.end_of_rung(cohorts)


def _as_done(waiting: dict[Future, PlannedCohort]) -> Iterator[tuple[Future, PlannedCohort]]:
    while waiting:
        done, _ = wait(waiting, _SECONDS_ASLEEP, FIRST_COMPLETED)
        # In the order of the plan, whichever was faster.
        for future in [future for future in waiting if future in done]:
            yield future, waiting.pop(future)


def _ended(cohort: PlannedCohort, standings: _Standings | None) -> Results:
    results = cohort.results(cohort.members)
    cohort.forget()
    if standings is None:
        return list(results.items())
    return [
        (number, standings.with_scores(number, result))
        for number, result in results.items()
        if number not in standings.losers
    ]


class _Standings:
    """How members scored at the rungs so far, and who has lost."""

    def __init__(self, contest: Contest) -> None:
        self.losers: set[int] = set()
        self._contest = contest
        self._scores: dict[int, tuple[float, ...]] = {}
        self._rungs_done = 0

    def end_of_rung(self, cohorts: Sequence[PlannedCohort]) -> Results:
        """Rank who is left, and end who has lost: what those leave."""
        scores: dict[int, float] = {}
        for cohort in cohorts:
            scores |= cohort.held_out_scores()
        for number, known in self._contest.known.items():
            if len(known) > self._rungs_done:
                scores[number] = known[self._rungs_done]
        self._rungs_done += 1
        scores = {number: score for number, score in scores.items() if number not in self.losers}
        for number, score in scores.items():
            self._scores[number] = (*self._scores.get(number, ()), score)
        losers = self._contest.pruned(scores)
        self.losers |= losers
        ended: Results = []
        for cohort in cohorts:
            cohort.prune(losers)
            lost = cohort.results(number for number in cohort.members if number in losers)
            ended += [(number, self.with_scores(number, result)) for number, result in lost.items()]
        return ended

    def with_scores(self, number: int, result: FitResult) -> FitResult:
        """A result, and what it was ranked by."""
        return replace(result, rung_scores=self._scores.get(number, ()))
