"""How much of the scores of a search depends on each of its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from skhp.inspection.displays.axes import scale_of, wrapped_name

LEAST_CANDIDATES = 10
_FOLDS = 5
_REPEATS = 20
_TREES = 100
# A value that is not set lies before the first one; any place outside of the axis would do.
_NOT_SET = -0.5


@dataclass(frozen=True)
class ParameterImportance:
    """Importances, and how far they can be believed."""

    # What shuffled values add to the squared error of the forest, divided by the variance of the
    # scores: around 0 for a parameter that does not matter, and up to 2.
    of_parameter: Mapping[str, float]
    spread: Mapping[str, float]  # standard deviation over the shuffles
    # Share of the variance of unseen scores that the forest explains. Near 0 or below, the
    # importances tell nothing.
    explained: float


def parameter_importance(
    values: Mapping[str, Sequence[Any]], scores: np.ndarray
) -> ParameterImportance | None:
    """Permutation importance of the parameters for a random forest that predicts the scores.

    In each of five folds, the values are shuffled for candidates that the forest was not fitted on.
    Where parameters vary together, each looks less important than it is.
    """
    finite = np.isfinite(scores)
    table = np.column_stack([scale_of(of).shares(of) for of in values.values()])[finite]
    table = np.where(np.isnan(table), _NOT_SET, table)
    scores = scores[finite]
    if len(scores) < LEAST_CANDIDATES or np.ptp(scores) == 0:
        return None
    total = float(np.sum((scores - scores.mean()) ** 2))
    error = 0.0
    gained = np.zeros((len(values), _REPEATS))
    random = np.random.default_rng(0)
    for train, test in KFold(_FOLDS, shuffle=True, random_state=0).split(table):
        forest = RandomForestRegressor(_TREES, random_state=0).fit(table[train], scores[train])
        of_fold = float(_squared_errors(forest, table[test], scores[test]))
        # One prediction of all shuffles: scikit-learn 1.9's `permutation_importance` predicts each
        # by itself, which takes seconds for eight parameters of a few candidates.
        shuffled = np.tile(table[test], (len(values), _REPEATS, 1, 1))
        for place, of_parameter in enumerate(shuffled):
            of_parameter[..., place] = random.permuted(of_parameter[..., place], axis=1)
        error += of_fold
        gained += (_squared_errors(forest, shuffled, scores[test]) - of_fold) / total
    return ParameterImportance(
        of_parameter=dict(zip(values, gained.mean(axis=1).tolist(), strict=True)),
        spread=dict(zip(values, gained.std(axis=1).tolist(), strict=True)),
        explained=1.0 - error / total,
    )


def _squared_errors(forest: Any, tables: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The sum of squared errors for each of many tables of the same candidates."""
    predicted = forest.predict(tables.reshape(-1, tables.shape[-1]))
    return np.sum((predicted.reshape(tables.shape[:-1]) - scores) ** 2, axis=-1)


# The longest line of a name where the bars are narrow, because they are beside another plot.
_LETTERS = 18


def draw_importance(
    ax: Any, importance: ParameterImportance, short_names: Mapping[str, str], *, wide: bool = False
) -> None:
    """Draw a bar for each parameter, the most important one on top."""
    names = sorted(importance.of_parameter, key=lambda name: importance.of_parameter[name])
    ax.barh(
        [wrapped_name(short_names[name], 40 if wide else _LETTERS) for name in names],
        [importance.of_parameter[name] for name in names],
        xerr=[importance.spread[name] for name in names],
        color="tab:blue",
    )
    ax.axvline(0, color="black", linewidth=0.8)
    between = " " if wide else "\n"
    ax.set_xlabel(
        f"permutation importance{between}(added squared error / variance)", fontsize="small"
    )
    believable = "" if importance.explained > 0.3 else f"{between}so the bars tell little"
    explained = f"{max(importance.explained, 0):.0%} of unseen scores"
    ax.set_title(f"A random forest explains{between}{explained}{believable}", fontsize="small")
