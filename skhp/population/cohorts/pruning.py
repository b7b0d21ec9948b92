"""Which candidates of a search are ended before their last epoch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from skhp.exceptions import InvalidParameterError

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
