"""A search whose candidates come from scikit-optimize's model of the scores so far."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, Unpack

import numpy as np
import skopt
from scipy.optimize import OptimizeResult
from sklearn.utils import check_random_state
from skopt.space import Categorical, Dimension

from skhp.compat.scikit_optimize import (
    ASKED_AGAIN,
    boosted_surrogate,
    eval_callbacks,
    forget_asked_points,
)
from skhp.search.sampler import SampledSearchCV, Sampler
from skhp.search.settings import SequentialSettings, with_settings
from skhp.search.space.bayesian_space import SkoptSpace, for_bayes


@with_settings(ordered_as=skopt.BayesSearchCV, n_jobs=1)
class BayesSearchCV(SampledSearchCV, skopt.BayesSearchCV):
    """scikit-optimize's BayesSearchCV for rare classes, joint training and early stopping.

    A candidate that fails does not end the search, and the folds are the same in each iteration.

    Parameters
    ----------
    estimator : estimator
    search_spaces : dict or list of dict
        Maps names of parameters to lists of values, bounds such as
        ``(1e-5, 1e-1, "log-uniform")``, distributions of ``scipy.stats`` or
        ``optuna.distributions``, or dimensions of ``skopt.space``. The dicts of a list are searched
        one after another; a pair ``(dict, n_iter)`` gives the dict its own number of candidates.
    optimizer_kwargs : dict or None, default=None
        Parameters of ``skopt.Optimizer``. Its ``base_estimator`` is the model of the scores: "GP"
        by default, "RF", "ET" or "GBRT".
    n_iter : int, default=50
        The number of candidates for each search space.
    fit_params : dict or None, default=None
        Parameters for each `fit` of the search. The ``**params`` of the search's own `fit` override
        them.
    n_points : int, default=8
        The number of candidates that are asked for and trained at a time; they are chosen so that
        they differ from each other.
    iid : object, default="deprecated"
        As in scikit-optimize.
    refit : bool or str, default=True
        As in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn, but a batch in which all fits failed does not end the search.

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
    _callbacks: list[Any]

    _parameter_constraints: ClassVar[dict[str, Any]] = {"optimizer_kwargs": [dict, None]}

    def __init__(
        self,
        estimator: Any,
        search_spaces: Any,
        optimizer_kwargs: dict[str, Any] | None = None,
        n_iter: int = 50,
        *,
        fit_params: dict[str, Any] | None = None,
        n_points: int = 8,
        iid: Any = "deprecated",
        random_state: Any = None,
        **settings: Unpack[SequentialSettings],
    ) -> None: ...

    def _translations(self, y: Any) -> dict[str, Any]:
        return super()._translations(y) | {"search_spaces": for_bayes(self.search_spaces)}

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate on all rows; see `SearchAdditions.fit`."""
        # scikit-optimize 0.10.2 keeps `fit_params` and never uses them.
        return super().fit(X, y, **{**(self.fit_params or {}), **params})

    def _get_routed_params_for_fit(self, params: dict[str, Any]) -> Any:
        # scikit-optimize 0.10.2 passes groups=None if no groups are given, and scikit-learn refuses
        # this if metadata is routed.
        given = {name: value for name, value in params.items() if value is not None}
        return super()._get_routed_params_for_fit(given)

    def _samplers(self) -> Iterator[tuple[Sampler, int]]:
        self.optimizer_kwargs_["random_state"] = check_random_state(self.random_state)
        spaces = [
            one if isinstance(one, tuple) else (one, self.n_iter) for one in self.search_spaces
        ]
        samplers = [
            SurrogateSampler(space, self.optimizer_kwargs_, self._callbacks) for space, _ in spaces
        ]
        self.optimizers_ = [sampler.optimizer for sampler in samplers]
        self._optim_results: list[OptimizeResult] = []
        for sampler, (_, n_iter) in zip(samplers, spaces, strict=True):
            try:
                yield sampler, n_iter
            finally:
                self._optim_results.append(sampler.result)


class SurrogateSampler:
    """Asks scikit-optimize's model of the scores; a callback that returns True ends the search."""

    def __init__(
        self, space: SkoptSpace, options: Mapping[str, Any], callbacks: Sequence[Any] = ()
    ) -> None:
        if str(options.get("base_estimator")).upper() == "GBRT":
            options = {**options, "base_estimator": boosted_surrogate()}
        self._names = sorted(space)
        self.optimizer = skopt.Optimizer([space[name] for name in self._names], **options)
        for name, dimension in zip(self._names, self.optimizer.space.dimensions, strict=True):
            dimension.name = name if dimension.name is None else dimension.name
        self.result = OptimizeResult(x=None, fun=np.nan, x_iters=[], func_vals=[])
        self._dimensions = [space[name] for name in self._names]
        self._callbacks = callbacks
        self._points: Sequence[Any] = ()
        self._ended = False

    def ask(self, n: int) -> list[dict[str, Any]] | None:
        """The points at which the model expects good scores."""
        if self._ended:
            return None
        with warnings.catch_warnings():
            # In a small space, the model asks for some points again; they are not trained again.
            warnings.filterwarnings("ignore", message=ASKED_AGAIN)
            self._points = self.optimizer.ask(n_points=n)
        return [
            dict(zip(self._names, map(_as_python_number, point, self._dimensions), strict=True))
            for point in self._points
        ]

    def tell(self, scores: np.ndarray, worst: float) -> None:
        """Tell the model the scores; a failed candidate counts as the worst of all."""
        if np.isnan(worst):
            # Until the optimizer is told a score, it would ask for the same points again.
            forget_asked_points(self.optimizer)
        else:
            losses = -np.where(np.isnan(scores), worst, scores)
            self.result = self.optimizer.tell(self._points, losses.tolist())
        self._ended = bool(eval_callbacks(self._callbacks, self.result))


def _as_python_number(value: Any, dimension: Dimension) -> Any:
    """A number from a range as a Python number, as in scikit-optimize; a choice unchanged."""
    is_choice = isinstance(dimension, Categorical)
    return value.item() if isinstance(value, np.generic) and not is_choice else value
