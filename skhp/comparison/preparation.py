"""Turn numbers and categories, some of them missing, into the inputs of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

__all__ = ["Imputation", "make_preparation", "missing_cells"]


@dataclass(frozen=True)
class Imputation:
    """How many cells of a column are missing, and what is put in their place."""

    column: str
    n_missing: int
    strategy: str


def make_preparation(numbers: Sequence[str], categories: Sequence[str]) -> ColumnTransformer:
    """Impute and scale numbers, impute and one-hot encode categories.

    A category that was not seen in training is all zeros; further columns are ignored.

    Parameters
    ----------
    numbers, categories : sequences of str
        Columns of the DataFrame that the transformer will be given.

    Returns
    -------
    ColumnTransformer

    Examples
    --------
    >>> table = pd.DataFrame({"age": [30.0, None, 50.0], "ward": ["a", "b", None]})
    >>> make_preparation(["age"], ["ward"]).fit_transform(table).round(2)
    array([[-1.22,  1.  ,  0.  ],
           [ 0.  ,  0.  ,  1.  ],
           [ 1.22,  1.  ,  0.  ]])
    """
    # keep_empty_features: in the training rows of a fold a column may have no value at all.
    for_numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    for_categories = make_pipeline(
        FunctionTransformer(_as_plain_objects, feature_names_out="one-to-one"),
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    branches = [
        ("numbers", for_numbers, list(numbers)),
        ("categories", for_categories, list(categories)),
    ]
    return ColumnTransformer([branch for branch in branches if branch[2]])


def missing_cells(
    inputs: pd.DataFrame, numbers: Sequence[str], categories: Sequence[str]
) -> tuple[Imputation, ...]:
    """The columns with missing cells and what `make_preparation` puts in their place.

    Examples
    --------
    >>> missing_cells(pd.DataFrame({"age": [30.0, None, None]}), ["age"], [])
    (Imputation(column='age', n_missing=2, strategy='median'),)
    """
    counts = inputs.isna().sum()
    strategies = [(name, "median") for name in numbers]
    strategies += [(name, "most frequent") for name in categories]
    return tuple(
        Imputation(name, int(counts[name]), strategy)
        for name, strategy in strategies
        if counts[name]
    )


def _as_plain_objects(categories: pd.DataFrame) -> pd.DataFrame:
    # pandas has a text, a truth, a nullable and a categorical type, each with a missing value of
    # its own, and the same column may be of another one in the next file.
    return categories.astype(object).where(categories.notna(), np.nan)
