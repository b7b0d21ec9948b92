"""The parameters that searchers have in common, each written once.

A searcher names one of the dictionaries below as the type of its further keywords, and
`with_settings` completes its signature, docstring and constraints.
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
    on_budget: Annotated[str, Setting("score", [StrOptions({"score", "drop"})])]
    # Checked where it is read, by `seconds_of_budget`, as is `time_budget`.
    candidate_timeout: Annotated[Any, Setting(None, "no_validation")]
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
    """Settings of searchers that could try any number of candidates, one after another."""

    stop_after: Annotated[int | None, Setting(None, [_FROM_ONE_UP, None])]


_SCORING = """
"auto" is the F1 of the rarer class for two classes (with any labels), macro F1 for more classes,
and the estimator's own score for any other target. None is the estimator's own score; other values
are as in scikit-learn. Target rows that each hold a single 1 are one-hot classes: scikit-learn's
metrics score them as the labels that they stand for, and folds are stratified by these labels.
"""

# The defaults are left out here, and added from the signature.
_PARAMETERS = """
n_jobs : int
    As in scikit-learn. Networks that train as a population need no more than the default.
refit : bool, str or callable
    As in scikit-learn.
cv : int, cross-validation generator or iterable
    As in scikit-learn, but the folds are drawn once for each `fit`. A single fold, such as that of
    ``ShuffleSplit(n_splits=1)``, is a hold-out.
verbose : int
    As in scikit-learn.
error_score : "raise" or number
    As in scikit-learn.
return_train_score : bool
    As in scikit-learn.
early_stopping : "auto", bool, int or dict
    Whether the candidates and the refitted best one stop early, by held-out rows of their own
    training fold. "auto" switches this on in each estimator of skhp or scikit-learn that has
    parameters for it, also within pipelines, unless it has too few rows, a callback of Keras that
    stops it, or ``early_stopping=False`` where True is the default. True switches it on in any
    case, and raises an error if nothing can stop early. An int also sets the patience, and a dict
    sets any parameters of the estimators that stop early
    (``{"patience": 5, "monitor": "val_f1"}``). False leaves the estimator unchanged.
prune : "halving", dict or None
    Whether to end poor candidates early, while all candidates train together. After certain numbers
    of epochs, the rungs, all candidates are ranked by the score that early stopping monitors, as
    the mean over the folds. One in `factor` goes on; the others end there and are scored, but are
    never the best. "halving" has rungs at a third of the most epochs, at a ninth and so on; a dict
    sets ``{"rungs": (10, 30), "factor": 3}``. Candidates that differ in ``loss`` or its
    parameters, ``monitor``, ``class_weight``, ``scale_target`` or ``callbacks`` are ranked
    separately. Wrapped Keras models are pruned like skhp's own networks. Fits
    that only Keras can train are not pruned, and a warning tells their number; a search in which
    all fits are of this kind is refused.
refit_epochs : "median" or None
    "median" trains the best candidate on all rows, none held out, for the median of the best epochs
    of its folds. None refits it by the same rule as the candidates.
time_budget : float, str, datetime.timedelta or None
    Seconds, or a text such as "10min", for the search; the refit of the best candidate comes after
    them. Networks that train together end between two epochs, so that the search ends within 2
    seconds or a tenth of its budget, unless a single epoch or the compilation of a program takes
    longer; the logger ``skhp`` then warns. Networks that Keras trains one by one, and estimators of
    other libraries, end only between two fits. One candidate is always evaluated.
on_budget : {"score", "drop"}
    What becomes of the candidates in training when the time budget runs out. "score" scores them as
    they are then, as if they were pruned there: they are never the best unless no candidate was
    trained to its end. "drop" leaves them out of ``cv_results_``, as it leaves out candidates that
    have not begun. With a `journal`, the next run of the search trains them further.
candidate_timeout : float, str, datetime.timedelta or None
    The time that a fit of a candidate may take for its preparation (build function, earlier steps
    of a pipeline), and again for its training: its share of the time of the networks that train
    together, as in ``mean_fit_time``, without compilation. A fit that takes longer gets
    `error_score`, with a `FitFailedWarning` that names the timeout, and the others go on; with
    ``error_score="raise"`` it is a `TimeoutError`. A function that hangs cannot be ended: it stays
    behind in a thread of its own, until the process ends. Fits that cannot join a population have
    this time for their whole run.
on_interrupt : {"raise", "partial"}
    Whether Ctrl-C ends `fit` by an exception, or ends the search with the candidates that are
    finished.
journal : str, path or None
    An SQLite file, created if it is missing, that keeps the result of each candidate on each fold
    as soon as it is scored. The same search, started again, goes on from there, whatever ended it;
    a search with other data, folds, estimator or scoring is refused. Your own functions and classes
    are compared by their code and by all that it reads when the search begins: globals, functions,
    modules beside the program, and environment variables that it names. Installed packages are
    compared by their versions; the content of files that code reads is not compared. ``FILE-wal``
    and ``FILE-shm`` belong to the file while it is in use, and remain beside it if the process is
    killed: move or delete all three together. While a second run of the same search waits for the
    first, or for the end of its `time_budget`, the logger ``skhp`` says so; then it takes the
    results, or goes on where the first was killed. ``FILE-lock`` makes it wait. If the file cannot
    be made or written, for lack of room or permission, a ``JournalWarning`` says so and the search
    goes on without it. ``skhp journal FILE`` shows its content, and pandas can read it.
population : bool
    Whether to train together the networks of all candidates and folds that can join, as within
    :func:`skhp.population`. A joblib backend of another library is left in place.
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
    As in scikit-learn. If the fits report them, also ``mean_n_iter``, ``mean_best_epoch``,
    ``stop_reason`` (the most frequent one of the folds) and ``mean_stopping_gap``: by how much the
    score that early stopping monitored, if it monitored one, exceeds the score of the test fold.
    With `prune`, or if the time budget ended trainings, also ``pruned_at_epoch``: the epoch at
    which a candidate was ended, NaN for the others. ``stop_reason`` is then "pruned" or
    "time_budget".
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
    Why the search ended. Only a search with `time_budget`, `stop_after` or
    ``on_interrupt="partial"`` has this attribute.
population_report_ : PopulationReport
    How many fits of skhp's networks were trained together (`n_together`), how many Keras trained
    one by one (`by_keras`, a dict from each reason to its number of fits), and how many skhp
    trained alone because the training of their cohort failed (`alone`, a dict from each error to
    its number of fits). If fewer than half were trained together, the logger ``skhp`` warns. Fits
    whose results the journal knew are not counted, and a search without a counted fit does not have
    this attribute.
"""


def with_settings(
    *, ordered_as: type | None = None, **defaults: Any
) -> Callable[[Searcher], Searcher]:
    """A decorator that completes the constructor and the docstring of a searcher.

    The class has a constructor with its own parameters and ``**settings: Unpack[...]``, and without
    a body: each argument becomes an attribute, as scikit-learn asks of constructors. A setting that
    the class documents itself keeps that text. The parameters of `ordered_as` come first, in its
    order; `defaults` replace the defaults of the settings.
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
