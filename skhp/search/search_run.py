"""One `fit` of a search, with its limits, journal, pruning and observers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import joblib

from skhp.compat.joblib import NAME_OF_OWN_BACKEND, get_active_backend
from skhp.exceptions import InvalidParameterError
from skhp.population.backend import PopulationBackend
from skhp.population.cohorts.pruning import refuse_pruning
from skhp.population.limits.conditions import NO_CONDITIONS, Conditions
from skhp.population.options import in_threads
from skhp.population.requested_fits import may_join
from skhp.search.checks.folds import FixedFolds
from skhp.search.early_stopping import refuse_refit_epochs
from skhp.search.fold_thresholds import candidate_tuned_by_folds
from skhp.search.journal.journal import JournalledSearch
from skhp.search.limits import Limits, pruning_of
from skhp.search.observer import ObservedTasks, SearchObserver
from skhp.search.refits.best_candidates import CandidateFits, Rows
from skhp.shared.amounts import seconds_of_budget

# The parameters that affect the results, besides the data, folds, estimator and scoring.
_SETTINGS_OF_RESULTS = (
    *("return_train_score", "error_score", "random_state"),
    *("factor", "resource", "min_resources", "max_resources", "aggressive_elimination"),
)

# A search that ended for one of these reasons can be continued, with what its journal keeps.
_GOES_ON_FROM = ("time_budget", "interrupted")


class SearchRun:
    """One `fit` of a search; its time budget starts when the object is created."""

    def __init__(
        self,
        search: Any,
        estimator: Any,
        scoring: Any,
        folds: FixedFolds,
        watching: Sequence[SearchObserver],
    ) -> None:
        self._search = search
        self._watching = watching
        seconds = seconds_of_budget(search.time_budget)
        self.pruning = pruning_of(search.prune, estimator, search.population)
        if search.refit and search.refit_epochs is not None:
            refuse_refit_epochs(estimator)
        self.limits = Limits(
            seconds=seconds,
            patience=getattr(search, "stop_after", None),
            metric=f"mean_test_{search.refit if isinstance(search.refit, str) else 'score'}",
            keeps_finished=search.on_interrupt == "partial",
            breakable=search.population and may_join(estimator),
        )
        fit_seconds = seconds_of_budget(search.candidate_timeout, "candidate_timeout")
        self._conditions = NO_CONDITIONS
        if self.limits.deadline is not None or fit_seconds is not None:
            self._conditions = Conditions(
                deadline=self.limits.deadline,
                drops=search.on_budget == "drop",
                round_is_whole=not may_join(estimator),
                fit_seconds=fit_seconds,
            )
        self.journalled = None
        if search.journal is not None:
            self.journalled = JournalledSearch(
                search.journal, estimator, scoring, folds, self._settings(), seconds
            )
        first = (self.limits, self.journalled)
        self.observers = [*(one for one in first if one), *watching]
        self.candidates = CandidateFits(estimator, folds)
        self.rows: Rows | None = None
        self._written: list[tuple[Any, Any]] = []
        self._estimator = estimator

    def tunes_thresholds(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """scikit-learn's `evaluate_candidates`, with thresholds that are left to the search."""

        def evaluate_candidates(candidates: Any, *more: Any, **options: Any) -> Any:
            written = list(candidates)
            tuned = [candidate_tuned_by_folds(self._estimator, one) for one in written]
            self._written += zip(tuned, written, strict=True)
            return evaluate(tuned, *more, **options)

        return evaluate_candidates

    def as_written(self, candidates: Sequence[Any]) -> list[Any]:
        """The candidates with the thresholds that the user wrote."""
        written = {id(tuned): given for tuned, given in self._written}
        return [written.get(id(candidate), candidate) for candidate in candidates]

    def _settings(self) -> dict[str, Any]:
        search = self._search
        settings = {name: getattr(search, name, None) for name in _SETTINGS_OF_RESULTS}
        if self.pruning is not None:
            settings["prune"] = search.prune
        if callable(space := getattr(search, "search_spaces", None)):
            settings["search_spaces"] = space
        return settings

    @contextlib.contextmanager
    def backend(self) -> Iterator[None]:
        """Have joblib collect the fits, if a population, a journal or an observer needs this."""
        active, n_jobs = get_active_backend()
        name = type(active).__name__
        # A user who chose another backend, such as that of a cluster or a population with its own
        # options, keeps it.
        joins = self._search.population
        has_conditions = self._conditions is not NO_CONDITIONS
        watches = self.journalled is not None or self._watching or has_conditions
        journal = ObservedTasks(self.observers, None)
        if self.journalled is not None:
            journal = ObservedTasks(
                self.observers, self.journalled.recalled, self.journalled.kept_states
            )
        if isinstance(active, PopulationBackend):
            if self.pruning is not None and active.options.cohorts_travel:
                refuse_pruning(active.options.backend)
            if self._search.candidate_timeout is not None and active.options.cohorts_travel:
                raise InvalidParameterError(
                    f"candidate_timeout={self._search.candidate_timeout!r} does not hold on the "
                    f"workers of backend={active.options.backend!r}: leave it out, or search "
                    "within this process."
                )
            if watches or self.pruning is not None:
                backend = active.for_search(journal, self.pruning, self._conditions)
                with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
                    yield
            else:
                yield
        elif name not in NAME_OF_OWN_BACKEND:
            for parameter in ("journal", "prune", "candidate_timeout"):
                if (given := getattr(self._search, parameter)) is not None:
                    raise InvalidParameterError(
                        f"{parameter}={given!r} does not work with joblib's backend {name}: run "
                        "the search within skhp.population(backend=...), outside of "
                        f"joblib.parallel_config, or leave {parameter} out."
                    )
            yield
        elif not joins and not watches:
            yield
        else:
            backend = PopulationBackend(
                joins=joins,
                journal=journal,
                conditions=self._conditions,
                pruning=self.pruning,
                n_jobs=n_jobs,
                backend=NAME_OF_OWN_BACKEND[name],
                executor=in_threads,
            )
            with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
                yield

    def is_complete(self) -> None:
        """Note that the search has ended without an exception."""
        if self.journalled is not None and self.limits.reason not in _GOES_ON_FROM:
            self.journalled.search_is_complete()

    def candidates_are_scored(self) -> None:
        """Let another run of the search take its results, while this one is refitted."""
        if self.journalled is not None:
            self.journalled.release()

    def close(self) -> None:
        """Close the journal."""
        if self.journalled is not None:
            self.journalled.close()
