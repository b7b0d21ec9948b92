"""A cohort of a population, trained in a thread of its own, in one go or in several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from skhp.population.cohort_plan import CohortPlan
from skhp.population.cores import Cores
from skhp.population.watch import CohortWatch, PopulationWatch
from skhp.training.cohort.cohort import Cohort
from skhp.training.fit_task import FitResult, FitTask


class PlannedCohort:
    """Members that train together, as soon as there is a core for them.

    Parameters
    ----------
    plan : CohortPlan
    tasks : sequence of FitTask
        Of the members of the plan.
    chunk : int or None
        Epochs between two looks at the clock.
    watch : PopulationWatch
    cores : Cores
    """

    def __init__(
        self,
        plan: CohortPlan,
        tasks: Sequence[FitTask],
        chunk: int | None,
        watch: PopulationWatch,
        cores: Cores,
    ) -> None:
        self.members = plan.members
        self.tasks = tasks
        self._place = {number: place for place, number in enumerate(plan.members)}
        self._settings = chunk, plan.candidates
        self._cores = cores
        running = sum(task.finished_after is None for task in tasks)
        self._watch = CohortWatch(watch, plan.members, running)
        self._cohort: Cohort | None = None

    def train(self, until: int | None) -> None:
        """Train until the members have run so many epochs, or to the end."""
        with self._cores.one():
            if self._cohort is None:
                self._cohort = Cohort(self.tasks, *self._settings)
            self._cohort.run(self._watch, until)

    def held_out_scores(self) -> dict[int, float]:
        """What the members were watched by so far; those that failed are worst."""
        if self._cohort is None:
            return {}
        return {
            number: -float("inf") if score is None else score
            for number, score in zip(self.members, self._cohort.held_out_scores(), strict=True)
        }

    def prune(self, numbers: Collection[int]) -> None:
        """End members of the population that are among these."""
        if self._cohort is not None:
            self._cohort.prune([self._place[n] for n in self.members if n in numbers])

    def results(self, numbers: Iterable[int]) -> dict[int, FitResult]:
        """What these members of the population leave, as they stand now."""
        if self._cohort is None:
            return {}
        return {number: self._cohort.result(self._place[number]) for number in numbers}

    def forget(self) -> None:
        """Let go of the tensors."""
        self._cohort = None
