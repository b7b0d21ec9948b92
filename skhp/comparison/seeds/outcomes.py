"""The scores of trainings that differ in the seed, or their errors."""

from __future__ import annotations

import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import pandas as pd
from sklearn.exceptions import FitFailedWarning

from skhp.comparison.scores import number_of_score
from skhp.search.scores import Training, training_of


class SeedScore(NamedTuple):
    """The scores of a training, and what the estimator reports about it.

    A metric whose scorer failed has the text of the error in place of a score.
    """

    scores: Mapping[str, float | str]
    training: Training
    estimator: Any
    seconds: float = nan


@dataclass(frozen=True, eq=False)
class SeedScorer:
    """A scorer; a single score without a name gets the name `metric`."""

    scorer: Callable[..., Any]
    metric: str
    keeps_estimator: bool

    def __call__(self, estimator: Any, X: Any, y: Any, **further: Any) -> SeedScore:
        """Score a fitted estimator."""
        target = () if y is None else (y,)
        found = self.scorer(estimator, X, *target, **further)
        by_name = found if isinstance(found, Mapping) else {self.metric: found}
        return SeedScore(
            {
                # With several metrics, scikit-learn gives the text of an error in place of a score.
                str(name): one if isinstance(one, str) else number_of_score(str(name), one)
                for name, one in by_name.items()
            },
            training_of(estimator),
            estimator if self.keeps_estimator else None,
        )


def tell_of_errors(outcomes: Sequence[SeedScore | Exception], error_score: Any) -> None:
    """Raise if all trainings failed, and warn if some failed."""
    errors = [
        text
        for one in outcomes
        for text in (
            ["".join(traceback.format_exception_only(one))]
            if isinstance(one, Exception)
            else [score for score in one.scores.values() if isinstance(score, str)]
        )
    ]
    if not errors:
        return
    counts = "\n".join(f"{count} times:\n{text}" for text, count in Counter(errors).items())
    failed = [one for one in outcomes if isinstance(one, Exception)]
    if len(failed) == len(outcomes):
        raise ValueError(
            f"All {len(outcomes)} trainings failed. With error_score='raise', the first error is "
            f"raised as it is. The errors:\n{counts}"
        ) from failed[0]
    warnings.warn(
        f"Some of {len(outcomes)} trainings failed or could not be scored; their scores are set to "
        f"{error_score}. With error_score='raise', the first error is raised as it is. The "
        f"errors:\n{counts}",
        FitFailedWarning,
        stacklevel=3,
    )


def score_frame(
    outcomes: Sequence[SeedScore | Exception], error_score: Any, index: pd.MultiIndex
) -> pd.DataFrame:
    """A row for each training, and a column for each metric."""
    names = next(list(one.scores) for one in outcomes if not isinstance(one, Exception))

    def row(outcome: SeedScore | Exception) -> list[float]:
        found = {} if isinstance(outcome, Exception) else outcome.scores
        scores = [found.get(name) for name in names]
        return [one if isinstance(one, float) else float(error_score) for one in scores]

    return pd.DataFrame([row(one) for one in outcomes], index=index, columns=names)


def training_frame(outcomes: Sequence[SeedScore | Exception], index: pd.MultiIndex) -> pd.DataFrame:
    """A row for each training, with what its estimator reports."""
    scored = [None if isinstance(one, Exception) else one for one in outcomes]
    frame = pd.DataFrame({"fit_time": [one.seconds if one else nan for one in scored]}, index=index)
    for name in ("n_iter", "best_epoch", "stop_reason"):
        told = [getattr(one.training, name) if one else None for one in scored]
        if any(value is not None for value in told):
            frame[name] = told
        if name != "stop_reason" and None not in told:
            frame[name] = frame[name].astype(int)
    return frame
