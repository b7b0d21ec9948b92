"""Curves of a training, or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.inspection.displays.axes import drawing_area
from skhp.inspection.training_history import TrainingHistory, greater_is_better, training_history
from skhp.shared.nearest_name import nearest_name

_COLOURS = {"": "tab:blue", "val_": "tab:orange"}
_ROWS = {"": "training rows", "val_": "validation rows"}
# Values that differ by more than this factor are read better on a logarithmic axis.
_WIDE_RANGE = 100.0


class HistoryDisplay:
    """Curves of the training and validation rows, epoch by epoch, with the best epoch marked.

    Several fits are drawn as their median, with a band from the lowest to the highest. At each
    epoch, both are taken over the fits that are still in training, if these are half of all fits
    or more. It is recommended to create a display by :meth:`from_estimator`.

    Parameters
    ----------
    histories : sequence of TrainingHistory
        One for each fit.
    metric : str or None, default=None
        The metric to draw, with or without ``val_``. None is the metric that early stopping
        watched, and the loss if nothing was watched or the fits watched different metrics.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that were drawn into.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The curve of the training rows, then that of the validation rows, if recorded.
    best_epoch_line_ : matplotlib Line2D or None
        At the best epoch; for several fits, at the median of their best epochs. The best epoch is
        the one whose weights were kept or, if no epoch was chosen, the best one of the validation
        curve that is drawn.
    bands_ : list of matplotlib PolyCollection
        One for each line; empty for a single fit.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skhp import HistoryDisplay, KerasMLPClassifier
    >>> X, y = make_blobs(60, centers=2, random_state=0)
    >>> classifier = KerasMLPClassifier(epochs=20, random_state=0).fit(X, y)
    >>> display = HistoryDisplay.from_estimator(classifier)
    >>> [line.get_label() for line in display.lines_]
    ['training rows', 'validation rows']
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]
    best_epoch_line_: Any
    bands_: list[Any]

    def __init__(self, histories: Sequence[TrainingHistory], metric: str | None = None) -> None:
        self.histories = histories
        self.metric = metric

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        metric: str | None = None,
        ax: Any = None,
        line_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw the training of a fitted estimator, or of several.

        Parameters
        ----------
        estimator : estimator or sequence of estimators
            Fitted: an estimator of skhp, a multilayer perceptron of scikit-learn, a pipeline that
            ends with one, or a search; or several, such as
            ``cross_validate(..., return_estimator=True)["estimator"]``.
        metric : str or None, default=None
            The metric to draw: "loss", or another that was recorded, such as "f1". None is the
            metric that early stopping watched, or else the loss.
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.
        line_kw : dict, default=None
            Arguments for matplotlib's ``plot`` of the curves.

        Returns
        -------
        HistoryDisplay
        """
        given = estimator if isinstance(estimator, Sequence | np.ndarray) else [estimator]
        if len(given) == 0:
            raise InvalidParameterError(
                f"Got estimator={estimator!r}: expected one fitted estimator or more."
            )
        histories = tuple(training_history(one) for one in given)
        return cls(histories, metric).plot(ax, line_kw=line_kw)

    def plot(self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.
        line_kw : dict, default=None
            Arguments for matplotlib's ``plot`` of the curves.

        Returns
        -------
        HistoryDisplay
        """
        metric = self._drawn_metric()
        drawn = [prefix for prefix in _ROWS if self._curves(prefix, metric)]
        if not drawn:
            known = sorted({name.removeprefix("val_") for h in self.histories for name in h.curves})
            raise InvalidParameterError(
                f"metric={metric!r} was not recorded; expected one of {', '.join(known)}."
                f"{nearest_name(metric, known)}"
            )
        ax = drawing_area(self, ax)
        self.lines_, self.bands_ = [], []
        for prefix in drawn:
            self._draw(ax, prefix, metric, line_kw or {})
        self.best_epoch_line_ = self._mark_best_epoch(ax, metric)
        curves = [curve for prefix in drawn for curve in self._curves(prefix, metric)]
        values = np.concatenate(curves)
        finite = values[np.isfinite(values)]
        if len(finite) and finite.min() > 0 and finite.max() > _WIDE_RANGE * finite.min():
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel=metric)
        ax.xaxis.get_major_locator().set_params(integer=True)
        # The axis begins at epoch 1, since there is no epoch 0.
        ax.set_xlim(0.5, max(map(len, curves)) + 0.5)
        names = sorted({history.name for history in self.histories})
        count = f", {len(self.histories)} fits" if len(self.histories) > 1 else ""
        ax.set_title(f"{', '.join(names)}{count}")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _drawn_metric(self) -> str:
        """The metric to draw, without ``val_``."""
        if self.metric is not None:
            return self.metric.removeprefix("val_")
        watched = {history.watched for history in self.histories}
        (one,) = watched if len(watched) == 1 else {None}
        return "loss" if one is None else one.removeprefix("val_")

    def _curves(self, prefix: str, metric: str) -> list[np.ndarray]:
        name = f"{prefix}{metric}"
        curves = [np.array(h.curves[name]) for h in self.histories if name in h.curves]
        return [curve for curve in curves if len(curve)]

    def _draw(self, ax: Any, prefix: str, metric: str, line_kw: Mapping[str, Any]) -> None:
        curves = self._curves(prefix, metric)
        table = np.full((len(curves), max(map(len, curves))), np.nan)
        for row, curve in zip(table, curves, strict=True):
            # matplotlib cannot choose the limits of an axis with an infinite value.
            row[: len(curve)] = np.where(np.isfinite(curve), curve, np.nan)
        lengths = np.array([len(curve) for curve in curves])
        in_training = (lengths[:, None] > np.arange(table.shape[1])).sum(axis=0)
        table = table[:, 2 * in_training >= len(curves)]
        shown = np.isfinite(table).any(axis=0)
        middle, low, high = np.full((3, table.shape[1]), np.nan)
        middle[shown] = np.nanmedian(table[:, shown], axis=0)
        low[shown] = np.nanmin(table[:, shown], axis=0)
        high[shown] = np.nanmax(table[:, shown], axis=0)
        epochs = np.arange(1, table.shape[1] + 1)
        style = {"color": _COLOURS[prefix], "label": _ROWS[prefix], **line_kw}
        if len(self.histories) > 1 and "label" not in line_kw:
            style["label"] = f"{_ROWS[prefix]}: median and range"
        (line,) = ax.plot(epochs, middle, **style)
        self.lines_.append(line)
        if len(self.histories) > 1:
            band = ax.fill_between(
                epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0
            )
            self.bands_.append(band)

    def _mark_best_epoch(self, ax: Any, metric: str) -> Any:
        told = [history.best_epoch(metric) for history in self.histories]
        best = [epoch for epoch in told if epoch is not None]
        if not best:
            return None
        name = self._name_of_best_epoch(metric)
        if len(best) > 1:
            name = f"median {name}"
        middle = float(np.median(best))
        return ax.axvline(middle, color="tab:gray", linestyle="--", label=f"{name}: {middle:g}")

    def _name_of_best_epoch(self, metric: str) -> str:
        chosen_by = {h.watched for h in self.histories if h.kept_epoch is not None}
        if not chosen_by:
            extreme = "greatest" if greater_is_better(metric) else "least"
            return f"epoch of {extreme} validation {metric}"
        if len(chosen_by) > 1 or None in chosen_by:
            return "epoch of the weights kept"
        (watched,) = chosen_by
        return "best epoch" if watched == f"val_{metric}" else f"best epoch by {watched}"
