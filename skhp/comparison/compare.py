"""The function `compare`, which checks its arguments and has them fitted and compared."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target

from skhp.comparison.compared import scored_fits
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
from skhp.shared.terminal import bar_of_fits
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
    """Compare estimators to a baseline on the same splits, repeated with other folds and seeds.

    All estimators are fitted to the training rows of the same splits and scored on the test rows.
    A searcher tunes within the training rows, so the test rows do not influence what it chooses.
    The networks of all splits and repeats train together as one population; a searcher of skhp
    trains one population for each of its searches.

    The interval and the p-value of a difference come from the corrected resampled t-test of Nadeau
    and Bengio, which allows for the overlap of training sets. Where several estimators are
    compared, the verdict uses p-values that Holm's method adjusts, each metric by itself; the
    intervals are not adjusted. For a metric from 0 to 1, such as F1, the interval of a mean ends at
    these limits; the interval of a difference is not cut off.

    Every table has a row for the dummy: the best answer that ignores the inputs, such as always the
    rare class for F1, or the mean for R2. The verdict says which estimators are not better than the
    dummy. Holm's method does not count the dummy.

    For two classes, the Brier score on the same test rows says how far the probabilities of the
    rarer class can be trusted; estimators without probabilities have none.

    Parameters
    ----------
    estimators : mapping of str to estimator
        Classifiers or regressors, pipelines and searchers included; none is changed. Each
        parameter `random_state`, nested ones included, gets a new number for each fit.
    X : array-like of shape (n_rows, ...)
        The inputs.
    y : array-like of shape (n_rows,), or (n_rows, n_classes) of zeros and ones
        Labels of any type, or numbers. In rows of zeros with a single 1, the column of the 1 is the
        class.
    baseline : str, estimator or dict, default=None
        An estimator, the name of one of the `estimators`, or one of the names below. None means
        "logistic" for classifiers and "ridge" for regressors.

        - "logistic": logistic regression with lasso, its strength tuned by F1 in each split;
        - "ridge", "lasso": linear regression with this penalty, its strength tuned in each split;
        - "gradient_boosting": scikit-learn's histogram gradient boosting;
        - "dummy": the dummy of the tables.

        The linear baselines scale and impute their inputs (a sparse table is not centred) and do
        not warn of their own convergence. They and gradient boosting turn columns that are not
        numbers into one-hot columns. A baseline that is an estimator is named after its class, or
        by its key in a dict such as ``{"forest": RandomForestClassifier()}``.
    cv : int, splitter or iterable, default=5
        A number of shuffled folds, stratified for classifiers. A splitter that shuffles gets a new
        `random_state` in each repeat. Where all repeats have the same splits, they differ in the
        seeds of the estimators alone, and their mean is tested.
    groups : array-like of shape (n_rows,), default=None
        The group of each row, such as the patient: no split has a group among both its training
        and its test rows. An estimator that tunes in folds of its own, "logistic" included, would
        ignore the groups and is refused. A network that holds out rows to stop early ignores the
        groups, too, but is not refused.
    n_repeats : int, default=30
        Number of times that the rows are split into folds.
    scoring : str, callable, list of str or dict, default=None
        The name of a metric or a list of names, a scorer, or a dict of names and scorers. None
        means precision, recall and F1 of the rarer of two classes (with more classes, their means
        over the classes), and R2 and mean absolute error for regressors.
    n_seeds : int, default=10
        Number of seeds tried on the splits of the first repeat, its own seed included, to see what
        the seed alone changes; 1 tries no other seed.
    random_state : int, RandomState or None, default=0
        The splits and the seeds are drawn from it.
    n_jobs : int, default=None
        Number of threads that train networks, and of workers for all other fits, as for
        `skhp.population`.
    verbose : int or "auto", default="auto"
        0 shows nothing. 1 shows a bar on standard error with the fits scored and the epochs
        trained. 2 and more show the lines of joblib and of the population instead. "auto" is 1 in
        a terminal and in a notebook, otherwise 0.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        If an argument cannot be used; then nothing was fitted. An error within a fit is raised
        unchanged.

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
    with bar_of_fits(verbose) as on_progress:
        return scored_fits(
            fitted,
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
        ).compared_to(name)


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
        f"{name!r} is neither a classifier nor a regressor ({type(estimator).__name__}): give a "
        "classifier, a regressor, or a pipeline that ends with one."
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
            f"y is {kind}, and classifiers need one class for each row: give classes, or compare "
            "regressors."
        )
    classes = np.asarray(y).ravel()
    if len(np.unique(classes)) < 2:
        raise SettingsError(f"y has one class only, {classes[0]!r}: add rows of another class.")
    return classes
