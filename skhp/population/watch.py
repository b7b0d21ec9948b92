"""Adds up the progress of the cohorts of a population, and ends them where nobody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from skhp.population.progress import PopulationProgress, ProgressObserver
from skhp.training.cohort.cohort import CohortProgress


class PopulationWatch:
    """Adds up the progress of all cohorts, from their threads, and can end them."""

    def __init__(self, members: int, cohorts: int, progress: ProgressObserver) -> None:
        self.cancelled = threading.Event()
        self._members, self._cohorts, self._progress = members, cohorts, progress
        self._epochs, self._ended = 0, 0
        self._began = time.perf_counter()
        self._lock = threading.Lock()

    def advanced(self, new_epochs: dict[int, int], ended: int) -> None:
        """These members ran so many epochs, and so many members ended."""
        with self._lock:
            self._epochs += sum(new_epochs.values())
            self._ended += ended
            self._progress.advanced(
                PopulationProgress(
                    members=self._members,
                    cohorts=self._cohorts,
                    epochs_done=self._epochs,
                    still_training=self._members - self._ended,
                    seconds=time.perf_counter() - self._began,
                    new_epochs=new_epochs,
                )
            )


class CohortWatch:
    """The progress of one cohort, whose members have these numbers; so many of them train."""

    def __init__(self, watch: PopulationWatch, members: Sequence[int], running: int) -> None:
        self._watch = watch
        self._members = members
        self._running = running
        self._epochs = (0,) * len(members)

    def advanced(self, progress: CohortProgress) -> None:
        """Called by the cohort after each chunk."""
        if self._watch.cancelled.is_set():
            raise Cancelled
        epochs = progress.epochs_of_members
        new_epochs = {
            member: now - before
            for member, now, before in zip(self._members, epochs, self._epochs, strict=True)
            if now > before
        }
        running = min(self._running, progress.running)
        self._watch.advanced(new_epochs, self._running - running)
        self._running, self._epochs = running, epochs


class Cancelled(Exception):  # noqa: N818
    """Ends a cohort that nobody waits for any more."""
