"""Searches that learn from scores: a sampler is asked for candidates, and told their scores."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Protocol, Unpack

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from skhp.compat.scikit_learn import Interval
from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.searcher import SearchAdditions
from skhp.search.settings import SequentialSettings, with_settings

__all__ = ["SampledSearchCV", "Sampler"]

# scikit-learn documents how to extend the base of its searchers, but exports it under no public
# name.
BaseSearchCV: Any = GridSearchCV.__base__


class Sampler(Protocol):
    """A strategy that chooses candidates by the scores of earlier ones."""

    def ask(self, n: int) -> Sequence[Mapping[str, Any]] | None:
        """The candidates of the next `n` trials, each a dict for ``set_params``.

        There may be fewer than `n`, if some trials give no candidate; None ends the search.
        """

    def tell(self, scores: np.ndarray, worst: float) -> None:
        """Take the scores of the candidates that were asked last, in their order.

        Parameters
        ----------
        scores : ndarray of shape (n_candidates,)
            The mean score of each candidate over the folds, where greater is better; NaN if the
            candidate failed.
        worst : float
            The lowest score so far, including these; NaN if no candidate has a score.
        """


class _SamplingLoop(BaseSearchCV):
    """The loop of the search, without what skhp's searchers have in common."""

    def _run_search(self, evaluate_candidates: Any) -> None:
        if isinstance(self.scoring, list | tuple | set | dict) and not isinstance(self.refit, str):
            raise _unnamed_metric(self.refit, list(self.scoring))
        failure: ValueError | None = None
        n_trials = n_asked = n_finished = 0
        for sampler, n_iter in self._samplers():
            worst = np.nan
            for start in range(0, n_iter, self.n_points):
                n_points = min(self.n_points, n_iter - start)
                candidates = sampler.ask(n_points)
                if candidates is None:
                    break
                n_trials, n_asked = n_trials + n_points, n_asked + len(candidates)
                if not candidates:
                    continue
                scores = np.full(len(candidates), np.nan)
                try:
                    results = evaluate_candidates(candidates)
                except ValueError as error:
                    # scikit-learn has no exception type for a batch in which all fits failed.
                    if self.error_score == "raise" or "fits failed" not in str(error):
                        raise
                    failure = error
                    warnings.warn(str(error), FitFailedWarning, stacklevel=2)
                else:
                    n_finished += len(candidates)
                    scores[:] = _searched_score(results, self.refit)[-len(candidates) :]
                    scores[~np.isfinite(scores)] = np.nan
                worst = np.fmin.reduce(scores, initial=worst)
                sampler.tell(scores, float(worst))
        if not n_asked:
            source = f"The sampler of {type(self).__name__} gave no candidate"
            if callable(self.search_spaces):
                source = "The function given as search_spaces raised TrialPruned"
            raise InvalidParameterError(
                f"{source} in each of {n_trials} trials, so there is nothing to score: let it "
                "suggest other values."
            )
        if failure is not None and not n_finished:
            raise failure


@with_settings()
class SampledSearchCV(SearchAdditions, _SamplingLoop):
    """Base of the searches that learn from scores; a subclass gives the samplers by `_samplers`.

    Parameters
    ----------
    estimator : estimator
    search_spaces : dict or list of dict
        Maps names of parameters to lists of values, bounds such as
        ``(1e-5, 1e-1, "log-uniform")``, distributions of ``scipy.stats`` or
        ``optuna.distributions``, or dimensions of ``skopt.space``.
    n_iter : int, default=50
        The number of all candidates.
    n_points : int, default=8
        The number of candidates that are asked for and trained at a time.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn, but a batch in which all fits failed does not end the search.

    Attributes
    ----------
    {attributes}
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "search_spaces": [dict, list],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "n_points": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        search_spaces: Any,
        n_iter: int = 50,
        *,
        n_points: int = 8,
        random_state: Any = None,
        **settings: Unpack[SequentialSettings],
    ) -> None: ...

    @abstractmethod
    def _samplers(self) -> Iterable[tuple[Sampler, int]]:
        """New samplers, which are asked one after another, each with its number of trials."""

    def _translations(self, y: Any) -> dict[str, Any]:
        if not callable(self.search_spaces):
            refuse_unknown_names(self.estimator, self.search_spaces)
        return super()._translations(y)


def _searched_score(results: Mapping[str, Any], refit: Any) -> Any:
    """Mean test scores of the metric that is searched by."""
    if "mean_test_score" in results:
        return results["mean_test_score"]
    name = f"mean_test_{refit}"
    if name not in results:
        metrics = [
            key.removeprefix("mean_test_") for key in results if key.startswith("mean_test_")
        ]
        raise _unnamed_metric(refit, metrics)
    return results[name]


def _unnamed_metric(refit: Any, metrics: list[str]) -> InvalidParameterError:
    """The error for a search with several metrics whose `refit` does not name one of them."""
    return InvalidParameterError(
        f"With several metrics, refit={refit!r} must be the name of the one to search by: one of "
        f"{metrics}."
    )
