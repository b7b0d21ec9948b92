"""What a study of classes and a study of numbers do differently."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.dummy import DummyRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    KFold,
    StratifiedKFold,
    train_test_split,
)
from sklearn.pipeline import Pipeline

from skhp.comparison.compared import compared_on_the_table
from skhp.comparison.metric_scorers import (
    SCORINGS_OF_NUMBERS,
    SHORT_NAMES,
    number_scoring_name,
)
from skhp.comparison.named_baselines import BASELINE_C, RIDGE_ALPHAS, tune_baseline, tune_ridge
from skhp.comparison.result import Comparison
from skhp.comparison.scores import (
    SCORINGS,
    Scorer,
    score_classifier,
    score_regressor,
    scoring_name,
)
from skhp.exceptions import SettingsError
from skhp.shared.terminal import OnProgress
from skhp.study.repeats import Split, dummy_test_scores
from skhp.tables.numeric_target import NumericTarget
from skhp.tables.target import Target, with_original_labels

TEST_SHARE = 0.25

ThresholdSetting = float | Literal["tune"] | None


@dataclass(frozen=True, eq=False)
class Task(ABC):
    """What differs between a study of classes and a study of numbers.

    `baseline` is the name of the baseline in the verdict, `n_penalties` the number of its
    candidates.
    """

    target: Target | NumericTarget
    given_scoring: str
    threshold: ThresholdSetting

    baseline: ClassVar[str]
    n_penalties: ClassVar[int]

    def __post_init__(self) -> None:
        self._check_scoring()
        if self.threshold is not None and not self.target.is_binary:
            raise SettingsError(
                f"the threshold {self.threshold!r} is for two classes, and the target "
                f"{self.target.name!r} {self._has}: leave --threshold out."
            )

    @property
    @abstractmethod
    def scoring(self) -> str:
        """scikit-learn's name of the scorer."""

    @property
    def tuned_by(self) -> str:
        """The metric of the verdict that stands for the scorer."""
        return self.scoring

    @property
    def scorer(self) -> Scorer:
        """The scorer of the searches."""
        return get_scorer(self.scoring)

    def split(self, inputs: Any, seed: int) -> Split:
        """Rows to train on, and a quarter of the rows to test on."""
        return Split(
            *train_test_split(
                inputs,
                self.target.learnt,
                test_size=TEST_SHARE,
                stratify=self._strata(),
                random_state=seed,
            )
        )

    @abstractmethod
    def folds(self, split: Split, n_folds: int, seed: int) -> KFold | StratifiedKFold:
        """Shuffled folds of the training rows; fewer than `n_folds` if there are too few rows."""

    def decided(self, network: BaseEstimator) -> BaseEstimator:
        """The network with the threshold of the study, tuned by default, if it can have one."""
        if not self.target.is_binary or "threshold" not in network.get_params():
            return network
        return network.set_params(threshold="tune" if self.threshold is None else self.threshold)

    @abstractmethod
    def tuned_baseline(
        self,
        preparation: TransformerMixin,
        split: Split,
        scorer: Scorer,
        folds: BaseCrossValidator,
        seed: int,
        baseline: ClassifierMixin | None,
    ) -> GridSearchCV:
        """The search over the penalty of the baseline, fitted to the training rows."""

    @abstractmethod
    def scores(self, fitted: Any, split: Split) -> Any:
        """The scores of a fitted model on the test rows."""

    @abstractmethod
    def dummy_scores(self, split: Split) -> Any:
        """The scores on the test rows of a dummy, which looks at no input."""

    def compared(
        self,
        estimators: Mapping[str, Any],
        inputs: Any,
        n_repeats: int,
        seed: int,
        on_progress: OnProgress | None,
    ) -> Comparison:
        """The comparison to the baseline on splits of the whole table."""
        return compared_on_the_table(
            estimators,
            self.baseline,
            inputs,
            self.target,
            tuned_by=self.tuned_by,
            n_repeats=n_repeats,
            seed=seed,
            on_progress=on_progress,
        )

    @abstractmethod
    def finished(self, pipeline: Pipeline) -> Pipeline:
        """A fitted pipeline that predicts what stands in the table."""

    def _strata(self) -> np.ndarray | None:
        """The classes that a split keeps in proportion."""
        return None

    @abstractmethod
    def _check_scoring(self) -> None:
        """Raise a SettingsError if the score does not fit the target."""

    @property
    @abstractmethod
    def _has(self) -> str:
        """The end of a sentence that begins with the name of the target."""


def task_of(
    target: Target | NumericTarget, scoring: str | None, threshold: ThresholdSetting
) -> Task:
    """The task of a target; a score or a threshold that does not fit it is a SettingsError."""
    if isinstance(target, Target):
        return ClassTask(target, "f1" if scoring is None else scoring, threshold)
    return NumberTask(target, "r2" if scoring is None else scoring, threshold)


def require_known_scoring(scoring: str) -> None:
    """Raise a SettingsError if a name is neither a score of classes nor one of numbers."""
    if not _is_of_numbers(scoring):
        scoring_name(scoring, n_classes=2)


def _is_of_numbers(scoring: str) -> bool:
    return scoring.lower() in SHORT_NAMES or scoring in SCORINGS_OF_NUMBERS


@dataclass(frozen=True, eq=False)
class ClassTask(Task):
    """A target of classes: stratified splits, a logistic regression, precision, recall and F1."""

    target: Target

    baseline: ClassVar[str] = "logistic"
    n_penalties: ClassVar[int] = len(BASELINE_C)

    def _check_scoring(self) -> None:
        if _is_of_numbers(self.given_scoring):
            raise SettingsError(
                f"the scoring {self.given_scoring!r} is for numbers, and the target "
                f"{self.target.name!r} {self._has}: give a score of classes such as f1 or, if the "
                "target is numbers, add --task numbers."
            )
        scoring_name(self.given_scoring, n_classes=2)

    @property
    def scoring(self) -> str:
        """scikit-learn's name of the scorer."""
        return scoring_name(self.given_scoring, len(self.target.labels))

    @property
    def tuned_by(self) -> str:
        """The metric of the verdict."""
        return self.given_scoring

    def _strata(self) -> np.ndarray:
        # The labels and not the codes, so that a user who splits as usual gets the same rows.
        return self.target.in_table

    @property
    def _has(self) -> str:
        return f"has {len(self.target.labels)} classes"

    def folds(self, split: Split, n_folds: int, seed: int) -> StratifiedKFold:
        """Stratified folds, no more of them than the rarest class has rows."""
        n_folds = min(n_folds, int(np.bincount(split.y_train).min()))
        return StratifiedKFold(n_folds, shuffle=True, random_state=seed)

    def tuned_baseline(
        self,
        preparation: TransformerMixin,
        split: Split,
        scorer: Scorer,
        folds: BaseCrossValidator,
        seed: int,
        baseline: ClassifierMixin | None,
    ) -> GridSearchCV:
        """A logistic regression: with lasso, unless another `baseline` is given."""
        return tune_baseline(
            preparation, split.X_train, split.y_train, scorer, folds, seed, baseline
        )

    def scores(self, fitted: Any, split: Split) -> Any:
        """Scores of the rare class, and the score of the tuning."""
        return score_classifier(
            fitted, split.X_test, split.y_test, self.target.rare_code, self.scorer
        )

    def dummy_scores(self, split: Split) -> Any:
        """Scores of a dummy that predicts the rare class for each row."""
        return dummy_test_scores(split, self.target.rare_code, self.scorer)

    def finished(self, pipeline: Pipeline) -> Pipeline:
        """A pipeline that answers with labels and not with codes."""
        return with_original_labels(pipeline, self.target.labels)


@dataclass(frozen=True, eq=False)
class NumberTask(Task):
    """A target of numbers: plain splits, a ridge regression, R2 and errors."""

    target: NumericTarget

    baseline: ClassVar[str] = "ridge"
    n_penalties: ClassVar[int] = len(RIDGE_ALPHAS)

    def _check_scoring(self) -> None:
        if self.given_scoring in SCORINGS:
            raise SettingsError(
                f"the scoring {self.given_scoring!r} is for classes, and the target "
                f"{self.target.name!r} {self._has}: give a score of numbers such as r2, mae or "
                "rmse or, if the target has classes, add --task classes."
            )
        number_scoring_name(self.given_scoring, f"the numbers of {self.target.name!r}")

    @property
    def scoring(self) -> str:
        """scikit-learn's name of the scorer."""
        return number_scoring_name(self.given_scoring, f"the numbers of {self.target.name!r}")

    @property
    def _has(self) -> str:
        return "is numbers"

    def folds(self, split: Split, n_folds: int, seed: int) -> KFold:
        """Folds of at least two rows, as R2 is not defined for a single one."""
        n_folds = min(n_folds, len(split.y_train) // 2)
        return KFold(n_folds, shuffle=True, random_state=seed)

    def tuned_baseline(
        self,
        preparation: TransformerMixin,
        split: Split,
        scorer: Scorer,
        folds: BaseCrossValidator,
        seed: int,
        baseline: ClassifierMixin | None,
    ) -> GridSearchCV:
        """A ridge regression."""
        return tune_ridge(preparation, split.X_train, split.y_train, scorer, folds)

    def scores(self, fitted: Any, split: Split) -> Any:
        """R2, errors in the unit of the target, and the score of the tuning."""
        return score_regressor(fitted, split.X_test, split.y_test, self.scorer)

    def dummy_scores(self, split: Split) -> Any:
        """Scores of the mean of the training rows."""
        return self.scores(DummyRegressor().fit(split.X_train, split.y_train), split)

    def finished(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline, which predicts numbers as it is."""
        return pipeline
