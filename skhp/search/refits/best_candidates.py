"""What a search trains on all rows: its best candidate, or the best few of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from numbers import Integral
from typing import Any, NamedTuple

import joblib
import numpy as np
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_is_fitted

from skhp.compat.joblib import NAME_OF_OWN_BACKEND, get_active_backend
from skhp.exceptions import InvalidParameterError
from skhp.population.backend import PopulationBackend
from skhp.population.joint_fits import fit_together
from skhp.search.checks.folds import FixedFolds
from skhp.search.checks.search_input import refuse_unusable_columns
from skhp.search.early_stopping import for_median
from skhp.search.fold_thresholds import with_threshold_of_folds
from skhp.search.scores import epochs_to_train
from skhp.shared.equality import equal
from skhp.shared.unusable_data import refuse_several_inputs, refuse_unclear_labels

# The parameters in which the searchers take their search space.
SPACES = ("param_grid", "param_distributions", "search_spaces")

# The attribute of a search that holds its run until the search ends.
RUN = "_run"


class Rows(NamedTuple):
    """The rows of a search, and the further parameters of its `fit`."""

    X: Any
    y: Any
    params: Mapping[str, Any]


class CandidateFits:
    """What a search knows of the fits of its candidates, beside its results.

    The parameters of a candidate are set on `estimator`, in which early stopping is switched on as
    the search asks for it.
    """

    def __init__(self, estimator: Any, folds: FixedFolds) -> None:
        self.estimator = estimator
        self._folds = folds
        # For each candidate, its best epoch on each fold, and whether any of its fits failed; None
        # before a round is scored.
        self.epochs: np.ndarray | None = None
        self.failed: np.ndarray | None = None

    def note(self, results: Sequence[Mapping[str, Any]], n_splits: int) -> None:
        """Note the results of all fits so far, as scikit-learn's tasks return them."""
        self.epochs = epochs_to_train([one["test_scores"] for one in results], n_splits)
        errors = np.array([one.get("fit_error") is not None for one in results])
        self.failed = np.any(errors.reshape(-1, n_splits), axis=1)

    def to_refit(self, search: Any, estimator: Any, index: int, rows: Rows) -> Any:
        """`estimator`, which has the parameters of candidate `index`, ready to train on all rows.

        The search decides about its epochs, and about its threshold where no rows are held out.
        """
        if search.refit_epochs is not None and self.epochs is not None:
            estimator = for_median(estimator, self.epochs[index])
        fit_params = _fit_params_of(search, rows.params)
        with _plain_backend(search):
            return with_threshold_of_folds(
                estimator, rows.X, rows.y, self._folds_of(rows), fit_params
            )

    def _folds_of(self, rows: Rows) -> Iterator[Any]:
        """The folds of the search; for another number of rows, new folds of the same splitter."""
        drawn = self._folds.folds or []
        rows_of_search = max((int(np.max(part)) + 1 for fold in drawn for part in fold), default=0)
        if rows_of_search == np.shape(rows.X)[0]:
            yield from drawn
            return
        groups = rows.params.get("groups")
        of_groups = {} if groups is None else {"groups": groups}
        yield from FixedFolds(self._folds.splitter).split(rows.X, rows.y, **of_groups)


def _fit_params_of(search: Any, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of a search's `fit` that it hands on to the `fit` of its estimator."""
    if sklearn.get_config()["enable_metadata_routing"]:
        routed: Mapping[str, Any] = process_routing(search, "fit", **params).estimator.fit
        return routed
    return {name: value for name, value in params.items() if name != "groups"}


@contextlib.contextmanager
def _plain_backend(search: Any) -> Iterator[None]:
    """The population without the journal, the observers and the pruning of the search."""
    active, n_jobs = get_active_backend()
    is_own = type(active).__name__ in NAME_OF_OWN_BACKEND
    if not isinstance(active, PopulationBackend) and not (is_own and search.population):
        yield
        return
    with joblib.parallel_config(
        backend=PopulationBackend(joins=search.population, n_jobs=n_jobs), n_jobs=n_jobs
    ):
        yield


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
        if run is not None and run.rows is not None:
            estimator = run.candidates.to_refit(search, estimator, search.best_index_, run.rows)
        vars(search)["best_estimator_"] = estimator

    def __delete__(self, search: Any) -> None:
        del vars(search)["best_estimator_"]


class RefitsCandidates:
    """A searcher that trains its best candidates on all rows."""

    estimator: Any
    refit: Any
    n_jobs: Any
    refit_epochs: str | None
    population: bool
    resource: str
    cv_results_: dict[str, Any]
    multimetric_: bool
    best_index_: int
    _candidate_fits: CandidateFits

    best_estimator_ = RefittedEstimator()

    def best_estimators(self, k: int, X: Any, y: Any = None, **params: Any) -> list[Any]:
        """Train the k best candidates on all rows, together as one population.

        Each of them is trained as the search refits the best one: `early_stopping` and
        `refit_epochs` hold, and where no rows are held out, a threshold is tuned on the folds. The
        first of the list equals `best_estimator_`. The search keeps no rows, so they have to be
        given again.

        Candidates are in the order of their mean scores, and equal ones in the order in which they
        were tried. Candidates that failed or were pruned are left out, and a candidate that was
        tried several times counts once. In a halving search, candidates of a later round come
        before those that were dropped earlier, and all get the resources of the last round. Where
        `refit` is a function, the candidate that it chose comes first.

        Parameters
        ----------
        k : int
            Number of candidates.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        **params : dict of str to object
            As for `fit`; parameters of the scorer and the splitter have no effect.

        Returns
        -------
        list of estimators
            The fitted candidates, the best one first.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If `k` is not a whole number from 1 to the number of candidates, or if the search has
            several metrics and `refit` does not name one. An error within a fit is raised
            unchanged.

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from skhp import GridSearchCV, KerasMLPClassifier
        >>> X, y = load_breast_cancer(return_X_y=True)
        >>> network = KerasMLPClassifier(epochs=5, random_state=0)
        >>> search = GridSearchCV(network, {"neurons": [4, 8, 16]}, cv=2, refit=False).fit(X, y)
        >>> [type(network).__name__ for network in search.best_estimators(2, X, y)]
        ['KerasMLPClassifier', 'KerasMLPClassifier']
        """
        check_is_fitted(self, "cv_results_")
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise InvalidParameterError(
                f"k={k!r} is not a number of candidates: give a whole number of 1 or more."
            )
        candidates = list(islice(self._best_candidates(), int(k)))
        if len(candidates) < k:
            raise InvalidParameterError(
                f"k={k} is above the number of different candidates of {type(self).__name__} that "
                f"neither failed nor were pruned, {len(candidates)}. Give a smaller k."
            )
        self._refuse_rows(X, y)
        X, y = indexable(X, y)
        rows = Rows(X, y, params)
        fit_params = _fit_params_of(self, params)
        estimators = [
            self._candidate_fits.to_refit(
                self,
                clone(self._candidate_fits.estimator).set_params(**clone(values, safe=False)),
                index,
                rows,
            )
            for index, values in candidates
        ]
        if not self.population:
            return [estimator.fit(X, y, **fit_params) for estimator in estimators]
        fitted = fit_together(
            ((estimator, X, y, fit_params) for estimator in estimators), n_jobs=self.n_jobs
        )
        for one in fitted:
            if isinstance(one, Exception):
                raise one
        return fitted

    def _refuse_rows(self, X: Any, y: Any) -> None:
        """Raise ValueError if no candidate could be trained on these rows."""
        refuse_several_inputs(X, y)
        space: Any = next((getattr(self, name) for name in SPACES if hasattr(self, name)), {})
        refuse_unusable_columns(self.estimator, space, X, y)
        if is_classifier(self.estimator):
            refuse_unclear_labels(y)

    def _best_candidates(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The places in the results and the parameters of different candidates, best first."""
        results = self.cv_results_
        means = np.asarray(results[f"mean_test_{self._metric_of_refit()}"], float)
        usable = np.isfinite(means)
        if self._candidate_fits.failed is not None:
            usable &= ~self._candidate_fits.failed
        if "pruned_at_epoch" in results:
            # If a time budget ended all candidates, one of them is the best.
            to_their_end = usable & np.isnan(results["pruned_at_epoch"])
            usable = to_their_end if to_their_end.any() else usable
        halves = "n_resources" in results
        rounds = np.asarray(results["iter"]) if halves else np.zeros(len(means))
        places = np.arange(len(means))
        chosen = places == self.best_index_ if callable(self.refit) else np.zeros(len(means), bool)
        resource: dict[str, Any] = {}
        if halves and (name := self.resource) != "n_samples":
            resource = {name: int(max(results["n_resources"]))}
        known: list[dict[str, Any]] = []
        for place in np.lexsort((places, -means, -rounds, ~chosen)):
            values = {**results["params"][place], **resource}
            if usable[place] and not any(equal(values, other) for other in known):
                known.append(values)
                yield int(place), values

    def _metric_of_refit(self) -> str:
        if not self.multimetric_:
            return "score"
        if not isinstance(self.refit, str):
            raise InvalidParameterError(
                f"refit={self.refit!r}, and {type(self).__name__} has several metrics, so that "
                "nobody knows which candidates are the best: set refit to the name of a metric, "
                "and fit the search again."
            )
        return self.refit
