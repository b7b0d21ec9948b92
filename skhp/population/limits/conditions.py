"""The conditions under which a search has its population trained."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from skhp.population.cohorts.kept_states import KeptStates

Clock = Callable[[], float]

# A search may end this much after its budget: this share of the budget, or these seconds.
_SHARE_LATE = 0.1
_SECONDS_LATE = 2.0
# An epoch cannot be broken off. It is begun if it ends at most this much after the budget.
_SECONDS_AN_EPOCH_MAY_BE_LATE = 1.0


class Deadline:
    """The end of a time budget, which begins when the object is created.

    All threads of a search share it. It learns how long a member takes to be scored, and how long
    programs take to be compiled.
    """

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began = clock()
        # Whether a round of candidates has ended, so that the search has something to choose from.
        self.round_has_ended = False
        self._scored, self._seconds_of_scores = 0, 0.0
        self._seconds_of_compiling = 0.0
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """The seconds since the budget began."""
        return self._clock() - self._began

    @property
    def compiling(self) -> float:
        """The seconds in which programs were compiled, summed over threads."""
        return self._seconds_of_compiling

    def seconds_left(self, to_score: int = 0) -> float:
        """The seconds left, less those in which so many members will be scored."""
        with self._lock:
            mean = self._seconds_of_scores / max(self._scored, 1)
        return self.seconds - self.elapsed - to_score * mean

    def ends_within(self, epoch_seconds: float, to_score: int) -> bool:
        """Whether the time left is too short for an epoch, and for the scores of these members."""
        left = self.seconds_left(to_score)
        return left <= 0 or epoch_seconds - left > _SECONDS_AN_EPOCH_MAY_BE_LATE

    @property
    def is_over(self) -> bool:
        """Whether the budget has run out."""
        return self.seconds_left() <= 0

    @property
    def is_long_over(self) -> bool:
        """Whether a search that has not ended yet ends later than it may."""
        return self.elapsed > self.seconds + max(_SECONDS_LATE, _SHARE_LATE * self.seconds)

    def took_to_score(self, seconds: float) -> None:
        """Learn how long a member took to be scored."""
        with self._lock:
            self._scored += 1
            self._seconds_of_scores += seconds

    def took_to_compile(self, seconds: float) -> None:
        """Learn how long a program took to be traced and compiled."""
        with self._lock:
            self._seconds_of_compiling += seconds


class Dropped:
    """Stands for the result of a member that a search no longer wants."""


DROPPED: Final = Dropped()
# The mark of a result that stands for that of a dropped task.
_MARK = "skhp_dropped"


def dropped_result() -> dict[str, Any]:
    """What stands for the result of a task of a search that did not run."""
    return {
        "fit_error": None,
        "test_scores": float("nan"),
        "train_scores": float("nan"),
        "n_test_samples": 0,
        "fit_time": 0.0,
        "score_time": 0.0,
        _MARK: True,
    }


def is_dropped(result: Any) -> bool:
    """Whether a result of a task is only a stand-in."""
    return isinstance(result, dict) and bool(result.get(_MARK))


@dataclass(frozen=True, eq=False)
class Conditions:
    """The conditions of a training.

    At the `deadline`, members in training end where they are; with `drops`, they have no result.
    Fits that do not train together are left out after it, but for those of the first round if that
    `round_is_whole`, and those of the first candidate.
    A fit may take `fit_seconds` for its preparation, and as many for its training: its share of the
    time of its cohort. `states` keeps the states of cohorts under way.
    """

    deadline: Deadline | None = None
    drops: bool = False
    round_is_whole: bool = False
    fit_seconds: float | None = None
    states: KeptStates | None = None


NO_CONDITIONS: Final = Conditions()
