"""Trains the cohorts of a population from rung to rung, where some of their members end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace

from skhp.population.planned_cohort import PlannedCohort
from skhp.population.pruning import Contest
from skhp.training.fit_task import FitResult

# How long the calling thread sleeps before it looks for Ctrl-C again.
_SECONDS_ASLEEP = 0.05

Results = list[tuple[int, FitResult | Exception]]


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
