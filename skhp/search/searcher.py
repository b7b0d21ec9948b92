"""What skhp's searchers add to the classes of scikit-learn that they are based on."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags

from skhp.compat.scikit_learn import MultimetricScorer, validate_parameter_constraints
from skhp.population.report import PopulationReport, collected_report
from skhp.search.checks.folds import SomeFolds
from skhp.search.checks.search_input import check_search
from skhp.search.early_stopping import (
    with_early_stopping,
)
from skhp.search.fold_thresholds import tuned_by_folds
from skhp.search.limits import StopReason, pruned_are_last
from skhp.search.observer import ObservedRounds, SearchEnds, SearchObserver
from skhp.search.refits.best_candidates import RUN, SPACES, RefitsCandidates, Rows
from skhp.search.scores import (
    RecordingMultimetricScorer,
    RecordingScorer,
    default_scoring,
    pruned_at_epoch,
    scoring_of_classes,
    stopped_by,
    training_columns,
)
from skhp.search.search_run import SearchRun
from skhp.search.space.foreign_spaces import refuse_foreign_space
from skhp.shared.class_targets import TargetSummary, class_labels, one_hot_labels, target_summary

# Attributes that a search has only until it ends.
_WHILE_SEARCHING = frozenset({"_watching", RUN})


class SearchAdditions(RefitsCandidates):
    """Precedes a class of scikit-learn among the bases of a searcher.

    While scikit-learn searches, a few parameters of the searcher have values that are translated
    for scikit-learn; afterwards they have the user's values again. They are not set on a copy of
    the searcher, because callbacks must receive the searcher itself.
    """

    scoring: Any
    cv: Any
    early_stopping: Any
    prune: Any
    time_budget: Any
    on_budget: str
    candidate_timeout: Any
    journal: Any
    on_interrupt: str
    search_stop_reason_: StopReason
    population_report_: PopulationReport
    _target_summary: TargetSummary | None = None
    _watching: tuple[SearchObserver, ...] = ()
    _run: SearchRun

    @property
    def target_summary(self) -> TargetSummary | None:
        """A summary of the target of the last fit, in a few numbers."""
        return self._target_summary

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        **params : dict of str to object
            Parameters for the ``fit`` of the estimator, the scorer and the splitter.

        Returns
        -------
        self
        """
        for name in SPACES:
            takes_function = callable in self._parameter_constraints.get(name, ())  # type: ignore[attr-defined]
            refuse_foreign_space(getattr(self, name, None), takes_function=takes_function)
        validate_parameter_constraints(
            self._parameter_constraints,  # type: ignore[attr-defined]
            self.get_params(deep=False),  # type: ignore[attr-defined]
            caller_name=type(self).__name__,
        )
        self._refuse_rows(X, y)
        vars(self).pop("population_report_", None)
        with self._translated(y), collected_report() as report, self._run.backend():
            self._run.rows = Rows(X, y, params)
            try:
                super().fit(X, y, **params)  # type: ignore[misc]
            finally:
                self._forget_recording()
            self._run.is_complete()
            self._candidate_fits = self._run.candidates
        if report.total.n_fits:
            self.population_report_ = report.total
        self._target_summary = target_summary(y)
        return self

    def observed_by(self, *observers: SearchObserver) -> Self:
        """Have the next `fit` tell observers how it goes.

        Parameters
        ----------
        *observers : skhp.search.observer.SearchObserver
            Each observer is told of each round of candidates. It is also told of each fit, unless
            joblib runs the fits on a backend that is not joblib's own.

        Returns
        -------
        self
        """
        self._watching = observers
        return self

    def report(
        self,
        path: str | os.PathLike[str],
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
    ) -> Path:
        """Write a page about this search: one file of HTML with tables and pictures.

        Parameters
        ----------
        path : str or path
            Path of the page.
        X : array-like of shape (n_samples, n_features), default=None
            Rows that the search has not seen. With these, the page also has scores, confusion,
            threshold and probabilities.
        y : array-like of shape (n_samples,), default=None
            The targets of these rows.

        Returns
        -------
        Path
        """
        # Imported here, as only a report needs matplotlib.
        from skhp.inspection.report.search_report import write_report

        return write_report(self, path, X, y)

    def __getstate__(self) -> dict[str, Any]:
        # A search is pickled with its tasks for other processes, where it has no observers.
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name not in _WHILE_SEARCHING}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        # The estimator decides whether it takes several targets; scikit-learn does not ask it.
        of_estimator = get_tags(self.estimator).target_tags
        tags.target_tags.single_output = of_estimator.single_output
        tags.target_tags.multi_output = of_estimator.multi_output
        return tags

    @contextlib.contextmanager
    def _translated(self, y: Any) -> Iterator[None]:
        """Within this context, give parameters the values that scikit-learn can read."""
        translated = self._translations(y)
        self._run = SearchRun(
            self,
            translated["estimator"],
            translated.get("scoring", self.scoring),
            translated["cv"],
            self._watching,
        )
        given = {name: getattr(self, name) for name in translated}
        vars(self).update(translated)
        try:
            yield
        finally:
            vars(self).update(given)
            self._run.close()
            for name in _WHILE_SEARCHING & vars(self).keys():
                delattr(self, name)

    def _translations(self, y: Any) -> dict[str, Any]:
        """The values of those parameters that scikit-learn needs in another form."""
        for_classes = is_classifier(self.estimator)
        folds = check_cv(self.cv, class_labels(y), classifier=for_classes)
        n_folds = getattr(folds, "n_splits", 5)
        translations: dict[str, Any] = {
            "cv": SomeFolds(folds),
            "estimator": tuned_by_folds(
                with_early_stopping(self.estimator, self.early_stopping, y, n_folds)
            ),
        }
        if _is_auto(self.scoring):
            translations["scoring"] = default_scoring(self.estimator, y)
        elif for_classes and one_hot_labels(y) is not None:
            translations["scoring"] = scoring_of_classes(self.scoring)
        check_search(self, translations.get("scoring", self.scoring), folds, y)
        return translations

    def _forget_recording(self) -> None:
        scorer = getattr(self, "scorer_", None)
        if isinstance(scorer, RecordingScorer):
            self.scorer_ = scorer.scorer

    def _get_scorers(self) -> tuple[Any, str]:
        given = self.scoring
        if _is_auto(given):
            # scikit-learn also asks before and after `fit` which metadata the scorer takes.
            self.scoring = getattr(self, "scorer_", None)
        try:
            scorers, name = super()._get_scorers()  # type: ignore[misc]
        finally:
            self.scoring = given
        if isinstance(scorers, MultimetricScorer):
            own = vars(scorers)
            return (
                RecordingMultimetricScorer(scorers=own["_scorers"], raise_exc=own["_raise_exc"]),
                name,
            )
        return RecordingScorer(scorers), name

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        run = super()._run_search  # type: ignore[misc]
        takes_context = "callback_ctx" in inspect.signature(run).parameters
        context = {"callback_ctx": callback_ctx} if takes_context else {}
        if self._run.observers:
            evaluate_candidates = ObservedRounds(evaluate_candidates, self._run.observers)
        evaluate_candidates = self._run.tunes_thresholds(evaluate_candidates)
        with contextlib.suppress(SearchEnds):
            run(evaluate_candidates, **context)
        self._run.candidates_are_scored()
        if self._run.limits:
            self.search_stop_reason_ = self._run.limits.reason

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None
    ) -> dict[str, Any]:
        # The lists are those of scikit-learn's search, which goes on with what remains in them.
        self._run.limits.without_dropped(
            candidate_params, n_splits, out, *(more_results or {}).values()
        )
        results = super()._format_results(  # type: ignore[misc]
            self._run.as_written(candidate_params), n_splits, out, more_results
        )
        scores = [one["test_scores"] for one in out]
        self._run.candidates.note(out, n_splits)
        results |= training_columns(scores, n_splits)
        ended_at = pruned_at_epoch(scores, n_splits)
        if self._run.pruning is not None or np.isfinite(ended_at).any():
            results["pruned_at_epoch"] = ended_at
        if any(stopped_by(one) == "time_budget" for one in out):
            self._run.limits.note_cut_off()
        return results

    @classmethod
    def _select_best_index(cls, refit: Any, refit_metric: str, results: dict[str, Any]) -> Any:
        if "pruned_at_epoch" in results and not callable(refit):
            results = pruned_are_last(results, refit_metric)
        return super()._select_best_index(refit, refit_metric, results)  # type: ignore[misc]


def _is_auto(scoring: Any) -> bool:
    return isinstance(scoring, str) and scoring == "auto"
