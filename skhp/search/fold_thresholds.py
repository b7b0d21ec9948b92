"""Thresholds of classifiers that hold no rows out: a search chooses them on its folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_validate

from skhp.compat.scikit_learn import rows_of
from skhp.shared.best_threshold import TUNED_BY_FOLDS, best_threshold
from skhp.shared.class_targets import class_labels
from skhp.shared.pipelines import last_step, last_step_prefix
from skhp.shared.rarest_class import rarest_class

_TUNE = "tune"
# One tenth of the rows at a time is decided by the threshold that is best for the other rows.
_PARTS = 10


def tuned_by_folds(estimator: Any) -> Any:
    """A copy that lets the search tune its threshold; the estimator itself if it tunes none."""
    name = _name_of_threshold(estimator)
    if name is None or not _is_tuned(estimator.get_params().get(name)):
        return estimator
    return clone(estimator).set_params(**{name: TUNED_BY_FOLDS})


def candidate_tuned_by_folds(estimator: Any, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a candidate; if one is a tuned threshold, it is left to the search.

    A parameter may be a step of a pipeline, which has a threshold of its own.
    """
    steps = {name: value for name, value in candidate.items() if _is_estimator(value)}
    threshold = _name_of_threshold(clone(estimator).set_params(**steps) if steps else estimator)
    changed = {}
    for name, value in candidate.items():
        if _is_estimator(value):
            changed[name] = tuned_by_folds(value)
        else:
            changed[name] = TUNED_BY_FOLDS if name == threshold and _is_tuned(value) else value
    return changed


def decided(estimator: Any, X: Any, y: Any) -> Any:
    """What a scorer gets: the estimator, or decisions on the rows if it awaits a threshold.

    Each row is decided by the threshold that is best for the other rows, so that no row has a part
    in the threshold that decides it.
    """
    classifier = last_step(estimator)
    if y is None or not getattr(classifier, "awaits_threshold", False):
        return estimator
    is_rare = np.ravel(class_labels(y)) == classifier.rare_class_
    rare = int(classifier.rare_class_ == classifier.classes_[1])
    probability = estimator.predict_proba(X)[:, rare]
    is_predicted = np.zeros(len(is_rare), bool)
    parts = _stratified_parts(is_rare)
    for part in range(parts.max() + 1):
        others, rows = parts != part, parts == part
        threshold = best_threshold(probability[others], is_rare[others])
        is_predicted[rows] = probability[rows] >= threshold
    positions = np.where(is_predicted, rare, 1 - rare)
    return _Decisions(estimator, X, classifier.labels_at(positions))


def with_threshold_of_folds(
    estimator: Any, X: Any, y: Any, folds: Any, fit_params: Mapping[str, Any]
) -> Any:
    """A copy of an estimator with the threshold of the greatest F1 on the test rows of all folds.

    If a fit holds rows out, the copy tunes its threshold on these. An estimator that tunes no
    threshold is returned as it is.
    """
    name = _name_of_threshold(estimator)
    if name is None or not _is_tuned(estimator.get_params().get(name)):
        return estimator
    plain = clone(estimator).set_params(**{name: _TUNE})
    if last_step(estimator).holds_rows_out():
        return plain
    fits = cross_validate(
        clone(estimator).set_params(**{name: TUNED_BY_FOLDS}),
        X,
        y,
        cv=[(train, test) for train, test in folds],
        scoring=_no_score,
        params=dict(fit_params) or None,
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    fitted = fits["estimator"]
    if not all(last_step(one).awaits_threshold for one in fitted):
        # The held-out rows were given to `fit`.
        return plain
    labels = np.ravel(class_labels(y))
    weight = _sample_weight(fit_params, len(labels))
    # The classes may be so equal that another one is the rarest in a fold.
    rare = rarest_class(labels[weight != 0])
    probabilities, is_rare, weights = [], [], []
    for one, test in zip(fitted, fits["indices"]["test"], strict=True):
        position = int(np.flatnonzero(last_step(one).classes_ == rare)[0])
        probabilities.append(one.predict_proba(rows_of(X, test))[:, position])
        is_rare.append(labels[test] == rare)
        weights.append(weight[test])
    threshold = best_threshold(*map(np.concatenate, (probabilities, is_rare, weights)))
    return clone(estimator).set_params(**{name: threshold})


class _Decisions(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decisions on some rows are known."""

    def __init__(self, fitted: Any, X: Any, predicted: np.ndarray) -> None:
        self.fitted = fitted
        self.X = X
        self.predicted = predicted

    def predict(self, X: Any) -> np.ndarray:
        """The known decisions; on other rows, the decisions of the classifier."""
        return self.predicted if X is self.X else self.fitted.predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the decisions."""
        labels, predicted = class_labels(y), class_labels(self.predict(X))
        return float(accuracy_score(labels, predicted, sample_weight=sample_weight))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "fitted" not in vars(self):
            raise AttributeError(name)
        return getattr(self.fitted, name)


def _sample_weight(fit_params: Mapping[str, Any], n_rows: int) -> np.ndarray:
    """The weight of each row, even if the parameter belongs to a step of a pipeline."""
    given = (value for name, value in fit_params.items() if name.endswith("sample_weight"))
    weight = next(given, None)
    return np.ones(n_rows) if weight is None else np.asarray(weight, np.float64)


def _name_of_threshold(estimator: Any) -> str | None:
    """The name of the threshold's parameter, if the last step is one of skhp's classifiers."""
    if not hasattr(last_step(estimator), "awaits_threshold"):
        return None
    return f"{last_step_prefix(estimator)}threshold"


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _is_tuned(value: Any) -> bool:
    return isinstance(value, str) and value == _TUNE


def _stratified_parts(is_rare: np.ndarray) -> np.ndarray:
    """The part of each row; the rows of both classes are dealt out in turn."""
    parts = np.empty(len(is_rare), int)
    for rows in (np.flatnonzero(is_rare), np.flatnonzero(~is_rare)):
        parts[rows] = np.arange(len(rows)) % _PARTS
    return parts


def _no_score(estimator: Any, X: Any, y: Any) -> float:
    return 0.0
