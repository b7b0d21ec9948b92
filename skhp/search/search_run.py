"""One `fit` of a search, with its limits, journal, pruning and observers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import joblib
import numpy as np

from skhp.compat.joblib import NAME_OF_OWN_BACKEND, get_active_backend
from skhp.compat.scikit_learn import fit_params_of_search
from skhp.exceptions import InvalidParameterError
from skhp.population.backend import PopulationBackend
from skhp.search.checks.folds import FixedFolds
from skhp.search.early_stopping import for_median, refuse_refit_epochs
from skhp.search.fold_thresholds import candidate_tuned_by_folds, with_threshold_of_folds
from skhp.search.journal.journal import JournalledSearch
from skhp.search.limits import Limits, pruning_of
from skhp.search.observer import ObservedTasks, SearchObserver
from skhp.shared.amounts import seconds_of_budget

# The parameters that affect the results, besides the data, folds, estimator and scoring.
_SETTINGS_OF_RESULTS = (
    *("return_train_score", "error_score", "random_state"),
    *("factor", "resource", "min_resources", "max_resources", "aggressive_elimination"),
)

# The attribute of a search that holds its run until the search ends.
RUN = "_run"


class Rows(NamedTuple):
    """The rows of a search, and the further parameters of its `fit`."""

    X: Any
    y: Any
    params: Mapping[str, Any]


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
        self.pruning = pruning_of(search.prune, estimator, search.population)
        if search.refit and search.refit_epochs is not None:
            refuse_refit_epochs(estimator)
        self.limits = Limits(
            seconds=seconds_of_budget(search.time_budget),
            patience=getattr(search, "stop_after", None),
            metric=f"mean_test_{search.refit if isinstance(search.refit, str) else 'score'}",
            keeps_finished=search.on_interrupt == "partial",
        )
        self.journalled = None
        if search.journal is not None:
            self.journalled = JournalledSearch(
                search.journal, estimator, scoring, folds, self._settings()
            )
        first = (self.limits, self.journalled)
        self.observers = [*(one for one in first if one), *watching]
        # The best epoch of each candidate on each fold, once the folds are scored.
        self.epochs_to_train: np.ndarray | None = None
        self.rows: Rows | None = None
        self._written: list[tuple[Any, Any]] = []
        self._estimator = estimator
        self._folds = folds

    def tunes_thresholds(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """scikit-learn's `evaluate_candidates`, with thresholds that are left to the search."""

        def evaluate_candidates(candidates: Any, *more: Any, **options: Any) -> Any:
            written = list(candidates)
            tuned = [candidate_tuned_by_folds(self._estimator, one) for one in written]
            self._written += zip(tuned, written, strict=True)
            return evaluate(tuned, *more, **options)

        return evaluate_candidates

    def as_written(self, candidates: Sequence[Any]) -> list[Any]:
        """Candidates as the user wrote them, whose thresholds were left to the search."""
        written = {id(tuned): given for tuned, given in self._written}
        return [written.get(id(candidate), candidate) for candidate in candidates]

    def to_refit(self, estimator: Any, candidate: int) -> Any:
        """The estimator of a candidate as it is trained on all rows: its epochs, its threshold."""
        if self._search.refit_epochs is not None and self.epochs_to_train is not None:
            estimator = for_median(estimator, self.epochs_to_train[candidate])
        if self.rows is None:
            return estimator
        fit_params = fit_params_of_search(self._search, self.rows.params)
        folds = self._folds.split(self.rows.X, self.rows.y)
        with self._plain_backend():
            return with_threshold_of_folds(estimator, self.rows.X, self.rows.y, folds, fit_params)

    @contextlib.contextmanager
    def _plain_backend(self) -> Iterator[None]:
        """The population, but without journal, observers and pruning, which are of the search."""
        active, n_jobs = get_active_backend()
        if not isinstance(active, PopulationBackend):
            yield
            return
        with joblib.parallel_config(
            backend=PopulationBackend(joins=self._search.population, n_jobs=n_jobs), n_jobs=n_jobs
        ):
            yield

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
        if name not in NAME_OF_OWN_BACKEND:
            for parameter in ("journal", "prune"):
                if (given := getattr(self._search, parameter)) is not None:
                    raise InvalidParameterError(
                        f"{parameter}={given!r} does not work with joblib's backend {name}: run "
                        f"the search outside of joblib.parallel_config, or leave {parameter} out."
                    )
            yield
        elif not joins and self.journalled is None and not self._watching:
            yield
        else:
            recall = None if self.journalled is None else self.journalled.recalled
            backend = PopulationBackend(
                joins=joins,
                journal=ObservedTasks(self.observers, recall),
                pruning=self.pruning,
                n_jobs=n_jobs,
                backend=NAME_OF_OWN_BACKEND[name],
            )
            with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
                yield

    def close(self) -> None:
        """Close the journal."""
        if self.journalled is not None:
            self.journalled.close()


class RefittedEstimator:
    """The attribute `best_estimator_`, which scikit-learn sets right before the refit.

    Only at this moment can a search change the estimator that is refitted.
    """

    def __get__(self, search: Any, of: type | None = None) -> Any:
        if search is None:
            return self
        try:
            return vars(search)["best_estimator_"]
        except KeyError:
            raise AttributeError(
                f"{type(search).__name__} has no best_estimator_ before it has refitted one."
            ) from None

    def __set__(self, search: Any, estimator: Any) -> None:
        run = vars(search).get(RUN)
        if run is not None:
            estimator = run.to_refit(estimator, search.best_index_)
        vars(search)["best_estimator_"] = estimator

    def __delete__(self, search: Any) -> None:
        del vars(search)["best_estimator_"]
