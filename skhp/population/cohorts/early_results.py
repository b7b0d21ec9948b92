"""Results of members that have ended, on their way to the caller while their cohort trains on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

# A hand-over copies states and joins histories, so it has to be rare for a cohort.
SECONDS_APART = 1.0


class EarlyResults:
    """Takes results from the threads of the cohorts, and gives them to the caller's thread."""

    def __init__(
        self, seconds_apart: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._apart = SECONDS_APART if seconds_apart is None else seconds_apart
        self._clock = clock
        self._results: SimpleQueue[list[tuple[int, Any]]] = SimpleQueue()
        # While the caller scores members, more of them would only wait for it.
        self._caller_waits = False

    def now(self) -> float:
        """The time of the clock."""
        return self._clock()

    def are_wanted(self, since: float) -> bool:
        """Whether a cohort that last handed results over at `since` should do so again."""
        return self._caller_waits and self._clock() - since >= self._apart

    def put(self, results: list[tuple[int, Any]]) -> None:
        """Hand over the numbers and results of members."""
        self._results.put(results)

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """A context in which the caller has nothing to do."""
        self._caller_waits = True
        try:
            yield
        finally:
            self._caller_waits = False

    def taken(self) -> Iterator[list[tuple[int, Any]]]:
        """The results that were handed over since, each time together."""
        while True:
            try:
                yield self._results.get_nowait()
            except Empty:
                return
