"""Tasks whose results somebody keeps: those that are known already do not run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from skhp.population.requests.planner import PlannedFit


class Recalled(NamedTuple):
    """The result of a task that ran before, and the epochs of its fit where they are known.

    `rung_scores` is what its fit was ranked by, where candidates were pruned.
    """

    result: Any
    epochs: int | None
    rung_scores: tuple[float, ...] = ()


class TaskJournal(Protocol):
    """Keeps the results of tasks."""

    def recalled(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recalled | None:
        """The result of a task, if it is known."""

    def finished(
        self, keywords: Mapping[str, Any], result: Any, rung_scores: Sequence[float]
    ) -> None:
        """Told of every task that has run, as soon as it has, by its keyword arguments."""


@dataclass(frozen=True, eq=False)
class JournalledCall:
    """The tasks of a call that are known and those that are not.

    Parameters
    ----------
    journal : TaskJournal or None
    """

    journal: TaskJournal | None

    def recalled(self, batch: Any) -> Recalled | None:
        """The result of a batch of one task, if it is known."""
        if self.journal is None or len(batch.items) != 1:
            return None
        _, arguments, keywords = batch.items[0]
        return self.journal.recalled(arguments, keywords)

    def keep(self, batch: Any, results: Any, rung_scores: Sequence[float] = ()) -> None:
        """Have the results of a batch kept."""
        if self.journal is not None:
            for item, result in zip(batch.items, results, strict=True):
                self.journal.finished(item[2], result, rung_scores)


def as_finished(fit: PlannedFit, recalled: Recalled) -> Any:
    """The fit of a task that is known: it keeps its place in a cohort, and is not trained again.

    So the others of its cohort train in the same program with the same bits.
    """
    epochs = fit.task.plan.epochs if recalled.epochs is None else recalled.epochs
    return replace(fit.task, finished_after=epochs)
