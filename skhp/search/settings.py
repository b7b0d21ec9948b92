"""The parameters that searchers have in common, each written once.

A searcher names one of the dictionaries below as the type of its further keywords, and
`with_settings` makes its signature, docstring and constraints whole.
"""

from __future__ import annotations

import functools
import inspect
import os
import textwrap
from collections.abc import Callable
from inspect import Parameter
from numbers import Integral
from typing import Annotated, Any, NamedTuple, TypedDict, TypeVar, get_args, get_type_hints

import numpy as np
from sklearn.metrics import get_scorer_names

from skhp.compat.scikit_learn import Interval, StrOptions, constrain
from skhp.shared.documented_parameters import completed_docstring
from skhp.shared.nearest_name import nearest_name

Searcher = TypeVar("Searcher", bound=type)

_SCORERS = StrOptions({"auto", *get_scorer_names()})
_FROM_ONE_UP = Interval(Integral, 1, None, closed="left")


class Setting(NamedTuple):
    """The default of a setting, and its constraints; None stands for those of scikit-learn."""

    default: Any
    allowed: Any = None


class CommonSettings(TypedDict, total=False):
    """Settings of every searcher."""

    n_jobs: Annotated[int | None, Setting(None)]
    refit: Annotated[Any, Setting(True)]
    cv: Annotated[Any, Setting(None)]
    verbose: Annotated[int, Setting(0)]
    error_score: Annotated[Any, Setting(np.nan)]
    return_train_score: Annotated[bool, Setting(False)]
    early_stopping: Annotated[
        Any, Setting("auto", ["boolean", dict, StrOptions({"auto"}), _FROM_ONE_UP])
    ]
    # Its items are checked where it is read, by `pruning_of`.
    prune: Annotated[Any, Setting(None, [StrOptions({"halving"}), dict, None])]
    refit_epochs: Annotated[str | None, Setting(None, [StrOptions({"median"}), None])]
    # `time_budget` is checked where it is read, by `seconds_of_budget`.
    time_budget: Annotated[Any, Setting(None, "no_validation")]
    on_interrupt: Annotated[str, Setting("raise", [StrOptions({"raise", "partial"})])]
    journal: Annotated[Any, Setting(None, [str, os.PathLike, None])]
    population: Annotated[bool, Setting(True, ["boolean"])]


class HalvingSettings(CommonSettings, total=False):
    """Settings of searchers that halve their candidates."""

    scoring: Annotated[Any, Setting("auto", [_SCORERS, callable, None])]


class SearchSettings(CommonSettings, total=False):
    """Settings of searchers that score each candidate once."""

    scoring: Annotated[Any, Setting("auto", [_SCORERS, callable, list, tuple, dict, None])]
    pre_dispatch: Annotated[Any, Setting("2*n_jobs")]


class SequentialSettings(SearchSettings, total=False):
    """Settings of searchers that take candidates one after another, and could go on for ever."""

    stop_after: Annotated[int | None, Setting(None, [_FROM_ONE_UP, None])]


_SCORING = """
"auto" is the F1 of the rarest class for two classes, whatever their labels, macro F1 for more, and
the estimator's own score for everything else. Anything else is as in scikit-learn; None is the
estimator's own score. Rows that each hold a single 1 are classes: metrics of scikit-learn score
them as the labels that they stand for, and folds are stratified by these.
"""

# Each with its default left out, which is that of the signature.
_PARAMETERS = """
n_jobs : int
    As in scikit-learn. Networks that train as a population need no more than the default.
refit : bool, str or callable
    As in scikit-learn.
cv : int, cross-validation generator or iterable
    As in scikit-learn; the folds are drawn once for a `fit`. One fold, as of
    ``ShuffleSplit(n_splits=1)``, is a hold-out.
verbose : int
    As in scikit-learn.
error_score : "raise" or number
    As in scikit-learn.
return_train_score : bool
    As in scikit-learn.
early_stopping : "auto", bool, int or dict
    Have the candidates, and the best one that is refitted, stop early by rows of their own
    training fold. "auto" does so for every estimator that has such parameters, skhp's and
    scikit-learn's own, also within pipelines, if it has rows enough and no callback of Keras to
    stop by; True demands it; an int is the patience; a dict sets those parameters
    (``{"patience": 5, "monitor": "val_f1"}``); False leaves the estimator as it is.
prune : "halving", dict or None
    End candidates on the way, while all of them train together: after some numbers of epochs, the
    rungs, all candidates wait for one another and are ranked by the score that early stopping
    watches, in the mean over the folds; one in `factor` goes on from where it is, and the others
    end there, and are scored, but are never the best. "halving" has its rungs at a third of the
    most epochs, at a ninth and so on; a dict sets ``{"rungs": (10, 30), "factor": 3}``.
    Candidates that differ in ``loss``, ``monitor``, ``class_weight``, ``scale_target`` or
    ``callbacks`` are ranked apart.
refit_epochs : "median" or None
    "median" trains the best candidate on all rows, without holding some out to stop by, for the
    median best epoch of its folds; None by the same rule as the candidates.
time_budget : float, str, datetime.timedelta or None
    Seconds, or a text such as "10min": the candidates that are finished by then count; at least
    one round of candidates is always finished.
on_interrupt : {"raise", "partial"}
    What Ctrl-C does: end `fit` by the exception, or end the search with the candidates that are
    finished.
journal : str, path or None
    An SQLite file, made if it is missing, into which each candidate goes on each fold as soon as
    it is scored. The same search again goes on from there, after whatever ended it; a search on
    other data, folds, or with another estimator or scoring is refused. Functions and classes of
    your own count with all that their code reads, as it is when the search begins: globals,
    helpers, modules beside the program; installed packages count by their versions; files and
    environment variables that code reads do not count. ``FILE-wal`` and ``FILE-shm`` belong to
    the file while it is in use, and stay beside it after a kill: move or delete all three
    together. ``skhp journal FILE`` shows what is in it, and pandas can read it.
population : bool
    Train the networks of all candidates and folds together where they can join, as under
    :func:`skhp.population`. A joblib backend that is not joblib's own is left in place.
scoring : "auto", str, callable, list, tuple, dict or None
    {scoring}
    With several metrics, `refit` names the one to search by.
pre_dispatch : int or str
    As in scikit-learn.
stop_after : int or None
    End the search after this number of candidates without a better mean score.
"""

_ATTRIBUTES = """
cv_results_ : dict of numpy arrays
    As in scikit-learn, and, where the fits tell, ``mean_n_iter``, ``mean_best_epoch``,
    ``stop_reason`` (the most frequent of the folds) and ``mean_stopping_gap``: by how much the
    score that early stopping watched, where it watched one, exceeds the score of the test fold.
    With `prune`, ``pruned_at_epoch``, NaN for candidates that were not.
best_estimator_ : estimator
best_score_ : float
best_params_ : dict
best_index_ : int
scorer_ : callable or dict
    The scorer, or a dict of scorers.
n_splits_ : int
refit_time_ : float
multimetric_ : bool
search_stop_reason_ : {"completed", "time_budget", "no_improvement", "interrupted"}
    Why the search ended, where it had a limit: `time_budget`, `stop_after` or
    ``on_interrupt="partial"``.
population_report_ : PopulationReport
    How many fits of skhp's networks were trained together (`n_together`), how many Keras trained
    one by one (`by_keras`, a dict from each reason to its number of fits), and how many skhp
    trained alone, as the training of their cohort failed (`alone`, a dict from each error). Where
    fewer than half were trained together, the logger ``skhp`` warns of it. Fits that the journal
    answered are not counted, and a search in which no fit was counted does not have the attribute.
"""


def with_settings(
    *, ordered_as: type | None = None, **defaults: Any
) -> Callable[[Searcher], Searcher]:
    """A decorator that completes the constructor and the docstring of a searcher.

    The class writes a constructor with its own parameters and ``**settings: Unpack[...]``, whose
    body does nothing: each argument becomes an attribute, as scikit-learn asks of constructors. A
    setting that the class documents itself keeps that text. Parameters of `ordered_as` come first,
    in its order; `defaults` replace those of the settings.
    """

    def completed(searcher: Searcher) -> Searcher:
        written = searcher.__init__  # type: ignore[misc]
        (group,) = get_args(get_type_hints(written)["settings"])
        settings: dict[str, Setting] = {
            name: hint.__metadata__[0]
            for name, hint in get_type_hints(group, include_extras=True).items()
        }
        signature = _signature(written, settings, defaults, ordered_as)

        @functools.wraps(written)
        def constructor(self: Any, *arguments: Any, **keywords: Any) -> None:
            for name in keywords.keys() - signature.parameters.keys():
                raise TypeError(
                    f"{type(self).__name__} has no parameter {name!r}."
                    f"{nearest_name(name, [*signature.parameters])}"
                )
            given = signature.bind(self, *arguments, **keywords)
            given.apply_defaults()
            vars(self).update({name: given.arguments[name] for name in [*given.arguments][1:]})

        constructor.__signature__ = signature  # type: ignore[attr-defined]
        searcher.__init__ = constructor  # type: ignore[misc]
        constrain(
            searcher,
            {name: one.allowed for name, one in settings.items() if one.allowed is not None},
        )
        # Python started by -OO has no docstrings.
        if searcher.__doc__ is not None:
            docstring = completed_docstring(searcher.__doc__, signature, _PARAMETERS)
            scoring = textwrap.indent(_SCORING.strip(), "    ")
            searcher.__doc__ = docstring.replace("    {scoring}", scoring).replace(
                "{attributes}", _ATTRIBUTES.strip()
            )
        return searcher

    return completed


def _signature(
    written: Callable[..., None],
    settings: dict[str, Setting],
    defaults: dict[str, Any],
    ordered_as: type | None,
) -> inspect.Signature:
    signature = inspect.signature(written)
    first = {} if ordered_as is None else inspect.signature(ordered_as).parameters
    _, *own, _ = signature.parameters.values()
    parameters = own + [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name, setting.default))
        for name, setting in settings.items()
    ]
    parameters = [
        parameter.replace(kind=first[parameter.name].kind) if parameter.name in first else parameter
        for parameter in parameters
    ]
    order = [*first]
    parameters.sort(
        key=lambda one: (one.kind, order.index(one.name) if one.name in first else len(order))
    )
    return signature.replace(parameters=[signature.parameters["self"], *parameters])
