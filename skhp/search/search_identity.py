"""What must be the same for a search to go on from what an earlier one has finished."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import Any, Self

from skhp.search.descriptions import RECORDED_PACKAGES, class_name, digest

__all__ = ["SearchIdentity"]

_LONGEST_SUMMARY = 60


@dataclass(frozen=True)
class SearchIdentity:
    """What a search was, each part as a text that a person can read, with a digest of the rest."""

    data: str
    folds: str
    estimator: str
    scoring: str
    settings: str
    versions: str

    @classmethod
    def of(
        cls,
        X: Any,
        y: Any,
        folds: Iterable[tuple[Any, Any]],
        estimator: Any,
        scoring: Any,
        fit_params: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """The identity of a search.

        Parameters
        ----------
        X, y : array-like, sparse matrix or DataFrame
            `y` may be None.
        folds : iterable of (train, test)
            The rows of each fold, as a splitter draws them.
        estimator : estimator
            Counts by class and parameters, nested ones included.
        scoring : str, callable, list, dict or None
        fit_params : mapping, default=None
            What else is passed to `fit`.
        settings : mapping, default=None
            What else decides a score, or which scores there are, such as ``return_train_score``.
        """
        drawn = list(folds)
        return cls(
            data=f"{_shape(X)}, {digest([X, y, dict(fit_params or {})])}",
            folds=f"{len(drawn)} folds, {digest(drawn)}",
            estimator=f"{_estimator_name(estimator)}, {digest(estimator)}",
            scoring=f"{_summary(scoring)}, {digest(scoring)}",
            settings=f"{_summary(dict(settings or {}))}, {digest(dict(settings or {}))}",
            versions=", ".join(
                [
                    *(f"{name} {version(name)}" for name in RECORDED_PACKAGES),
                    f"Python {'.'.join(platform.python_version_tuple()[:2])}",
                ]
            ),
        )

    def differences(self, recorded: SearchIdentity) -> list[str]:
        """What differs from what was recorded, one text for each part that does."""
        return [
            f"{part.name} ({getattr(recorded, part.name)} there; {getattr(self, part.name)} here)"
            for part in fields(self)
            if getattr(self, part.name) != getattr(recorded, part.name)
        ]


def _shape(X: Any) -> str:
    return " x ".join(map(str, X.shape if hasattr(X, "shape") else (len(X),)))


def _estimator_name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if not isinstance(steps, list):
        return class_name(type(estimator))
    names = [class_name(type(step)) for _, step in steps if hasattr(step, "fit")]
    return f"{class_name(type(estimator))} of {', '.join(names)}"


def _summary(value: Any) -> str:
    """One short line that names no address, so that it is the same in every process."""
    text = value if isinstance(value, str) else re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SUMMARY else f"{text[: _LONGEST_SUMMARY - 3]}..."
