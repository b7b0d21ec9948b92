"""The function `compare`: what it is given is checked, and handed to `compared`."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target

from skhp.comparison.compared import compared
from skhp.comparison.dummy import DUMMY
from skhp.comparison.metric_scorers import (
    Scoring,
    metric_scorers,
    metrics_from_0_to_1,
)
from skhp.comparison.named_baselines import given_baseline, named_baseline
from skhp.comparison.outer_fits import repeat_seeds
from skhp.comparison.outer_splits import grouped_splits, outer_splits, refuse_inner_folds
from skhp.comparison.result import Comparison
from skhp.exceptions import SettingsError
from skhp.search.checks.search_input import refuse_unusable_columns
from skhp.shared.class_targets import class_labels, one_hot_labels
from skhp.shared.terminal import bar_of_comparison
from skhp.shared.unusable_data import refuse_several_inputs, refuse_unclear_labels
from skhp.tables.target import on_classes


def compare(
    estimators: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    baseline: Any = None,
    cv: Any = 5,
    groups: Any = None,
    n_repeats: int = 30,
    scoring: Scoring = None,
    n_seeds: int = 10,
    random_state: Any = 0,
    n_jobs: int | None = None,
    verbose: int | Literal["auto"] = "auto",
) -> Comparison:
    """Set estimators beside a baseline: the same splits, many times, each time with other seeds.

    All estimators are fitted to the training rows of the same splits and scored on the test rows.
    A searcher tunes within the training rows, so no test row has a say in what it chooses. Networks
    of all splits and repeats train together as one population; those of a searcher of skhp do so
    in each of its searches.

    The interval and the p-value of a difference are those of the corrected resampled t-test of
    Nadeau and Bengio, since training sets overlap. Where several estimators are compared, Holm's
    adjustment of their p-values, for each metric by itself, decides what the verdict calls a
    difference; the intervals are not adjusted. The interval of a mean is cut off at 0 and 1 where
    its metric, such as F1, cannot be elsewhere; that of a difference never is.

    In every table stands a dummy, too: the best answer that looks at no input, such as always the
    rare class for F1, or the mean for R2. What is not better than that is said not to be. It is
    none of the estimators that p-values are adjusted for.

    Of two classes, it is also told how far the probabilities of the rarer one can be trusted: their
    Brier score on the same test rows, for the estimators that predict such.

    Parameters
    ----------
    estimators : mapping of str to estimator
        Classifiers or regressors, pipelines and searchers included; none is changed. Each
        parameter `random_state`, also of what is within them, gets another number for each fit.
    X : array-like of shape (n_rows, ...)
    y : array-like of shape (n_rows,), or (n_rows, n_classes) of zeros and ones
        Labels of any type, or numbers. Rows that each hold a single 1 are classes, the numbers of
        the columns.
    baseline : str, estimator or dict, default=None
        None is "logistic" for classes and "ridge" for numbers. All named ones scale their inputs
        (a sparse table without centring it), impute, one-hot encode what is not a number, and do
        not warn of their own convergence:

        - "logistic": logistic regression with lasso, its strength tuned by F1 in each split;
        - "ridge", "lasso": linear regression with such a penalty, tuned in each split;
        - "gradient_boosting": scikit-learn's histogram-based one;
        - "dummy": the dummy of the tables.

        The name of one of the `estimators` makes it the baseline of the others. An estimator is
        used as it is, under the name of its class, or its own in a dict such as
        ``{"forest": RandomForestClassifier()}``.
    cv : int, splitter or iterable, default=5
        A number is that of shuffled folds, stratified for classes. A splitter that shuffles is
        given another `random_state` in each repeat. With splits that are always the same, repeats
        differ in the seeds of the estimators alone, and the test is that of their mean.
    groups : array-like of shape (n_rows,), default=None
        Rows that belong together, such as those of a patient: no split has a group among both its
        training and its test rows. What tunes in folds of its own, "logistic" included, is refused
        then, as it would ignore the groups; so do the rows that networks hold out to stop early.
    n_repeats : int, default=30
    scoring : str, callable, list of str or dict, default=None
        Names of metrics, scorers by name, or a scorer; None is precision, recall and F1 of the
        rarer class (for more than two, their means over the classes), and for regressors R2 and
        mean absolute error.
    n_seeds : int, default=10
        Seeds tried on the splits of the first repeat, the seed of that repeat included, to see what
        the seed alone does; 1 leaves that out.
    random_state : int, RandomState or None, default=0
        Of the splits and the seeds.
    n_jobs : int, default=None
        As for `skhp.population`: threads that train networks, and workers for all other fits.
    verbose : int or "auto", default="auto"
        1 shows a bar on standard error: fits that are scored, epochs that are trained; 0 shows
        nothing, and 2 and more the lines of joblib and of the population. "auto" is 1 in a terminal
        and in a notebook, otherwise 0.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        If something cannot be used; nothing was fitted. An error of a fit is raised as it is.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> comparison = compare(
    ...     {"tree": DecisionTreeClassifier(max_depth=3)}, X, y, baseline="dummy",
    ...     n_repeats=3, n_seeds=3,
    ... )
    >>> comparison
    Comparison(estimators=['tree'], baseline='dummy', metrics=['precision', 'recall', 'f1'])
    >>> bool(comparison.frame.loc[("tree", "f1"), "p_value"] < 0.001)
    True
    >>> print(comparison.verdict("tree"))  # doctest: +ELLIPSIS
    Gain: the F1 of tree is 0.3... higher than that of dummy (95% interval 0.3... to 0.3..., p < ...
    """
    _require_count("n_repeats", n_repeats)
    _require_count("n_seeds", n_seeds)
    _require_verbosity(verbose)
    _require_estimators(estimators)
    if baseline is None:
        chosen = "logistic" if _are_classifiers(estimators) else "ridge"
        # The user asked for no baseline, so an estimator of the same name is not a mistake.
        baseline = {f"{chosen} (baseline)": chosen} if chosen in estimators else chosen
    name, baseline, others = given_baseline(estimators, baseline)
    for_classes = _are_classifiers(
        others if isinstance(baseline, str) else {name: baseline, **others}
    )
    _require_one_table(X, y)
    check_consistent_length(X, y, groups)
    for estimator in others.values() if isinstance(baseline, str) else (baseline, *others.values()):
        refuse_unusable_columns(estimator, {}, X, y)
    target = _classes(y) if for_classes else np.asarray(y)
    seeds = repeat_seeds(random_state, n_repeats)
    if groups is None:
        splits = outer_splits(cv, X, target, seeds, stratified=for_classes)
    else:
        splits = grouped_splits(cv, X, target, np.ravel(groups), seeds, stratified=for_classes)
    if isinstance(baseline, str) and baseline != DUMMY:
        baseline = named_baseline(baseline, X, target, splits, for_classes)
    fitted = others if isinstance(baseline, str) else {name: baseline, **others}
    if groups is not None:
        refuse_inner_folds(fitted)
    if for_classes and one_hot_labels(y) is not None:
        fitted = {of: on_classes(estimator) for of, estimator in fitted.items()}
    metrics = metric_scorers(scoring, next(iter(fitted.values())), target, for_classes)
    with bar_of_comparison(verbose) as on_progress:
        return compared(
            fitted,
            name,
            X,
            y,
            target,
            splits,
            seeds,
            metrics,
            metrics_from_0_to_1(scoring, metrics),
            for_classes,
            n_seeds=n_seeds,
            n_jobs=n_jobs,
            on_progress=on_progress,
            verbose=max(0, verbose - 1) if isinstance(verbose, Integral) else 0,
        )


def _require_count(name: str, given: Any) -> None:
    if not isinstance(given, Integral) or isinstance(given, bool) or given < 1:
        raise SettingsError(f"{name}={given!r} cannot be used: give a whole number of 1 or more.")


def _require_verbosity(given: Any) -> None:
    if given != "auto" and (not isinstance(given, Integral) or given < 0):
        raise SettingsError(
            f"verbose={given!r} cannot be used: give a whole number of 0 or more, or 'auto'."
        )


def _require_estimators(estimators: Any) -> None:
    if not isinstance(estimators, Mapping):
        raise SettingsError(
            f"estimators is a {type(estimators).__name__}: give a dict of names and estimators, "
            "such as {'network': KerasMLPClassifier()}."
        )
    if not estimators:
        raise SettingsError("there is no estimator to compare: give a dict of at least one.")
    if names := [name for name in estimators if not isinstance(name, str)]:
        raise SettingsError(f"an estimator is named {names[0]!r}: give it a name of type str.")


def _require_one_table(X: Any, y: Any) -> None:
    try:
        refuse_several_inputs(X, y)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _are_classifiers(estimators: Mapping[str, Any]) -> bool:
    kinds = {name: _kind(name, estimator) for name, estimator in estimators.items()}
    (first, kind), *others = kinds.items()
    for name, other in others:
        if other != kind:
            raise SettingsError(
                f"{first!r} is a {kind} and {name!r} a {other}: compare estimators of one kind."
            )
    return kind == "classifier"


def _kind(name: str, estimator: Any) -> str:
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise SettingsError(
            f"{name!r} is {estimator!r}, which is not an estimator: give an instance with a method "
            "fit, such as KerasMLPClassifier()."
        )
    if is_classifier(estimator):
        return "classifier"
    if is_regressor(estimator):
        return "regressor"
    raise SettingsError(
        f"{name!r} is neither a classifier nor a regressor ({type(estimator).__name__}): give one "
        "that is, or a pipeline that ends with one."
    )


def _classes(y: Any) -> np.ndarray:
    try:
        refuse_unclear_labels(y)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    y = class_labels(y)
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        raise SettingsError(
            f"y is {kind}, and classifiers are compared by one class for each row: give classes, "
            "or compare regressors."
        )
    classes = np.asarray(y).ravel()
    if len(np.unique(classes)) < 2:
        raise SettingsError(f"y has one class only, {classes[0]!r}: add rows of another class.")
    return classes
