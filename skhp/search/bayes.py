"""Candidates asked from a model of the scores so far, by scikit-optimize."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import skopt
from scipy.optimize import OptimizeResult
from skopt.space import Categorical, Dimension

from skhp.compat.scikit_learn import Interval
from skhp.compat.scikit_optimize import boosted_surrogate
from skhp.search.batches import Batches
from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.constraints import additional_constraints
from skhp.search.searcher import SearchAdditions
from skhp.search.shared_docs import with_shared_docs
from skhp.search.space.spaces import for_bayes


@with_shared_docs
class BayesSearchCV(SearchAdditions, skopt.BayesSearchCV):
    """scikit-optimize's BayesSearchCV, for rare classes, with early stopping, as a population.

    A candidate that fails does not end the search, and the folds are the same in each iteration.

    Parameters
    ----------
    estimator : estimator
    search_spaces : dict or list of dict
        Names of parameters, and lists of values, bounds such as ``(1e-5, 1e-1, "log-uniform")``,
        distributions of ``scipy.stats`` or ``optuna.distributions``, or dimensions of
        ``skopt.space``. The dicts of a list are searched one after the other; a pair
        ``(dict, n_iter)`` has a number of candidates of its own.
    optimizer_kwargs : dict or None, default=None
        Parameters of ``skopt.Optimizer``: ``{"base_estimator": "RF"}`` models the scores by trees;
        "GP" (by default), "ET" and "GBRT" are others.
    n_iter : int, default=50
        Candidates for each search space.
    {scoring}
        With several metrics, `refit` names the one to search by.
    fit_params : dict or None, default=None
        Parameters for each `fit` of the search, as its own ``**params``, which come first.
    n_jobs : int, default=1
        As in scikit-learn.
    n_points : int, default=8
        Candidates that are asked for and trained at a time; those of a batch keep apart.
    iid : object, default="deprecated"
        As in scikit-optimize.
    refit : bool or str, default=True
        As in scikit-learn.
    cv : int, cross-validation generator or iterable, default=None
        As in scikit-learn; the folds are drawn once for a `fit`.
    verbose : int, default=0
        As in scikit-learn.
    pre_dispatch : int or str, default="2*n_jobs"
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the candidates.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn, but a batch in which all fits failed does not end the search.
    return_train_score : bool, default=False
        As in scikit-learn.
    {additions}
    {stop_after}

    Attributes
    ----------
    optimizer_results_ : list of OptimizeResult
        As in scikit-optimize.
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from skhp import BayesSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": (1e-3, 1e3, "log-uniform"), "kernel": ["linear", "rbf"]}
    >>> search = BayesSearchCV(SVC(), space, n_iter=16, random_state=0).fit(X, y)
    >>> len(search.cv_results_["params"]), bool(search.best_score_ > 0.95)
    (16, True)
    """

    optimizer_kwargs_: dict[str, Any]
    _batches: Batches | None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **additional_constraints(skopt.BayesSearchCV, sequential=True),
        "search_spaces": [dict, list],
        "optimizer_kwargs": [dict, None],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "n_points": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        search_spaces: Any,
        optimizer_kwargs: dict[str, Any] | None = None,
        n_iter: int = 50,
        scoring: Any = "auto",
        fit_params: dict[str, Any] | None = None,
        n_jobs: int | None = 1,
        n_points: int = 8,
        iid: Any = "deprecated",
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        *,
        early_stopping: Any = "auto",
        prune: Any = None,
        refit_epochs: str | None = None,
        time_budget: Any = None,
        on_interrupt: str = "raise",
        journal: Any = None,
        population: bool = True,
        stop_after: int | None = None,
    ) -> None:
        # The constructor of scikit-optimize's own looks at values, which `set_params` goes past.
        super(skopt.BayesSearchCV, self).__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.search_spaces = search_spaces
        self.optimizer_kwargs = optimizer_kwargs
        self.n_iter = n_iter
        self.fit_params = fit_params
        self.n_points = n_points
        self.iid = iid
        self.random_state = random_state
        self._set_additions(
            early_stopping=early_stopping,
            prune=prune,
            refit_epochs=refit_epochs,
            time_budget=time_budget,
            on_interrupt=on_interrupt,
            journal=journal,
            population=population,
        )
        self.stop_after = stop_after

    def _translations(self, y: Any) -> dict[str, Any]:
        refuse_unknown_names(self.estimator, self.search_spaces)
        return {**super()._translations(y), "search_spaces": for_bayes(self.search_spaces)}

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate on all rows; see `SearchAdditions.fit`."""
        # scikit-optimize 0.10.2 keeps `fit_params` and never looks at them.
        return super().fit(X, y, **{**(self.fit_params or {}), **params})

    def _get_routed_params_for_fit(self, params: dict[str, Any]) -> Any:
        # scikit-optimize 0.10.2 passes groups=None where nobody gave groups, which scikit-learn
        # refuses where metadata is routed.
        given = {name: value for name, value in params.items() if value is not None}
        return super()._get_routed_params_for_fit(given)

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        self._batches = None
        super()._run_search(evaluate_candidates, callback_ctx=callback_ctx)
        batches, self._batches = self._batches, None
        if batches is not None:
            batches.end()

    def _make_optimizer(self, params_space: Any) -> Any:
        given: dict[str, Any] = self.optimizer_kwargs_
        if str(given.get("base_estimator")).upper() == "GBRT":
            self.optimizer_kwargs_ = {**given, "base_estimator": boosted_surrogate()}
        try:
            return super()._make_optimizer(params_space)
        finally:
            self.optimizer_kwargs_ = given

    def _step(
        self,
        search_space: Any,
        optimizer: Any,
        score_name: str | None,
        evaluate_candidates: Any,
        n_points: int = 1,
    ) -> tuple[Any, str | None]:
        """Ask for a batch, score it, and tell; scikit-optimize's own fails where a score is NaN."""
        names = sorted(search_space)
        with warnings.catch_warnings():
            # Of few values, some are asked for again; they are not trained again.
            warnings.filterwarnings("ignore", message="The objective has been evaluated at point")
            points = optimizer.ask(n_points=n_points)
        if self._batches is None:
            self._batches = Batches(evaluate_candidates, self.error_score, self.refit)
        dimensions = [search_space[name] for name in names]
        scores = self._batches.scores(
            [
                dict(zip(names, map(_as_python_number, point, dimensions), strict=True))
                for point in points
            ]
        )
        if not np.isfinite(scores).any() and not optimizer.yi:
            # Until it is told of a score, it would ask for the same points again.
            optimizer.cache_ = {}
            return OptimizeResult(x=None, fun=np.nan, x_iters=[], func_vals=[]), score_name
        # What failed is as bad as the worst that did not, so that the search keeps away from it.
        worst = max([-score for score in scores if np.isfinite(score)] + list(optimizer.yi))
        told = [-score if np.isfinite(score) else worst for score in scores]
        return optimizer.tell(points, [float(value) for value in told]), score_name


def _as_python_number(value: Any, dimension: Dimension) -> Any:
    """A number of a range as scikit-optimize's own search has it; a choice is what it was."""
    is_choice = isinstance(dimension, Categorical)
    return value.item() if isinstance(value, np.generic) and not is_choice else value
