"""Precision, recall and F1 of a class over the threshold of its probability."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve
from sklearn.utils import check_consistent_length, column_or_1d

from skhp.exceptions import InvalidParameterError
from skhp.inspection.displays.axes import drawing_area
from skhp.inspection.value_text import public_name
from skhp.shared.class_targets import class_labels
from skhp.shared.pipelines import deciding_step
from skhp.shared.rarest_class import rare_class_of, rarest_class

_USUAL_THRESHOLD = 0.5


class ThresholdDisplay:
    """Precision, recall and F1 of a class over the threshold of its probability.

    It is recommended to create a display by :meth:`from_estimator` or :meth:`from_predictions`. A
    threshold that you choose by the picture should be tried on other rows.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Ascending; rows of this probability or more are predicted to be of the class.
    precision, recall : ndarray of shape (n_thresholds,)
        The scores of the class at each threshold.
    pos_label : object
        The class.
    estimator_threshold : float or None, default=None
        The threshold that the estimator itself predicts by; it is marked if it is not 0.5.
    name : str or None, default=None
        The name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that were drawn into.
    figure_ : matplotlib Figure
        The figure of the axes.
    f1 : ndarray of shape (n_thresholds,)
        F1 of the class at each threshold.
    lines_ : dict of str to matplotlib Line2D
        The curves "precision", "recall" and "F1".
    usual_threshold_line_ : matplotlib Line2D
        The line at 0.5.
    estimator_threshold_line_ : matplotlib Line2D or None
        The line at `estimator_threshold`.
    best_point_ : matplotlib Line2D
        The point of the highest F1.

    Examples
    --------
    >>> from skhp import ThresholdDisplay
    >>> display = ThresholdDisplay.from_predictions([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], pos_label=1)
    >>> display.best_point_.get_label()
    'highest F1 on these rows: 0.80 at 0.40'
    """

    ax_: Any
    figure_: Any
    lines_: dict[str, Any]
    usual_threshold_line_: Any
    estimator_threshold_line_: Any
    best_point_: Any

    def __init__(
        self,
        thresholds: np.ndarray,
        precision: np.ndarray,
        recall: np.ndarray,
        *,
        pos_label: Any,
        estimator_threshold: float | None = None,
        name: str | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.pos_label = pos_label
        self.estimator_threshold = estimator_threshold
        self.name = name

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall; 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / np.where(total > 0, total, 1.0)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        pos_label: Any = None,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the curves of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier with ``predict_proba``. Its ``threshold_`` (or scikit-learn's
            ``best_threshold_``), if it has one, is marked beside 0.5.
        X : array-like of shape (n_samples, n_features)
            Rows that the estimator was not fitted on.
        y : array-like of shape (n_samples,)
            Their classes.
        pos_label : object, default=None
            The class to look at, against all others. None is the estimator's ``rare_class_``; for
            an estimator without one, it is the rarest class in `y`, the later one of equals.
        name : str, default=None
            The name for the title; None is the name of the estimator's class.
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.

        Returns
        -------
        ThresholdDisplay
        """
        if not hasattr(estimator, "predict_proba"):
            raise InvalidParameterError(
                f"{public_name(estimator)} has no predict_proba, so it has no thresholds to draw. "
                "Give a fitted classifier that predicts probabilities."
            )
        y = np.asarray(column_or_1d(class_labels(y)))
        classes = list(estimator.classes_)
        if pos_label is None:
            its_own = rare_class_of(estimator)
            pos_label = rarest_class(y, classes) if its_own is None else its_own
        if pos_label not in classes:
            raise InvalidParameterError(
                f"Got pos_label={pos_label!r}; expected one of the classes {classes}."
            )
        probabilities = np.asarray(estimator.predict_proba(X))[:, classes.index(pos_label)]
        return cls.from_predictions(
            y,
            probabilities,
            pos_label=pos_label,
            estimator_threshold=_threshold_of(estimator, pos_label),
            name=public_name(estimator) if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        pos_label: Any = None,
        estimator_threshold: float | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the curves of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            The classes of the rows.
        y_proba : array-like of shape (n_samples,)
            The predicted probabilities of `pos_label`.
        pos_label : object, default=None
            The class to look at; None is the rarest class in `y_true`, the later one of equals.
        estimator_threshold : float, default=None
            A threshold to mark beside 0.5.
        name : str, default=None
            The name for the title.
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.

        Returns
        -------
        ThresholdDisplay
        """
        y_true = np.asarray(column_or_1d(class_labels(y_true)))
        y_proba = np.asarray(column_or_1d(y_proba))
        check_consistent_length(y_true, y_proba)
        pos_label = rarest_class(y_true) if pos_label is None else pos_label
        positive = y_true == pos_label
        if not positive.any():
            raise InvalidParameterError(
                f"No row of y is of the class pos_label={pos_label!r}, so it has no recall. Give "
                "rows of it, or another pos_label."
            )
        precision, recall, thresholds = precision_recall_curve(positive, y_proba)
        display = cls(
            thresholds,
            # The last point of scikit-learn's curve has no threshold.
            precision[:-1],
            recall[:-1],
            pos_label=pos_label,
            estimator_threshold=estimator_threshold,
            name=name,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.

        Returns
        -------
        ThresholdDisplay
        """
        ax = drawing_area(self, ax)
        f1 = self.f1
        self.lines_ = {}
        for label, values in (("precision", self.precision), ("recall", self.recall), ("F1", f1)):
            # Between two thresholds, the predictions are those of the higher one.
            (self.lines_[label],) = ax.plot(
                self.thresholds, values, label=label, drawstyle="steps-pre"
            )
        best = int(np.argmax(f1))
        (self.best_point_,) = ax.plot(
            self.thresholds[best],
            f1[best],
            "o",
            color=self.lines_["F1"].get_color(),
            label=f"highest F1 on these rows: {f1[best]:.2f} at {self.thresholds[best]:.2f}",
        )
        self.usual_threshold_line_ = ax.axvline(
            _USUAL_THRESHOLD, color="tab:gray", linestyle="--", label="0.5"
        )
        self.estimator_threshold_line_ = None
        if self.estimator_threshold not in (None, _USUAL_THRESHOLD):
            self.estimator_threshold_line_ = ax.axvline(
                self.estimator_threshold,
                color="black",
                linestyle="-.",
                label=f"threshold of the estimator: {self.estimator_threshold:.2f}",
            )
        ax.set(xlabel=f"threshold of the probability of class {self.pos_label!s}", ylabel="score")
        ax.set(xlim=(0, 1), ylim=(0, 1.02), title=self.name or "")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _threshold_of(estimator: Any, pos_label: Any) -> float | None:
    """The threshold that a fitted classifier predicts `pos_label` by, where it has its own."""
    estimator = deciding_step(estimator)
    threshold = getattr(estimator, "threshold_", getattr(estimator, "best_threshold_", None))
    if threshold is None or len(estimator.classes_) != 2:
        return None
    # The threshold is for the rarest class in skhp's networks, for `pos_label` in others.
    its_label = getattr(estimator, "rare_class_", getattr(estimator, "pos_label", None))
    its_label = estimator.classes_[1] if its_label is None else its_label
    return float(threshold) if its_label == pos_label else 1.0 - float(threshold)
