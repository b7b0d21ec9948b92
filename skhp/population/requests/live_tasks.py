"""Tasks that run while their networks are trained, so that a progress bar moves with the epochs.

scikit-learn's progress bar learns of epochs from the estimator, within its `fit`. So the tasks of a
search with a progress bar start before the training, each in a thread of its own, and their fits
report each epoch as the cohort has done it. All other tasks run when their training is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from skhp.compat.scikit_learn import context_only_shows_progress
from skhp.population.handover import LiveResult
from skhp.population.progress import PopulationProgress, ProgressObserver

# A thread each; beyond that nobody can read the bars.
MOST_LIVE_TASKS = 1000


class LiveTask:
    """A task that runs in a thread, and waits within its fit for the training.

    Parameters
    ----------
    run : callable
        Runs the task with what it is given as its live results.
    lives : mapping
        The live result of each of its fits.
    """

    def __init__(
        self, run: Callable[[Mapping[Any, LiveResult]], Any], lives: Mapping[Any, LiveResult]
    ) -> None:
        self._lives = lives
        self._run = run
        self._done: Future[Any] = Future()
        self._thread = threading.Thread(target=self._work, name="skhp-live-task", daemon=True)

    def start(self) -> None:
        """Start the task."""
        self._thread.start()

    def finished(self) -> Any:
        """What the task returns, or the error that it raises."""
        self._thread.join()
        return self._done.result()

    def abandon(self) -> None:
        """End the task where it waits."""
        for live in self._lives.values():
            live.abandon()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._done.set_result(self._run(self._lives))
        except BaseException as error:
            # Raised again where the task is asked for its results.
            self._done.set_exception(error)


class LiveProgress:
    """Hands the epochs of members on to their tasks, and progress to another observer.

    Parameters
    ----------
    others : ProgressObserver
    lives : mapping of int to LiveResult
        By the number of the member.
    """

    def __init__(self, others: ProgressObserver, lives: Mapping[int, LiveResult]) -> None:
        self._others = others
        self._lives = lives

    def advanced(self, progress: PopulationProgress) -> None:
        """Hand it on."""
        for member, epochs in progress.new_epochs.items():
            if member in self._lives:
                self._lives[member].epochs_done(epochs)
        self._others.advanced(progress)


def shows_progress(keywords: Mapping[str, Any]) -> bool:
    """Whether a task has a progress bar, and no callback that would look into the fit."""
    return context_only_shows_progress(keywords.get("callback_ctx"))
