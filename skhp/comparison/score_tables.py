"""Every single score, and the counts of classes, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skhp.comparison.outer_fits import OuterScore
from skhp.comparison.repeated_scores import RepeatedScores

__all__ = ["confusion_counts", "long_scores"]


def long_scores(scores: Mapping[str, Sequence[Sequence[OuterScore]]], counted: str) -> pd.DataFrame:
    """A row for each score.

    Parameters
    ----------
    scores : mapping of str to rows of scores
        By the names of the estimators; a row holds a score for each fold.
    counted : str
        What the rows are, as the name of the column that numbers them.

    Returns
    -------
    DataFrame
        Columns: `counted`, fold, estimator, metric, score.
    """
    cells = [
        (number, fold, name, metric, score)
        for name, rows in scores.items()
        for number, row in enumerate(rows)
        for fold, one in enumerate(row)
        for metric, score in one.scores.items()
    ]
    return pd.DataFrame(cells, columns=[counted, "fold", "estimator", "metric", "score"])


def confusion_counts(
    scores: Mapping[str, RepeatedScores],
    labels: np.ndarray,
    class_names: Sequence[Any] | None = None,
) -> pd.DataFrame:
    """How many rows of each class were given which class, summed over folds, mean over repeats.

    Parameters
    ----------
    scores : mapping of str to RepeatedScores
    labels : ndarray of shape (n_classes,)
    class_names : sequence, default=None
        What they are called, where that is something else.

    Returns
    -------
    DataFrame
        Indexed by "estimator" and "class"; a column for each class "predicted".
    """
    names = labels.tolist() if class_names is None else list(class_names)
    classes = pd.Index(names, name="predicted")
    frames = {
        name: pd.DataFrame(
            np.array([[one.confusion for one in row] for row in of_repeats]).sum(1).mean(0),
            index=pd.Index(names, name="class"),
            columns=classes,
        )
        for name, (of_repeats, _) in scores.items()
    }
    return pd.concat(frames, names=["estimator"])
