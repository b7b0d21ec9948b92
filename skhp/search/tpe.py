"""Candidates asked from a tree-structured Parzen estimator."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np
from sklearn.utils import check_random_state

from skhp.search.checks.search_input import is_finite
from skhp.search.defined_by_run import defined_by_run
from skhp.search.sampler import SampledSearchCV, Sampler
from skhp.search.settings import SequentialSettings, with_settings
from skhp.search.space.layer_sizes import LayerSizes
from skhp.search.space.spaces import for_tpe, understood

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["TPESearchCV"]


@with_settings()
class TPESearchCV(SampledSearchCV):
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
    n_points : int, default=8
        Candidates that are asked for and trained at a time; those of a batch keep apart.
    random_state : int, RandomState instance or None, default=None
        Decides the candidates, unless `sampler_kwargs` has a ``seed``.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn, but a batch in which all fits failed does not end the search.

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
        "search_spaces": [dict, list, callable],
        "sampler_kwargs": [dict, None],
    }

    def __init__(
        self,
        estimator: Any,
        search_spaces: Any,
        sampler_kwargs: Mapping[str, Any] | None = None,
        n_iter: int = 50,
        *,
        n_points: int = 8,
        random_state: Any = None,
        **settings: Unpack[SequentialSettings],
    ) -> None: ...

    def _samplers(self) -> list[tuple[Sampler, int]]:
        suggest = (
            defined_by_run(
                self.search_spaces, self.estimator, checks_values=not is_finite(self.error_score)
            )
            if callable(self.search_spaces)
            else for_tpe(self.search_spaces)
        )
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
        sampler = ParzenSampler(suggest, options)
        self.study_ = sampler.study
        return [(sampler, self.n_iter)]


class ParzenSampler:
    """Asks Optuna's tree-structured Parzen estimator.

    Parameters
    ----------
    suggest : callable
        From a trial of Optuna to a candidate; may raise ``optuna.TrialPruned``.
    options : mapping
        Parameters of ``optuna.samplers.TPESampler``.
    """

    def __init__(
        self, suggest: Callable[[Trial], dict[str, Any]], options: Mapping[str, Any]
    ) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ImportError(
                "TPESearchCV needs Optuna, which is not installed. Install it by "
                "pip install optuna."
            ) from error
        self._suggest = suggest
        self._optuna = optuna
        self._asked: list[Trial] = []
        with warnings.catch_warnings(), _quiet(optuna.logging):
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study = optuna.create_study(
                direction="maximize", sampler=optuna.samplers.TPESampler(**options)
            )

    def ask(self, n: int) -> list[dict[str, Any]]:
        """What trials of the study suggest; nothing for those that the user's function prunes."""
        self._asked, candidates = [], []
        # All of them, before the first suggests anything.
        for trial in [self.study.ask() for _ in range(n)]:
            try:
                candidates.append(self._suggest(trial))
                self._asked.append(trial)
            except self._optuna.TrialPruned:
                self.study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
        return candidates

    def tell(self, scores: np.ndarray, worst: float) -> None:
        """What failed is told to have failed: nothing is learnt of it."""
        for trial, score in zip(self._asked, scores.tolist(), strict=True):
            if np.isnan(score):
                self.study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            else:
                self.study.tell(trial, score)


def _is_conditional(space: Any) -> bool:
    """Whether some parameters are suggested beside some values of others only."""
    if callable(space):
        return True
    alternatives = understood(space)
    return len(alternatives) > 1 or any(
        isinstance(dimension, LayerSizes) for dimension in alternatives[0].values()
    )


@contextlib.contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
