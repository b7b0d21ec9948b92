"""Shares the cores of the machine between cohorts and what their caller does with members."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from skhp.population.watch import Cancelled


class Cores:
    """Lets so many cohorts train at once, and one less while their caller has work to do.

    Scoring thousands of members takes as long as training them, and is done in one thread: sharing
    its core with a cohort makes both of them slower.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._lends = workers > 1
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """For a cohort, as soon as one is free."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._closed)
            if self._closed:
                raise Cancelled
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """For the caller, from the next cohort on that would start."""
        if not self._lends:
            yield
            return
        with self._changed:
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    def close(self) -> None:
        """Let no further cohort start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()
