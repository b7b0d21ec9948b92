"""Which candidates of a search end before their last epoch."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from skhp.exceptions import CannotJoinError, InvalidParameterError

# The keyword by which scikit-learn tells a task the number of its candidate.
_CANDIDATE = "candidate_progress"

# A search may vary this parameter.
_STOPS_EARLY = "early_stopping"

# After fewer epochs, a ranking is not better than chance.
_FEWEST_EPOCHS = 5


@dataclass(frozen=True)
class Pruning:
    """How candidates are pruned while they train.

    `rungs` are the numbers of epochs after which candidates are ranked, and one in `factor` goes
    on. If None, they are the most epochs of a fit divided by `factor`, by its square and so on.
    Candidates that differ in a parameter named in `apart` are ranked separately, as their scores
    are not comparable.
    """

    rungs: tuple[int, ...] | None = None
    factor: float = 3.0
    apart: tuple[str, ...] = ()

    def kind(self, parameters: Mapping[str, Any]) -> Hashable:
        """A key that is equal for candidates whose scores are comparable."""
        return tuple(
            (name, repr(parameters[name]))
            for name in sorted(parameters)
            if name.rpartition("__")[2] in self.apart
        )

    def rungs_of(self, epochs: int) -> tuple[int, ...]:
        """The rungs of candidates that train for at most `epochs`."""
        if self.rungs is not None:
            return tuple(rung for rung in self.rungs if rung < epochs)
        # A small factor would otherwise have several rungs at one epoch.
        return tuple(sorted(set(self._divided(epochs))))

    def _divided(self, epochs: float) -> Iterator[int]:
        while (epochs := epochs / self.factor) >= _FEWEST_EPOCHS:
            yield int(epochs)


@dataclass(frozen=True, eq=False)
class Contest:
    """The fits of candidates that are ranked against each other.

    `candidates` and `kinds` have one entry for each fit. A fit whose candidate is None is not
    ranked, and each kind is ranked separately. `known` maps the number of a fit that was trained
    before to its scores at the rungs that it reached. `epochs` is the most that a fit trains for.
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
        """The fits to end at a rung, from the scores of all fits that reached it (higher wins)."""
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
            # Among equal candidates the first stays, so that each search is pruned the same way.
            ranked = sorted(candidates, key=lambda candidate: -means[candidate])
            losers += ranked[math.ceil(len(ranked) / self.pruning.factor) :]
        return {number for candidate in losers for number in fits[candidate]}


def tell_of_unranked(refusals: Sequence[CannotJoinError], n_ranked: int) -> None:
    """Raise if Keras trains all fits of a search that prunes, and warn if it trains some of them.

    `refusals` say why fits cannot join the population, which `n_ranked` fits do.
    """
    if not refusals:
        return
    reasons = " ".join({refusal.reason: str(refusal) for refusal in refusals}.values())
    if not n_ranked:
        raise InvalidParameterError(
            "prune ends candidates between the epochs of a population, and Keras has to train the "
            f"fits of this search one by one: {reasons} Change that, or leave prune out."
        )
    count = f"{len(refusals)} of {len(refusals) + n_ranked}"
    warnings.warn(
        f"prune has no effect on {count} fits, which Keras trains one by one to their end: "
        f"{reasons}",
        UserWarning,
        stacklevel=2,
    )


def refuse_pruning(backend: str | None) -> None:
    """Raise if cohorts train on workers, where they do not wait for one another at the rungs."""
    raise InvalidParameterError(
        f"prune does not work with backend={backend!r}: it ranks the candidates of all cohorts "
        "after the same epochs, and cohorts on workers train to their end. Leave prune out, or "
        "train in this process by leaving backend out."
    )


class Entry(NamedTuple):
    """A fit in a contest: the keywords of its task, and its scores where it was trained before."""

    keywords: Mapping[str, Any]
    rung_scores: tuple[float, ...] = ()


def contest_of(tasks: Sequence[Any], entries: Sequence[Entry], pruning: Pruning) -> Contest:
    """The contest of the fits of a search; raises if no fit has held-out rows to be ranked by.

    Fits whose candidates differ in how they stop may all be without held-out rows in one round.
    """
    of_candidates = [entry.keywords.get("parameters") or {} for entry in entries]
    are_chosen = all(map(_says_how_to_stop, of_candidates))
    if all(task.validation is None for task in tasks) and not are_chosen:
        raise InvalidParameterError(
            "prune ranks candidates by rows that are held out of their training, and no candidate "
            "holds out rows: set early_stopping=True, or validation_split of a custom model, or "
            "leave prune out."
        )
    return Contest(
        pruning=pruning,
        epochs=max(task.plan.epochs for task in tasks),
        candidates=[
            None if task.validation is None else entry.keywords.get(_CANDIDATE)
            for task, entry in zip(tasks, entries, strict=True)
        ],
        kinds=[
            # A model may be compiled in the build function, so parameters do not tell its loss.
            (pruning.kind(parameters), task.monitored)
            for task, parameters in zip(tasks, of_candidates, strict=True)
        ],
        known={
            number: entry.rung_scores for number, entry in enumerate(entries) if entry.rung_scores
        },
    )


def _says_how_to_stop(parameters: Mapping[str, Any]) -> bool:
    return any(name.rpartition("__")[2] == _STOPS_EARLY for name in parameters)
