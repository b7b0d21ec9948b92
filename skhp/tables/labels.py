"""Answer with the labels of the table where a classifier has learned codes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skhp.search.searcher import SearchAdditions
from skhp.shared.class_targets import class_labels
from skhp.shared.pipelines import last_step


def _knows_probabilities(self: OriginalLabels) -> bool:
    return hasattr(self.estimator, "predict_proba")


class OriginalLabels(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that learns 0, 1, ... in a given order of the labels and answers with labels.

    scikit-learn sorts labels, and takes the last of two for the positive one. Here the order says
    which one is positive, for a network that watches F1 too, and the caller sees labels only.

    Parameters
    ----------
    estimator : classifier
        Learns the codes.
    labels : array-like of shape (n_classes,)
        The label of each code.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        The labels; the order of the columns of ``predict_proba``.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = [[0.0], [1.0], [8.0], [9.0]], ["sick", "sick", "well", "well"]
    >>> classifier = OriginalLabels(LogisticRegression(), ["well", "sick"]).fit(X, y)
    >>> classifier.predict([[0.5]]), classifier.predict_proba([[0.5]])[:, 1] > 0.9
    (array(['sick'], dtype='<U4'), array([ True]))
    """

    def __init__(self, estimator: ClassifierMixin, labels: np.ndarray) -> None:
        self.estimator = estimator
        self.labels = labels

    def fit(self, X: object, y: object) -> OriginalLabels:
        """Fit the classifier to the codes of `y`, which holds each of the labels."""
        self.classes_ = np.asarray(self.labels)
        y = np.asarray(y)
        if not np.array_equal(np.unique(y), np.sort(self.classes_)):
            raise ValueError(
                f"the classes of y are {np.unique(y).tolist()}, but labels are "
                f"{self.classes_.tolist()}: give one label for each class, and rows of each."
            )
        codes = (y[:, None] == self.classes_).argmax(axis=1)
        self.estimator_ = clone(self.estimator).fit(X, codes)
        return self

    def predict(self, X: object) -> np.ndarray:
        """The label of each row."""
        check_is_fitted(self)
        return self.classes_[self.estimator_.predict(X)]

    @available_if(_knows_probabilities)
    def predict_proba(self, X: object) -> np.ndarray:
        """Probabilities of shape (n_rows, n_classes), a column for each of ``classes_``."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)


def with_original_labels(pipeline: Pipeline, labels: np.ndarray) -> Pipeline:
    """The same fitted pipeline, not trained anew, answering with labels instead of codes."""
    *before, (name, fitted) = pipeline.steps
    labelled = OriginalLabels(clone(fitted), labels)
    labelled.estimator_, labelled.classes_ = fitted, np.asarray(labels)
    return Pipeline([*before, (name, labelled)])


class LearnsLabels(ClassifierMixin, BaseEstimator):
    """A classifier that is given the labels which one-hot rows stand for.

    Without it, scikit-learn's own would learn each column by itself, or refuse the rows.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)

    def fit(self, X: object, y: object) -> Self:
        """Fit a clone."""
        self.estimator_ = clone(self.estimator).fit(X, class_labels(y))
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "estimator_" not in vars(self):
            raise AttributeError(name)
        return getattr(self.estimator_, name)


def on_classes(estimator: Any) -> Any:
    """The classifier as it can be fitted on one-hot rows, for classes.

    Networks and searchers of skhp can be as they are.
    """
    last = last_step(estimator)
    takes_rows = hasattr(type(last), "__skhp_fit_task__") or isinstance(last, SearchAdditions)
    return estimator if takes_rows else LearnsLabels(estimator)
