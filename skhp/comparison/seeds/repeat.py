"""The function `repeat`, which trains one estimator with many seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedShuffleSplit,
    check_cv,
)
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import type_of_target

from skhp.comparison.metric_scorers import lower_is_better
from skhp.comparison.outer_fits import FurtherArguments, OuterFit, score_fits, seed_names
from skhp.comparison.outer_splits import OuterSplit
from skhp.comparison.seeds.outcomes import (
    SeedScorer,
    score_frame,
    tell_of_errors,
    training_frame,
)
from skhp.comparison.seeds.repeats import Repeats
from skhp.compat.scikit_learn import Interval, StrOptions, validate_parameter_constraints
from skhp.exceptions import SettingsError
from skhp.search.checks.folds import FixedFolds
from skhp.search.checks.search_input import refuse_unusable_columns
from skhp.search.scores import default_scoring, scoring_of_classes
from skhp.shared.class_targets import class_labels, one_hot_labels
from skhp.shared.pipelines import last_step
from skhp.shared.terminal import TrainingCount, bar_of_fits
from skhp.shared.unusable_data import refuse_several_inputs, refuse_unclear_labels

_LARGEST_SEED = 2**32 - 1
_TEST_SIZE = 0.25

_CONSTRAINTS: dict[str, Any] = {
    "n": [Interval(Integral, 1, None, closed="left")],
    "cv": ["cv_object"],
    "scoring": [StrOptions({"auto", *get_scorer_names()}), callable, list, tuple, set, dict, None],
    "params": [dict, None],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "error_score": [StrOptions({"raise"}), Real],
    "return_estimator": ["boolean"],
    "verbose": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
}


def repeat(
    estimator: Any,
    X: Any,
    y: Any = None,
    n: int = 30,
    *,
    cv: Any = None,
    groups: Any = None,
    scoring: Any = "auto",
    params: Mapping[str, Any] | None = None,
    random_state: Any = 0,
    n_jobs: int | None = None,
    error_score: Any = nan,
    return_estimator: bool = False,
    verbose: int | Literal["auto"] = "auto",
) -> Repeats:
    """Train an estimator with many seeds on the same rows, to see what the seed alone changes.

    All seeds have the same splits, so that their scores differ by the seed and by nothing else. The
    networks of all seeds and splits train together as one population, large tables in several
    turns. Each training ends as `fit` of a clone with this seed would end.

    Parameters
    ----------
    estimator : estimator
        An estimator with a parameter `random_state`, of its own or nested: a network, a pipeline, a
        searcher, a wrapped Keras model. It is not changed. Each parameter `random_state`, nested
        ones included, is set to the seed itself, so that a single training can be repeated by
        ``clone(estimator).set_params(random_state=seed).fit(...)``.
    X : array-like of shape (n_samples, ...)
        The inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        The target.
    n : int, default=30
        Number of seeds.
    cv : int, cross-validation generator or iterable, default=None
        The splits, drawn once for all seeds. None holds out a quarter of the rows, drawn by the
        first seed: stratified for classifiers, or whole groups if `groups` are given. Other
        values are as in scikit-learn's `cross_validate`; each seed is trained and scored on each
        split.
    groups : array-like of shape (n_samples,), default=None
        The group of each row, for splitters such as ``GroupKFold``.
    scoring : "auto", str, callable, list, tuple, set, dict or None, default="auto"
        As in `cross_validate`. "auto" scores as skhp's searchers do: by the F1 of the rarer class
        for two classes (with any labels), by macro F1 for more classes, and by the estimator's own
        score for any other target. A metric that is given by name keeps its name in the result; any
        other single metric is called "score".
    params : dict, default=None
        As in `cross_validate`: arguments of `fit`, such as ``{"sample_weight": weights}``.
        Arguments with a value for each row are cut with the rows. With scikit-learn's metadata
        routing, also arguments of the scorer and of the splitter.
    random_state : int, RandomState instance or None, default=0
        An int is the first seed, and the others are the numbers after it: for 30 other seeds, give
        30. With a RandomState or None, the seeds are drawn, and the result has them as `seeds`.
    n_jobs : int, default=None
        Number of threads that train networks, and of workers for all other fits, as for
        `skhp.population`.
    error_score : "raise" or number, default=np.nan
        As in `cross_validate`: the score of a training that fails, with a warning. If all trainings
        fail, an error is raised in any case.
    return_estimator : bool, default=False
        Whether to keep the fitted estimators.
    verbose : int or "auto", default="auto"
        0 shows nothing. 1 shows a bar on standard error that counts the scored trainings. 2 and
        more show the lines of joblib and of the population instead. "auto" is 1 in a terminal and
        in a notebook, otherwise 0.

    Returns
    -------
    Repeats

    Raises
    ------
    ValueError
        If an argument cannot be used, if no part of the estimator has a `random_state`, or if all
        trainings failed.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skhp import KerasMLPClassifier, repeat
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=5))
    >>> repeats = repeat(network, X, y, n=10, scoring="roc_auc")
    >>> repeats
    Repeats(estimator='KerasMLPClassifier', n=10, metrics=['roc_auc'])
    >>> repeats.frame.columns.tolist()
    ['count', 'mean', 'std', 'min', '5%', '25%', '50%', '75%', '95%', 'max']
    >>> 0 < repeats.std < repeats.mean < 1
    True
    """
    given = {
        "n": n,
        "cv": cv,
        "scoring": scoring,
        "params": params,
        "random_state": random_state,
        "n_jobs": n_jobs,
        "error_score": error_score,
        "return_estimator": return_estimator,
        "verbose": verbose,
    }
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name="repeat")
    names = _names_of_seeds(estimator)
    refuse_several_inputs(X, y)
    refuse_unusable_columns(estimator, {}, X, y)
    if is_classifier(estimator):
        refuse_unclear_labels(y)
    X, y = indexable(X, y)
    seeds = _seeds(random_state, n)
    raises = error_score == "raise"
    scorer, metric, lower = _scorer(estimator, scoring, y, raises)
    splitter = _splitter(cv, estimator, y, groups, seeds[0])
    of_splitter, further = _routed(estimator, splitter, scorer, params or {}, groups)
    splits = [OuterSplit(*split) for split in FixedFolds(splitter).split(X, y, **of_splitter)]
    if not splits:
        raise SettingsError("cv gives no split at all: give at least one pair (train, test).")
    fits = [
        OuterFit(clone(estimator).set_params(**dict.fromkeys(names, seed)), None, split)
        for seed in seeds
        for split in splits
    ]
    with bar_of_fits(verbose) as on_progress:
        outcomes = score_fits(
            fits,
            X,
            y,
            SeedScorer(scorer, metric, return_estimator),
            n_jobs,
            None if on_progress is None else TrainingCount("seeds", len(fits), on_progress),
            max(0, verbose - 1) if isinstance(verbose, Integral) else 0,
            further,
            keeps_errors=not raises,
            source="repeat",
        )
    tell_of_errors(outcomes, error_score)
    index = pd.MultiIndex.from_product([seeds, range(len(splits))], names=["seed", "split"])
    return Repeats(
        estimator=type(last_step(estimator)).__name__,
        scores=score_frame(outcomes, error_score, index),
        trainings=training_frame(outcomes, index),
        n_train=len(splits[0].train),
        n_test=len(splits[0].test),
        lower_is_better=lower,
        estimators=tuple(getattr(one, "estimator", None) for one in outcomes)
        if return_estimator
        else None,
    )


def _names_of_seeds(estimator: Any) -> list[str]:
    if isinstance(estimator, type) or not (
        hasattr(estimator, "fit") and hasattr(estimator, "get_params")
    ):
        raise SettingsError(
            f"estimator is {estimator!r}, which is not an estimator: give an instance with a "
            "method fit, such as KerasMLPClassifier()."
        )
    names = seed_names(estimator)
    if not names:
        raise SettingsError(
            f"neither {type(estimator).__name__} nor a part of it has a parameter random_state, so "
            "that all its trainings would be alike: give an estimator that has one, such as "
            "KerasMLPClassifier(), or use cross_validate."
        )
    return names


def _seeds(random_state: Any, n: int) -> list[int]:
    if isinstance(random_state, Integral):
        first = int(random_state)
        if first + n - 1 > _LARGEST_SEED:
            raise SettingsError(
                f"random_state={first} is the first of n={n} seeds, and the last may be at most "
                f"{_LARGEST_SEED}: give a smaller random_state."
            )
        return list(range(first, first + n))
    generator = check_random_state(random_state)
    drawn: dict[int, None] = {}
    while len(drawn) < n:
        drawn[int(generator.randint(np.iinfo(np.int32).max))] = None
    return list(drawn)


def _splitter(cv: Any, estimator: Any, y: Any, groups: Any, seed: int) -> Any:
    if cv is not None:
        return check_cv(cv, class_labels(y), classifier=is_classifier(estimator))
    kind: Any = ShuffleSplit
    if groups is not None:
        kind = GroupShuffleSplit
    elif is_classifier(estimator) and type_of_target(class_labels(y)) in ("binary", "multiclass"):
        kind = StratifiedShuffleSplit
    return kind(1, test_size=_TEST_SIZE, random_state=seed)


def _scorer(
    estimator: Any, scoring: Any, y: Any, raises: bool
) -> tuple[Callable[..., Any], str, frozenset[str]]:
    """The scorer, the name of its metric if it has only one, and the metrics that are errors."""
    name = scoring if isinstance(scoring, str) else "score"
    by_name: Mapping[str, Any] = {}
    if isinstance(scoring, str) and scoring == "auto":
        scoring = default_scoring(estimator, y)
        name = "score"
        if scoring is not None:
            name = "f1" if type_of_target(class_labels(y)) == "binary" else "f1_macro"
    else:
        if isinstance(scoring, Mapping):
            by_name = scoring
        elif isinstance(scoring, str):
            by_name = {scoring: scoring}
        elif isinstance(scoring, list | tuple | set):
            # A set has another order in each process.
            scoring = sorted(scoring, key=str) if isinstance(scoring, set) else list(scoring)
            by_name = {one: one for one in scoring if isinstance(one, str)}
        elif scoring is not None:
            by_name = {name: scoring}
        if is_classifier(estimator) and one_hot_labels(y) is not None:
            scoring = scoring_of_classes(scoring)
    # This refuses unknown names, and values that are not scorers.
    scorer = check_scoring(estimator, scoring=scoring, raise_exc=raises)
    scorers = {one: get_scorer(given) for one, given in by_name.items()}
    return scorer, name, lower_is_better(scorers)


def _routed(
    estimator: Any, splitter: Any, scorer: Any, params: Mapping[str, Any], groups: Any
) -> tuple[Mapping[str, Any], FurtherArguments]:
    """The arguments of the splitter, and those of `fit` and of the scorer."""
    if not sklearn.get_config()["enable_metadata_routing"]:
        return {"groups": groups}, FurtherArguments(dict(params))
    if groups is not None:
        raise SettingsError(
            "groups cannot be given by itself while scikit-learn's metadata routing is on: give "
            "params={'groups': groups}."
        )
    router = MetadataRouter(owner="repeat")
    for callee, part in (
        ("split", {"splitter": splitter}),
        ("fit", {"estimator": estimator}),
        ("score", {"scorer": scorer}),
    ):
        router.add(method_mapping=MethodMapping().add(caller="fit", callee=callee), **part)
    routed = process_routing(router, "fit", **params)
    return routed.splitter.split, FurtherArguments(routed.estimator.fit, routed.scorer.score)
