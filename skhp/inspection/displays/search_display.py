"""The scores of a search over its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.inspection.displays.axes import drawing_area
from skhp.inspection.displays.parameter_importance import (
    ParameterImportance,
    draw_importance,
    parameter_importance,
)
from skhp.inspection.displays.score_plots import (
    draw_parallel_coordinates,
    draw_score_curve,
    draw_score_map,
)
from skhp.inspection.search_results import SearchResults, search_results
from skhp.shared.nearest_name import nearest_name

MOST_COORDINATES = 8
# Up to this number of parameters, the bars of importance are beside the coordinates, else below.
_MOST_BESIDE = 4
# In inches; a wider picture has letters that are too small on a page.
_WIDTH, _HEIGHT = 10.0, 4.4
_HEIGHT_OF_BARS, _HEIGHT_OF_BAR = 0.9, 0.22


class SearchDisplay:
    """How the score of a search depends on its parameters.

    One parameter is drawn as a curve of the mean score, with a band of one standard deviation of
    the folds to either side. Two are drawn as a heat map, or as coloured points where the
    candidates are not a grid. Three or more are drawn as parallel coordinates, a line for each
    candidate, with bars for the permutation importance of each parameter.

    Where several candidates have the same values of the parameters shown, the best one is drawn.
    Candidates that failed are marked. In a halving search, each candidate has the score of its last
    round. Ticks are at values that were tried. Parameters are named without the steps of a pipeline
    before them, where the rest of the name is unique.

    With more than eight parameters, the eight most important ones have coordinates, and all have a
    bar; ``from_search(..., parameters=[...])`` chooses others.

    It is recommended to create a display by :meth:`from_search`.

    Parameters
    ----------
    results : SearchResults
        Each candidate once, with the parameters to show.
    most_coordinates : int or None, default=8
        The largest number of parameters with coordinates; None is no limit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the curve, the map or the coordinates.
    figure_ : matplotlib Figure
        The figure of the axes.
    kind_ : {"curve", "heat map", "points", "parallel coordinates"}
        How the scores were drawn.
    artists_ : dict of str to object
        What was drawn, by name: "line", "band" and "failed" of a curve; "image" or "points",
        "best", "failed" and "colour bar" of a map; "lines" and "colour bar" of coordinates.
    importance_ : ParameterImportance or None
        None for fewer than three parameters, or fewer than ten candidates.
    importance_ax_ : matplotlib Axes or None
        The axes with a bar for each parameter.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skhp import GridSearchCV, KerasMLPClassifier, SearchDisplay
    >>> X, y = make_blobs(60, centers=2, random_state=0)
    >>> network = KerasMLPClassifier(epochs=5, random_state=0)
    >>> search = GridSearchCV(network, {"learning_rate": [0.001, 0.01, 0.1]}, cv=3).fit(X, y)
    >>> display = SearchDisplay.from_search(search)
    >>> display.kind_, display.ax_.get_xscale()
    ('curve', 'log')
    """

    ax_: Any
    figure_: Any
    kind_: str
    artists_: dict[str, Any]
    importance_: ParameterImportance | None
    importance_ax_: Any

    def __init__(
        self, results: SearchResults, *, most_coordinates: int | None = MOST_COORDINATES
    ) -> None:
        self.results = results
        self.most_coordinates = most_coordinates

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        parameters: Sequence[str] | None = None,
        metric: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the results of a fitted search.

        Parameters
        ----------
        search : estimator
            A fitted search of skhp, scikit-learn or scikit-optimize.
        parameters : sequence of str, default=None
            Which parameters to show; None is all that differ between candidates.
        metric : str, default=None
            Which score to draw, if there are several; None is the one that the search was refitted
            for.
        ax : matplotlib axes, default=None
            The axes to draw on, divided in two for coordinates and importance; None makes a figure.

        Returns
        -------
        SearchDisplay
        """
        results = search_results(search, metric).last_rounds()
        if not results.values:
            raise InvalidParameterError(
                f"All candidates of the {results.name} have the same parameters, so there is "
                "nothing to draw. Search at least two values of one parameter."
            )
        if parameters is None:
            return cls(results).plot(ax)
        chosen = replace(results, values=_chosen(results, parameters))
        return cls(chosen, most_coordinates=None).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the results.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.

        Returns
        -------
        SearchDisplay
        """
        own_figure = ax is None
        ax = drawing_area(self, ax)
        self.importance_ = self.importance_ax_ = None
        n_parameters = len(self.results.values)
        if n_parameters == 1:
            self.kind_, self.artists_ = "curve", draw_score_curve(ax, self.results)
        elif n_parameters == 2:
            self.artists_ = draw_score_map(ax, self.results)
            self.kind_ = "heat map" if "image" in self.artists_ else "points"
        else:
            if own_figure:
                ax.figure.set_size_inches(*size_of_coordinates(n_parameters))
            self._draw_many(ax)
        self.ax_ = ax if n_parameters < 3 else self.ax_
        self.ax_.set_title(self.results.name)
        self.figure_ = self.ax_.figure
        return self

    def _draw_many(self, ax: Any) -> None:
        scores = np.where(self.results.pruned, np.nan, self.results.means)
        self.importance_ = parameter_importance(self.results.values, scores)
        self.kind_, self.ax_ = "parallel coordinates", ax
        n_parameters = len(self.results.values)
        if self.importance_ is not None:
            beside = n_parameters <= _MOST_BESIDE
            ratios = [_HEIGHT, _HEIGHT_OF_BARS + _HEIGHT_OF_BAR * n_parameters]
            place = ax.get_subplotspec()
            grid = (
                place.subgridspec(1, 2, width_ratios=[3, 1])
                if beside
                else place.subgridspec(2, 1, height_ratios=ratios)
            )
            ax.set_axis_off()
            self.ax_ = ax.figure.add_subplot(grid[0])
            self.importance_ax_ = ax.figure.add_subplot(grid[1])
            names = self.results.short_names
            draw_importance(self.importance_ax_, self.importance_, names, wide=not beside)
        drawn = self._with_coordinates()
        self.artists_ = draw_parallel_coordinates(self.ax_, drawn)
        if n_hidden := n_parameters - len(drawn.values):
            self.ax_.set_xlabel(
                f"{n_hidden} more parameters have no coordinates\n{self.ax_.get_xlabel()}".rstrip()
            )

    def _with_coordinates(self) -> SearchResults:
        """The results with the parameters that have coordinates, in their order."""
        values = self.results.values
        most = len(values) if self.most_coordinates is None else self.most_coordinates
        if self.importance_ is None:
            chosen = set(list(values)[:most])
        else:
            weight = self.importance_.of_parameter
            chosen = set(sorted(values, key=lambda name: -weight[name])[:most])
        return replace(
            self.results, values={name: of for name, of in values.items() if name in chosen}
        )


def size_of_coordinates(n_parameters: int) -> tuple[float, float]:
    """Width and height, in inches, of a picture of three parameters or more with importances."""
    if n_parameters <= _MOST_BESIDE:
        return _WIDTH, _HEIGHT
    return _WIDTH, _HEIGHT + _HEIGHT_OF_BARS + _HEIGHT_OF_BAR * n_parameters


def _chosen(results: SearchResults, parameters: Sequence[str]) -> dict[str, list[Any]]:
    chosen = {}
    for name in [parameters] if isinstance(parameters, str) else parameters:
        if name not in results.values:
            raise InvalidParameterError(
                f"Got {name!r} among parameters; expected some of those that differ between "
                f"candidates: {', '.join(results.values)}.{nearest_name(name, results.values)}"
            )
        chosen[name] = results.values[name]
    if not chosen:
        raise InvalidParameterError(
            f"Got parameters={parameters!r}; expected at least one name of "
            f"{', '.join(results.values)}, or None for all."
        )
    return chosen
