"""The rows that tasks train on, cut once for all tasks that train on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from skhp.compat.scikit_learn import cut_method_parameters, rows_of, split_rows


class SharedRows:
    """Cuts rows so that equal cuts are the identical object.

    Estimators prepare an object once and know it again by its identity, so a fold that a hundred
    candidates train on is prepared once.
    """

    def __init__(self) -> None:
        self._cuts: dict[tuple[str, int, int], tuple[Any, Any]] = {}
        self._number_of: dict[tuple[str, bytes], int] = {}
        self._number_by_identity: dict[int, tuple[Any, int]] = {}

    def cut(self, estimator: Any, X: Any, y: Any, train: Any) -> tuple[Any, Any]:
        """The rows `train` of X and y."""
        indices = np.asarray(train)
        pairwise = "square" if get_tags(estimator).input_tags.pairwise else "rows"
        X_train = self._once(pairwise, X, train, lambda: split_rows(estimator, X, None, indices)[0])
        if y is None:
            return X_train, None
        return X_train, self._once("targets", y, train, lambda: rows_of(y, indices))

    def cut_parameters(self, X: Any, fit_params: Mapping[str, Any], train: Any) -> dict[str, Any]:
        """The rows `train` of those parameters of `fit` that have a row for each row of X."""
        indices = np.asarray(train)

        def cut_one(name: str, value: Any) -> Any:
            whole = {name: value}
            return self._once(
                "parameter",
                value,
                train,
                lambda: cut_method_parameters(X, params=whole, indices=indices)[name],
            )

        return {name: cut_one(name, value) for name, value in fit_params.items()}

    def _once(self, kind: str, values: Any, train: Any, cut: Callable[[], Any]) -> Any:
        key = (kind, id(values), self._number(train))
        if key not in self._cuts:
            # The values are kept so that no other object gets their identity.
            self._cuts[key] = (values, cut())
        return self._cuts[key][1]

    def _number(self, train: Any) -> int:
        """A number that equal indices share; indices seen before are not read again."""
        if id(train) not in self._number_by_identity:
            indices = np.asarray(train)
            number = self._number_of.setdefault(
                (indices.dtype.str, indices.tobytes()), len(self._number_of)
            )
            self._number_by_identity[id(train)] = (train, number)
        return self._number_by_identity[id(train)][1]
