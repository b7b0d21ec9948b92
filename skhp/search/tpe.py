"""A search that asks Optuna's tree-structured Parzen estimator for candidates."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np
from sklearn.utils import check_random_state

from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import (
    refuse_bad_combinations,
    refuse_bad_values,
    refuse_unknown_names,
)
from skhp.search.checks.search_input import is_finite
from skhp.search.sampler import SampledSearchCV, Sampler
from skhp.search.settings import SequentialSettings, with_settings
from skhp.search.space.dimensions import (
    HIGHEST_QUANTILE,
    LOWEST_QUANTILE,
    Choices,
    Distribution,
    Range,
)
from skhp.search.space.foreign_spaces import SteppedNumbers
from skhp.search.space.layer_sizes import LayerSizes
from skhp.search.space.space_reading import (
    Dimension,
    SearchSpace,
    refuse_without_quantiles,
    understood,
    without_counts,
)
from skhp.shared.equality import equal

if TYPE_CHECKING:
    from optuna.trial import Trial


def defined_by_run(
    space: Callable[[Trial], Any], estimator: Any, *, checks_values: bool
) -> Callable[[Trial], dict[str, Any]]:
    """A function that gets a candidate for a trial from the user's function, and checks it.

    With `checks_values`, it also checks the values; an unknown name always ends the search.
    """

    def suggest(trial: Trial) -> dict[str, Any]:
        suggested = space(trial)
        if not isinstance(suggested, Mapping):
            raise InvalidParameterError(
                f"The function given as search_spaces returned {suggested!r} for a trial. It must "
                "return a dict from names of parameters to values, such as "
                "{'neurons': trial.suggest_int('neurons', 2, 64)}."
            )
        if suggested:
            refuse_unknown_names(estimator, {name: [value] for name, value in suggested.items()})
            alternative = [(name, [value], Choices((value,))) for name, value in suggested.items()]
            if checks_values:
                refuse_bad_values(estimator, [alternative])
                refuse_bad_combinations(estimator, [alternative])
        return dict(suggested)

    return suggest


@with_settings()
class TPESearchCV(SampledSearchCV):
    """Search by Optuna's tree-structured Parzen estimator, several candidates at a time.

    Needs Optuna: ``pip install optuna``.

    Parameters
    ----------
    estimator : estimator
    search_spaces : dict, list of dict or callable
        Maps names of parameters to lists of values, bounds such as
        ``(1e-5, 1e-1, "log-uniform")``, distributions of ``scipy.stats`` or
        ``optuna.distributions``, or dimensions of ``skopt.space``. The dicts of a list are
        alternatives: each candidate comes from one of them.

        A function takes a trial and returns the parameters of a candidate, for example
        ``lambda trial: {"neurons": trial.suggest_int("neurons", 2, 64)}``. It may suggest some
        parameters only for certain values of others; a parameter that a candidate does not have is
        masked in `cv_results_`. A trial in which it raises ``optuna.TrialPruned`` gives no
        candidate, but counts in `n_iter`. A journal refuses a search with another function.
    sampler_kwargs : dict or None, default=None
        Parameters of ``optuna.samplers.TPESampler``.
    n_iter : int, default=50
        The number of trials.
    n_points : int, default=8
        The number of candidates that are asked for and trained at a time; they are chosen so that
        they differ from each other.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates, unless `sampler_kwargs` has a ``seed``.
    error_score : "raise" or number, default=np.nan
        As in scikit-learn, but a batch in which all fits failed does not end the search.

    Attributes
    ----------
    study_ : optuna.study.Study
        The study, with a trial for each candidate, even if all fits of its batch failed and it is
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
            # Trials without a score yet count as bad, so that the trials of a batch are not alike.
            "constant_liar": True,
            # With this, the sampler models the parameters of an alternative jointly.
            "group": _is_conditional(self.search_spaces) and given.get("multivariate", True),
            **given,
        }
        sampler = ParzenSampler(suggest, options)
        self.study_ = sampler.study
        return [(sampler, self.n_iter)]


class ParzenSampler:
    """Asks Optuna's tree-structured Parzen estimator; `suggest` makes candidates of its trials."""

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
        """The candidates of new trials, without trials that the user's function prunes."""
        self._asked, candidates = [], []
        # All trials are asked for before the first one suggests a value.
        for trial in [self.study.ask() for _ in range(n)]:
            try:
                candidates.append(self._suggest(trial))
                self._asked.append(trial)
            except self._optuna.TrialPruned:
                self.study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
        return candidates

    def tell(self, scores: np.ndarray, worst: float) -> None:
        """Tell the study the scores; it learns nothing from a candidate that failed."""
        for trial, score in zip(self._asked, scores.tolist(), strict=True):
            if np.isnan(score):
                self.study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            else:
                self.study.tell(trial, score)


def _is_conditional(space: Any) -> bool:
    """Whether some parameters are suggested only for certain values of others."""
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


SUB_SPACE = "sub-space"


def for_tpe(space: SearchSpace) -> Callable[[Trial], dict[str, Any]]:
    """A function that lets a trial of Optuna suggest parameters.

    The trial first chooses one of several alternatives, and then its parameters. A parameter that
    is equal in all alternatives has one name, so that Optuna learns about it from all of them. Any
    other has a separate name in each alternative, where it may mean something else. A parameter
    with a single value is not suggested.
    """
    without_counts(space)
    alternatives = understood(space)
    for known in alternatives:
        for name, dimension in known.items():
            refuse_without_quantiles(name, dimension)
    shared = {
        name
        for name, dimension in alternatives[0].items()
        if all(equal(dimension, known.get(name)) for known in alternatives)
    }

    def suggest(trial: Trial) -> dict[str, Any]:
        chosen = 0
        if len(alternatives) > 1:
            chosen = trial.suggest_categorical(SUB_SPACE, range(len(alternatives)))
        return {
            name: _suggestion(
                trial, name if name in shared else f"{SUB_SPACE} {chosen}: {name}", dimension
            )
            for name, dimension in alternatives[chosen].items()
        }

    return suggest


def _suggestion(trial: Trial, name: str, dimension: Dimension) -> Any:
    if isinstance(dimension, LayerSizes):
        return dimension.suggested(trial, name)
    if isinstance(dimension, Range):
        if dimension.integer:
            return trial.suggest_int(
                name, int(dimension.low), int(dimension.high), log=dimension.log
            )
        return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, Choices) and len(dimension.values) == 1:
        return dimension.values[0]
    if isinstance(dimension, Choices) and dimension.weights is None:
        # Optuna takes values of few types, so it chooses a position in the list.
        place = trial.suggest_categorical(name, range(len(dimension.values)))
        return dimension.values[place]
    stepped = dimension.frozen if isinstance(dimension, Distribution) else None
    if isinstance(stepped, SteppedNumbers):
        low, high, step = stepped.low, stepped.high, stepped.step
        if stepped.is_whole:
            return trial.suggest_int(name, int(low), int(high), step=int(step))
        return trial.suggest_float(name, low, high, step=step)
    # Optuna has no priors, so it suggests a quantile of the distribution.
    if isinstance(dimension, Distribution):
        quantile = trial.suggest_float(name, LOWEST_QUANTILE, HIGHEST_QUANTILE)
    else:
        quantile = trial.suggest_float(name, 0.0, 1.0)
    return dimension.at_quantile(quantile)
