"""The column that is learned: its classes, and the rare one among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skhp.exceptions import TableError
from skhp.shared.class_targets import class_labels
from skhp.shared.pipelines import last_step
from skhp.shared.rarest_class import rarest_position
from skhp.tables.cell_texts import is_number
from skhp.tables.columns import describe_type

# One row is for the test set. A fold scores on one of the other three; the network learns from
# one of the two that are left, and stops early by the last.
MIN_CLASS_ROWS = 4
# pandas' names of the types of numbers.
_NUMBERS = ("integer", "floating", "mixed-integer-float")


@dataclass(frozen=True, eq=False)
class Target:
    """A target of two classes or more, encoded as whole numbers with the rarest class last.

    So the rarer of two classes is 1, the positive class of scikit-learn's ``f1`` and the like.
    """

    name: str
    codes: np.ndarray
    labels: np.ndarray  # the label of each code; sorted, except that the rarest is last

    @property
    def learnt(self) -> np.ndarray:
        """What models learn."""
        return self.codes

    @property
    def in_table(self) -> np.ndarray:
        """The target as it stands in the table."""
        return self.labels[self.codes]

    @property
    def rare_code(self) -> int:
        """The code of the rare class."""
        return len(self.labels) - 1

    @property
    def rare_label(self) -> object:
        """The rare class as it stands in the table."""
        return self.labels[-1].item()

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.labels) == 2


def encode_target(
    column: pd.Series, name: str, place_of_row: Callable[[int], str] = "row {}".format
) -> Target:
    """Encode a target without missing values; the rarest class has the highest code."""
    kind = types.infer_dtype(column)
    if kind not in ("string", "boolean", "categorical", *_NUMBERS):
        raise TableError(
            f"the target {name!r} holds neither text nor numbers nor truth values, but "
            f"{describe_type(column, place_of_row)}: name another column with --target, or turn "
            "all of it into text."
        )
    # Through a list, the text and extension types of pandas become plain types of numpy.
    labels, codes, counts = np.unique(
        np.array(column.tolist()), return_inverse=True, return_counts=True
    )
    if len(labels) == 1:
        raise TableError(
            f"the target {name!r} has one class only, every row is {labels[0].item()!r}: name "
            "another column with --target, or add rows of another class."
        )
    rarest = rarest_position(counts)
    if counts[rarest] < MIN_CLASS_ROWS:
        few = int((counts < MIN_CLASS_ROWS).sum())
        rows = "a single row" if counts[rarest] == 1 else f"{counts[rarest]} rows"
        others = f" ({few} of {len(labels)} classes have too few)" if few > 1 else ""
        measured = ""
        if kind in _NUMBERS or (kind == "string" and all(map(is_number, labels.tolist()))):
            measured = "; if the target is numbers and not classes, add --task numbers"
        raise TableError(
            f"class {labels[rarest].item()!r} of the target {name!r} has {rows}{others}: at least "
            f"{MIN_CLASS_ROWS} are needed to train, stop and test; add rows of it, remove it, or "
            f"merge it with another class{measured}."
        )
    order = np.r_[np.delete(np.arange(len(labels)), rarest), rarest]
    return Target(name, np.argsort(order)[codes], labels[order])


def _knows_probabilities(self: OriginalLabels) -> bool:
    return hasattr(self.estimator, "predict_proba")


class OriginalLabels(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that learns 0, 1, ... in a given order of the labels and answers with labels.

    scikit-learn sorts labels, and takes the last of two for the positive one. Here the given order
    decides which is positive, also for a network that monitors F1; the caller sees labels only.
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
    """A fitted pipeline that answers with labels instead of codes, without a new training."""
    *before, (name, fitted) = pipeline.steps
    labelled = OriginalLabels(clone(fitted), labels)
    labelled.estimator_, labelled.classes_ = fitted, np.asarray(labels)
    return Pipeline([*before, (name, labelled)])


class LearnsLabels(ClassifierMixin, BaseEstimator):
    """A classifier that is fitted to labels where the target is one-hot rows.

    scikit-learn's own classifiers learn each column by itself, or refuse one-hot rows.
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
    """The classifier, wrapped unless it takes one-hot rows itself, as the estimators of skhp do."""
    last = last_step(estimator)
    # The networks of skhp have the first of these, its searchers the second.
    ours = ("__skhp_fit_task__", "target_summary")
    takes_rows = any(hasattr(type(last), name) for name in ours)
    return estimator if takes_rows else LearnsLabels(estimator)
