"""One fit by itself: a cohort of one, epoch by epoch where somebody watches."""

from __future__ import annotations

import sys
from dataclasses import replace

from skhp.training.cohort.cohort import Cohort
from skhp.training.fit_task import EpochObserver, FitResult, FitTask, TrainingOutcome
from skhp.training.member_weights import MemberWeights


class LoneFit:
    """A training of one member.

    Parameters
    ----------
    task : FitTask
    """

    def __init__(self, task: FitTask) -> None:
        self._task = task
        self._cohort = Cohort([task])

    @property
    def member(self) -> MemberWeights:
        """Weights as they are now."""
        return self._cohort.current_weights(0)

    def trained(self, observer: EpochObserver | None = None) -> FitResult:
        """Train to the end, or until the observer ends it.

        Parameters
        ----------
        observer : EpochObserver, default=None
            Is told of every epoch, where there is one.
        """
        if observer is None and not self._task.plan.verbose:
            (result,) = self._cohort.trained()
            return result
        stopped = False
        while self._cohort.running and not stopped:
            if observer is not None:
                observer.epoch_begins()
            self._cohort.advance(1)
            (result,) = self._cohort.results()
            if self._task.plan.verbose:
                _print_epoch(result.outcome, self._task.plan.epochs)
            stopped = observer is not None and observer.epoch_ends()
        (result,) = self._cohort.results()
        if stopped and self._cohort.running:
            return replace(result, outcome=replace(result.outcome, stop_reason="callback"))
        return result


def _print_epoch(outcome: TrainingOutcome, epochs: int) -> None:
    values = " - ".join(f"{name}: {value[-1]:.4f}" for name, value in outcome.history.items())
    sys.stdout.write(f"Epoch {outcome.n_epochs}/{epochs} - {values}\n")
