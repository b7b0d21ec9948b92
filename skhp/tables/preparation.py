"""Turn numbers and categories, some of them missing, into the inputs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)

from skhp.tables.cell_texts import are_missing, is_number, means_missing, spelling_key

# The names of a branch of the preparation and of its last step.
NUMBERS, SCALING = "numbers", "scaling"


@dataclass(frozen=True)
class Imputation:
    """How many cells of a column are missing, and what is put in their place."""

    column: str
    n_missing: int
    strategy: str


class PlainCategories(TransformerMixin, BaseEstimator):
    """Categories of any type of pandas as plain objects, spelled as they were learned.

    In the columns `merged`, texts that differ only in spelling, such as in blanks or case, are one
    category; the texts `missing` mean a missing value.
    """

    def __init__(self, merged: Sequence[str] = (), missing: Sequence[str] = ()) -> None:
        self.merged = merged
        self.missing = missing

    def fit(self, categories: pd.DataFrame, y: object = None) -> PlainCategories:
        """Learn the spellings, and which columns hold codes such as 007 or the text None."""
        categories = self._plain(categories)
        self.spellings_ = {
            name: {spelling_key(text): text for text in categories[name] if isinstance(text, str)}
            for name in self.merged
        }
        self.codes_ = {
            name: code
            for name, cells in categories.items()
            if (code := next((text for text in cells if _is_number_as_text(text)), None))
        }
        # pandas reads a category called None as a missing cell, unless it is told otherwise.
        self.named_missing_ = {
            name: named[0]
            for name, cells in categories.items()
            if len(named := [text for text in cells.unique() if means_missing(text)]) == 1
            and cells.notna().all()
        }
        self.feature_names_in_ = np.asarray(categories.columns, dtype=object)
        return self

    def transform(self, categories: pd.DataFrame) -> pd.DataFrame:
        """The cells as plain objects; a ValueError if a column of codes holds numbers."""
        categories = self._plain(categories)
        for name, code in self.codes_.items():
            numbers = [cell for cell in categories[name].dropna() if not isinstance(cell, str)]
            if numbers:
                raise ValueError(
                    f"column {name!r} holds the number {numbers[0]!r}, but was learned as text "
                    f"such as {code!r}: read it as text, with pandas by dtype={{{name!r}: str}}."
                )
        for name, text in self.named_missing_.items():
            categories[name] = categories[name].where(categories[name].notna(), text)
        for name, spellings in self.spellings_.items():
            known = set(spellings.values())
            categories[name] = [
                spellings.get(spelling_key(cell), cell)
                if isinstance(cell, str) and cell not in known
                else cell
                for cell in categories[name]
            ]
        return categories

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The names of the columns."""
        return self.feature_names_in_

    def _plain(self, categories: pd.DataFrame) -> pd.DataFrame:
        # pandas has several types for text, truth values and categories, each with a missing value
        # of its own, and a column may have another of these types in the next file.
        is_known = categories.notna()
        if self.missing:
            is_known &= ~categories.apply(are_missing, missing=self.missing)
        plain = categories.astype(object).where(is_known, np.nan)
        # pandas reads the decimals of a Parquet file as objects that equal few floats.
        for name, cells in plain.items():
            if types.infer_dtype(cells.dropna()) == "decimal":
                plain[name] = cells.astype(float).astype(object)
        return plain


class PlainNumbers(TransformerMixin, BaseEstimator):
    """Numbers of any type of pandas, decimals and texts among them; NaN where one is missing.

    The texts and numbers `missing` mean a missing value.
    """

    def __init__(self, missing: Sequence[str] = ()) -> None:
        self.missing = missing

    def fit(self, numbers: pd.DataFrame, y: object = None) -> PlainNumbers:
        """Learn the names of the columns."""
        self.feature_names_in_ = np.asarray(numbers.columns, dtype=object)
        return self

    def transform(self, numbers: pd.DataFrame) -> pd.DataFrame:
        """The numbers with NaN for missing values; a ValueError for any other text."""
        return pd.DataFrame(
            {name: self._plain(cells) for name, cells in numbers.items()}, index=numbers.index
        )

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The names of the columns."""
        return self.feature_names_in_

    def _plain(self, cells: pd.Series) -> pd.Series:
        if isinstance(cells.dtype, pd.CategoricalDtype):
            cells = pd.Series(np.asarray(cells), index=cells.index)
        if self.missing:
            cells = cells.mask(are_missing(cells, self.missing))
        if types.is_numeric_dtype(cells.dtype):
            return cells
        return pd.to_numeric(cells.mask(cells.map(means_missing).astype(bool)))


class _Encoded(TransformerMixin, BaseEstimator):
    """Columns of numbers, encoded by steps of scikit-learn."""

    def fit(self, X: object, y: object = None) -> Self:
        """Learn the encoding."""
        X = self._limited(np.asarray(X, dtype=float), first=True)
        self.encoding_ = make_pipeline(*self._steps()).fit(X)
        return self

    def transform(self, X: object) -> np.ndarray:
        """The encoded columns; a number outside the range of `fit` counts as its nearest end."""
        return self.encoding_.transform(self._limited(np.asarray(X, dtype=float)))

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The names of the encoded columns."""
        return self.encoding_.get_feature_names_out(input_features)

    def _limited(self, X: np.ndarray, *, first: bool = False) -> np.ndarray:
        if first:
            self.lowest_, self.highest_ = X.min(axis=0), X.max(axis=0)
        return np.clip(X, self.lowest_, self.highest_)

    def _steps(self) -> list[TransformerMixin]:
        raise NotImplementedError


class PiecewiseLinear(_Encoded):
    """Encodes each number by a linear spline with its knots at quantiles, and scales the result.

    A network then has bends at the knots even with its initial weights.
    """

    def __init__(self, n_knots: int = 8) -> None:
        self.n_knots = n_knots

    def _steps(self) -> list[TransformerMixin]:
        spline = SplineTransformer(
            n_knots=self.n_knots, degree=1, knots="quantile", extrapolation="constant"
        )
        return [spline, StandardScaler()]


class PowerScaler(_Encoded):
    """Makes each column of numbers more like a normal distribution by a power, and scales it.

    Beyond the numbers that a `PowerTransformer` has learnt, its powers can have any size, up to
    infinity; the numbers are scaled before, as it fails on very small ones.
    """

    def _steps(self) -> list[TransformerMixin]:
        return [StandardScaler(), PowerTransformer()]


def make_preparation(
    numbers: Sequence[str],
    categories: Sequence[str],
    merged: Sequence[str] = (),
    missing: Sequence[str] = (),
) -> ColumnTransformer:
    """Impute and scale numbers, impute and one-hot encode categories.

    A category that was not seen in training becomes zeros only; other columns are ignored.
    """
    # keep_empty_features, because a column may be empty in the training rows of a fold.
    plain = PlainNumbers(missing=tuple(missing))
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    # The steps have names, since a search of `skhp tune` puts other scalers in place of this one.
    for_numbers = Pipeline([("plain", plain), ("imputation", imputer), (SCALING, StandardScaler())])
    for_categories = make_pipeline(
        PlainCategories(merged=tuple(merged), missing=tuple(missing)),
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    branches = [
        (NUMBERS, for_numbers, list(numbers)),
        ("categories", for_categories, list(categories)),
    ]
    return ColumnTransformer([branch for branch in branches if branch[2]])


def missing_cells(
    inputs: pd.DataFrame, numbers: Sequence[str], categories: Sequence[str]
) -> tuple[Imputation, ...]:
    """The columns with missing cells and what `make_preparation` puts in their place."""
    counts = inputs.isna().sum()
    strategies = [(name, "median") for name in numbers]
    strategies += [(name, "most frequent") for name in categories]
    return tuple(
        Imputation(name, int(counts[name]), strategy)
        for name, strategy in strategies
        if counts[name]
    )


def _is_number_as_text(cell: object) -> bool:
    return isinstance(cell, str) and is_number(cell)
