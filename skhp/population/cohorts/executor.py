"""Where cohorts train: in threads of this process, or in an executor of your own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from skhp.population.cohorts.running_cohort import Cancelled, RunningCohort


class CohortExecutor(Protocol):
    """Runs the training of cohorts, several at once.

    Each call of a population makes an executor from the number of workers. To use your own:
    ``skhp.population(executor=MyExecutor)``.
    """

    def submit(self, cohort: RunningCohort, until: int | None) -> Future[None]:
        """Run ``cohort.train(until)`` in a worker.

        Parameters
        ----------
        cohort : RunningCohort
            The cohort to train. A cohort whose members are pruned is submitted again after each
            stop, and never to two workers at a time.
        until : int or None
            The epoch to stop at; None is the end of the training.

        Returns
        -------
        Future
            Done when the training is, with the exception that the training raised, if any.
        """
        ...

    def lent(self) -> AbstractContextManager[None]:
        """A context in which the caller scores members, and needs the core of one worker."""
        ...

    def close(self) -> None:
        """Start no further cohort, and wait for the running cohorts, which were told to end."""
        ...


class CohortThreads:
    """Trains cohorts in threads; the caller can borrow a thread's core to score members.

    To score thousands of members takes as long as to train them, and happens in one thread. If
    that thread shared its core with a cohort, both would be slower.
    """

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers, "skhp-cohort")
        self._free = workers
        self._lends = workers > 1
        self._closed = False
        self._changed = threading.Condition()

    def submit(self, cohort: RunningCohort, until: int | None) -> Future[None]:
        """Train a cohort as soon as a core is free."""
        return self._threads.submit(self._train, cohort, until)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give the caller a core: no other cohort starts on it until the context ends."""
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
        """Let no further cohort start, and wait for the running cohorts."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _train(self, cohort: RunningCohort, until: int | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._closed)
            if self._closed:
                raise Cancelled
            self._free -= 1
        try:
            cohort.train(until)
        finally:
            self._give_back()

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class CallingThread:
    """Trains each cohort where it is submitted."""

    def submit(self, cohort: RunningCohort, until: int | None) -> Future[None]:
        """Train a cohort at once."""
        done: Future[None] = Future()
        try:
            cohort.train(until)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return done

    def lent(self) -> AbstractContextManager[None]:
        """Nothing: no cohort trains while the caller scores."""
        return nullcontext()

    def close(self) -> None:
        """Nothing: no cohort is left."""
