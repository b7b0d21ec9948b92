"""Candidates asked from a tree-structured Parzen estimator."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state

from skhp.compat.scikit_learn import Interval
from skhp.exceptions import InvalidParameterError
from skhp.search.batches import Batches, unknown_aim
from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.checks.search_input import is_finite
from skhp.search.constraints import additional_constraints
from skhp.search.defined_by_run import defined_by_run
from skhp.search.searcher import SearchAdditions
from skhp.search.shared_docs import with_shared_docs
from skhp.search.space.layer_sizes import LayerSizes
from skhp.search.space.spaces import for_tpe, understood

if TYPE_CHECKING:
    from optuna.samplers import TPESampler
    from optuna.study import Study
    from optuna.trial import Trial

__all__ = ["TPESearchCV"]

# scikit-learn documents how to extend the base of its searchers, but exports it under no public
# name.
BaseSearchCV: Any = GridSearchCV.__base__


class ParzenSearch(BaseSearchCV):
    """The search itself, without what skhp's searchers have in common."""

    search_spaces: Any
    sampler_kwargs: Mapping[str, Any] | None
    n_iter: int
    n_points: int
    random_state: Any

    def _run_search(self, evaluate_candidates: Any) -> None:
        suggest = self._suggest()
        if isinstance(self.scoring, list | tuple | set | dict) and not isinstance(self.refit, str):
            raise unknown_aim(self.refit, list(self.scoring))
        self.study_ = study = _study(self._sampler())
        batches = Batches(evaluate_candidates, self.error_score, self.refit)
        for start in range(0, self.n_iter, self.n_points):
            asked = [study.ask() for _ in range(min(self.n_points, self.n_iter - start))]
            suggested = [(trial, _suggested(study, trial, suggest)) for trial in asked]
            candidates = {trial: one for trial, one in suggested if one is not None}
            if not candidates:
                continue
            scores = batches.scores(list(candidates.values()))
            for trial, score in zip(candidates, scores, strict=True):
                if np.isfinite(score):
                    study.tell(trial, float(score))
                else:
                    _tell_failed(study, trial)
        if not batches.any_asked:
            raise InvalidParameterError(
                f"The function given as search_spaces raised TrialPruned in each of {self.n_iter} "
                "trials, so there is no candidate: let it suggest other values."
            )
        batches.end()

    def _suggest(self) -> Callable[[Trial], dict[str, Any]]:
        if callable(self.search_spaces):
            return defined_by_run(
                self.search_spaces, self.estimator, checks_values=not is_finite(self.error_score)
            )
        suggest = for_tpe(self.search_spaces)
        refuse_unknown_names(self.estimator, self.search_spaces)
        return suggest

    def _sampler(self) -> TPESampler:
        try:
            from optuna.exceptions import ExperimentalWarning
            from optuna.samplers import TPESampler
        except ImportError as error:
            raise ImportError(
                "TPESearchCV needs Optuna, which is not installed. Install it by "
                "pip install optuna."
            ) from error
        given = self.sampler_kwargs or {}
        options = {
            "seed": int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)),
            "multivariate": True,
            # Trials of the batch that are not yet told count as bad ones nearby.
            "constant_liar": True,
            # Learns together about what is suggested together: the parameters of an alternative.
            "group": _is_conditional(self.search_spaces) and given.get("multivariate", True),
            **given,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(**options)


@with_shared_docs
class TPESearchCV(SearchAdditions, ParzenSearch):
    """Search by Optuna's tree-structured Parzen estimator, several candidates at a time.

    Needs Optuna: ``pip install optuna``.

    Parameters
    ----------
    estimator : estimator
    search_spaces : dict, list of dict or callable
        Names of parameters, and lists of values, bounds such as ``(1e-5, 1e-1, "log-uniform")``,
        distributions of ``scipy.stats`` or ``optuna.distributions``, or dimensions of
        ``skopt.space``. The dicts of a list are alternatives, and learnt about one by one.

        Or a function of a trial that returns the parameters of a candidate, as
        ``lambda trial: {"neurons": trial.suggest_int("neurons", 2, 64)}``. It may suggest some
        beside certain values of others only; those that a candidate has none of are masked in
        `cv_results_`. A trial in which it raises ``optuna.TrialPruned`` is no candidate, and counts
        in `n_iter`. A journal belongs to the function, too.
    sampler_kwargs : dict or None, default=None
        Parameters of ``optuna.samplers.TPESampler``.
    n_iter : int, default=50
        Candidates in all.
    {scoring}
        With several metrics, `refit` names the one to search by.
    n_jobs : int, default=None
        As in scikit-learn.
    n_points : int, default=8
        Candidates that are asked for and trained at a time; those of a batch keep apart.
    refit : bool, str or callable, default=True
        As in scikit-learn.
    cv : int, cross-validation generator or iterable, default=None
        As in scikit-learn.
    verbose : int, default=0
        As in scikit-learn.
    pre_dispatch : int or str, default="2*n_jobs"
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the candidates, unless `sampler_kwargs` has a ``seed``.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn, but a batch in which all fits failed does not end the search.
    return_train_score : bool, default=False
        As in scikit-learn.
    {additions}
    {stop_after}

    Attributes
    ----------
    study_ : optuna.study.Study
        A trial for each candidate, also for those of a batch in which all fits failed, which are
        not among the results.
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": (1e-3, 1e3, "log-uniform"), "kernel": ["linear", "rbf"]}
    >>> search = TPESearchCV(SVC(), space, n_iter=16, random_state=0).fit(X, y)
    >>> len(search.cv_results_["params"]), bool(search.best_score_ > 0.95)
    (16, True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **additional_constraints(BaseSearchCV, sequential=True),
        "search_spaces": [dict, list, callable],
        "sampler_kwargs": [dict, None],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "n_points": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        search_spaces: Any,
        sampler_kwargs: Mapping[str, Any] | None = None,
        n_iter: int = 50,
        *,
        scoring: Any = "auto",
        n_jobs: int | None = None,
        n_points: int = 8,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        early_stopping: Any = "auto",
        prune: Any = None,
        refit_epochs: str | None = None,
        time_budget: Any = None,
        on_interrupt: str = "raise",
        journal: Any = None,
        population: bool = True,
        stop_after: int | None = None,
    ) -> None:
        super().__init__(
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
        self.sampler_kwargs = sampler_kwargs
        self.n_iter = n_iter
        self.n_points = n_points
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


def _is_conditional(space: Any) -> bool:
    """Whether some parameters are suggested beside some values of others only."""
    if callable(space):
        return True
    alternatives = understood(space)
    return len(alternatives) > 1 or any(
        isinstance(dimension, LayerSizes) for dimension in alternatives[0].values()
    )


def _suggested(
    study: Study, trial: Trial, suggest: Callable[[Trial], dict[str, Any]]
) -> dict[str, Any] | None:
    """A candidate; None where the user's function wants none of it."""
    from optuna.exceptions import TrialPruned
    from optuna.trial import TrialState

    try:
        return suggest(trial)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        return None


def _study(sampler: TPESampler) -> Study:
    import optuna

    with _quiet_optuna():
        return optuna.create_study(direction="maximize", sampler=sampler)


def _tell_failed(study: Study, trial: Trial) -> None:
    from optuna.trial import TrialState

    study.tell(trial, state=TrialState.FAIL)


@contextlib.contextmanager
def _quiet_optuna() -> Iterator[None]:
    from optuna import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
