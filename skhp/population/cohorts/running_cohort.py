"""A cohort in training, and what happens between its chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from skhp.population.cohorts.cohort_plan import CohortPlan, halved
from skhp.population.cohorts.early_results import EarlyResults
from skhp.population.cohorts.progress import Cancelled, MemberProgress, OverallProgress
from skhp.population.limits.conditions import DROPPED, NO_CONDITIONS, Conditions, Dropped
from skhp.population.limits.timed_tasks import TRAINING, CandidateTimeoutError
from skhp.training.cohort.checkpoint import CheckpointError
from skhp.training.cohort.cohort import Cohort, CohortProgress
from skhp.training.cohort.compiled_programs import OUT_OF_MEMORY
from skhp.training.fit_task import FitResult, FitTask


class _TimeIsUp(Exception):  # noqa: N818
    """Ends a cohort at the end of a time budget."""


Results = list[tuple[int, Any]]


class RunningCohort:
    """Members that train together; `tasks` are in the order of the members in `plan`.

    After each chunk, it hands over the results of members that have ended by `early`, keeps its
    state, and ends members whose time is up. A cohort that is `needed` trains for an epoch even if
    the time is up before it begins.
    """

    def __init__(
        self,
        plan: CohortPlan,
        tasks: Sequence[FitTask],
        chunk: int | None,
        overall: OverallProgress,
        conditions: Conditions = NO_CONDITIONS,
        early: EarlyResults | None = None,
        needed: bool = True,
        known_epochs: Mapping[int, int] = MappingProxyType({}),
        rung_scores: Sequence[tuple[float, ...]] = (),
    ) -> None:
        self.members = plan.members
        self.tasks = tasks
        self._place = {number: place for place, number in enumerate(plan.members)}
        self._settings = chunk, plan.candidates
        self._overall = overall
        running = sum(task.finished_after is None for task in tasks)
        self._progress = MemberProgress(overall, plan.members, tasks, known_epochs)
        self._conditions, self._early, self._needed = conditions, early, needed
        self._cohort: Cohort | None = None
        states = conditions.states
        self.file = (
            None if states is None else states.state_of(plan.members, plan.candidates, tasks)
        )
        # Results that the caller has, and members whose training took too long.
        self._handed_over: set[int] = set()
        self._running_at_hand_over = running
        self._last_hand_over = 0.0
        self._too_slow: dict[int, CandidateTimeoutError] = {}
        self._share_of_time = 0.0
        self._running = running
        # The scores of all members at the rungs so far, and those of rungs before a restart.
        self._rung_scores = list(rung_scores)
        self._known_scores: list[tuple[float, ...]] = []
        self._is_cut = False

    def train(self, until: int | None) -> None:
        """Train until the members have run `until` epochs, or to the end."""
        if self._cohort is None:
            deadline = self._conditions.deadline
            if deadline is not None and deadline.is_over and not self._needed:
                return
            self._cohort = self._begun()
            self._last_hand_over = 0.0 if self._early is None else self._early.now()
            if self.file is not None:
                self.file.begins()
        try:
            self._cohort.run(self, until)
        except Cancelled:
            # Ctrl-C, for example.
            self._keep_state()
            raise
        except _TimeIsUp:
            # The next run of the search goes on from here.
            self._keep_state()
            self._is_cut = True
            self._cohort.end_for_time()

    def _begun(self) -> Cohort:
        cohort = Cohort(self.tasks, *self._settings)
        found = None if self.file is None else self.file.found()
        if found is not None and self.file is not None:
            try:
                cohort.go_on_from(found)
                if cohort.ended_for_time():
                    raise CheckpointError("some of its members had run out of time")
            except CheckpointError as error:
                self.file.refuse(error)
                return Cohort(self.tasks, *self._settings)
            self._known_scores = list(found.rung_scores)
        return cohort

    def advanced(self, progress: CohortProgress) -> None:
        """Take the progress of the cohort after a chunk."""
        self._progress.advanced(progress)
        self._end_slow_members(progress)
        self._hand_over(progress)
        if self.file is not None and self.file.is_due:
            self._keep_state()
        deadline = self._conditions.deadline
        if deadline is None:
            return
        if progress.is_first:
            deadline.took_to_compile(progress.chunk_seconds)
        # What an epoch takes is only known after the first chunk.
        epoch_seconds = (
            0.0 if progress.is_first else progress.chunk_seconds / max(progress.chunk_epochs, 1)
        )
        if deadline.ends_within(epoch_seconds, progress.running):
            raise _TimeIsUp

    def _end_slow_members(self, progress: CohortProgress) -> None:
        """End the members that have trained for too long: by their shares of the cohort's time."""
        allowed = self._conditions.fit_seconds
        if allowed is None or self._cohort is None:
            return
        if not progress.is_first:
            self._share_of_time += progress.chunk_seconds / max(self._running, 1)
        self._running = progress.running
        if self._share_of_time <= allowed:
            return
        ended = set(self._cohort.ended())
        slow = [number for number in self.members if self._place[number] not in ended]
        self._too_slow |= {
            number: CandidateTimeoutError.during(TRAINING, allowed) for number in slow
        }
        self._cohort.end_for_time([self._place[number] for number in slow])

    def _hand_over(self, progress: CohortProgress) -> None:
        early = self._early
        if (
            early is None
            or self._cohort is None
            or progress.running == self._running_at_hand_over
            or not early.are_wanted(self._last_hand_over)
        ):
            return
        self._running_at_hand_over = progress.running
        ended = [self.members[place] for place in self._cohort.ended()]
        if results := self._handing_over(ended):
            early.put(results)
        self._last_hand_over = early.now()

    def _keep_state(self) -> None:
        if self.file is None or self._cohort is None:
            return
        try:
            self.file.write(replace(self._cohort.checkpoint(), rung_scores=self._all_rung_scores()))
        except OUT_OF_MEMORY as error:
            # The training itself has the memory that it needs.
            self.file.cannot_be_written(str(error) or type(error).__name__)

    def _all_rung_scores(self) -> tuple[tuple[float, ...], ...]:
        later = self._known_scores[len(self._rung_scores) :]
        return (*self._rung_scores, *later)

    def held_out_scores(self) -> dict[int, float]:
        """The best score of each member on its held-out rows; -inf for a failed member.

        It is called once at each rung. A cohort that went on from a kept state may be beyond the
        rung, and then returns the scores that it had there.
        """
        if self._cohort is None:
            return {}
        rung = len(self._rung_scores)
        if rung < len(self._known_scores):
            scores = self._known_scores[rung]
        else:
            scores = tuple(
                -float("inf") if score is None or number in self._too_slow else score
                for number, score in zip(self.members, self._cohort.held_out_scores(), strict=True)
            )
        self._rung_scores.append(scores)
        return dict(zip(self.members, scores, strict=True))

    def prune(self, numbers: Collection[int]) -> Results:
        """End the members of the cohort that have one of these numbers in the population.

        It returns the results of those that were not handed over before.
        """
        if self._cohort is None:
            return []
        lost = [number for number in self.members if number in numbers]
        self._cohort.prune([self._place[number] for number in lost])
        return self._handing_over(lost)

    def _handing_over(self, numbers: Iterable[int]) -> Results:
        """The results of members that had to be trained, each of which is given only once."""
        new = [
            number
            for number in numbers
            if number not in self._handed_over
            and self.tasks[self._place[number]].finished_after is None
        ]
        results = self.results(new)
        # Not before: without memory for the results, nobody has them.
        self._handed_over.update(new)
        return list(results.items())

    def results(
        self, numbers: Iterable[int]
    ) -> dict[int, FitResult | CandidateTimeoutError | Dropped]:
        """The results of these members of the population, as they stand now.

        Members that have not begun have none, nor have members that ended with the time budget of a
        search that drops them.
        """
        if self._cohort is None:
            return dict.fromkeys(numbers, DROPPED)
        cohort = self._cohort
        dropped = set(cohort.ended_for_time()) if self._conditions.drops else set()
        return {
            number: self._too_slow[number]
            if number in self._too_slow
            else DROPPED
            if self._place[number] in dropped
            else cohort.result(self._place[number])
            for number in numbers
        }

    def remaining_results(self) -> Results:
        """The results of the members that were not handed over while the cohort trained."""
        return self._handing_over(self.members)

    @property
    def handed_over(self) -> Collection[int]:
        """The members whose results were handed over while the cohort trained."""
        return self._handed_over

    def halves(self, ended: Collection[int]) -> list[RunningCohort]:
        """Two cohorts of the members that have not `ended`, to train again from the beginning.

        A single member that is left of several is a cohort; of a single member, there are none.
        """
        left = tuple(number for number in self.members if number not in ended)
        plans = halved(left)
        if len(left) == 1 < len(self.members):
            plans = [CohortPlan(left, 1)]
        if not plans:
            return []
        self._is_given_up()
        known = self._progress.withdrawn(ended)
        return [
            RunningCohort(
                plan,
                [self.tasks[self._place[number]] for number in plan.members],
                self._settings[0],
                self._overall,
                self._conditions,
                self._early,
                self._needed,
                known,
                [
                    tuple(scores[self._place[number]] for number in plan.members)
                    for scores in self._rung_scores
                ],
            )
            for plan in plans
        ]

    def has_failed(self) -> None:
        """Free the tensors, remove the state, and report that all members have ended."""
        self._is_given_up()
        self._progress.has_failed()

    def _is_given_up(self) -> None:
        self.forget()
        if self.file is not None:
            self.file.remove()

    def forget(self) -> None:
        """Free the tensors."""
        self._cohort = None

    def is_finished(self) -> None:
        """Remove the state that is kept of the cohort, unless members were cut off."""
        if self.file is not None and not self._is_cut:
            self.file.remove()
