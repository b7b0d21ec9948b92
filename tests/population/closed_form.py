"""A classifier that joins populations and learns in closed form, and a trainer that counts.

Its weights are an exact function of rows and parameters, so that a result is the same however it
came about, and counters tell how it came about.
"""

import threading
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skhp.exceptions import CannotJoinError
from skhp.population.backend import PopulationBackend
from skhp.population.handover import adoptable_fit

COUNTS = Counter()


class PreparationWarning(UserWarning):
    pass


@dataclass(frozen=True, eq=False)
class Task:
    X: np.ndarray
    targets: np.ndarray
    sample_weight: np.ndarray
    alpha: float
    classes: np.ndarray
    fails_in_training: bool
    given_rows: object
    given_targets: object


@dataclass(frozen=True, eq=False)
class Result:
    coefficients: np.ndarray
    thread: int
    seconds: float = 1000.0


def solve(task):
    if task.fails_in_training:
        raise ArithmeticError("training failed")
    weighted = task.X * task.sample_weight[:, None]
    return Result(
        np.linalg.solve(
            weighted.T @ task.X + task.alpha * np.eye(task.X.shape[1]), weighted.T @ task.targets
        ),
        threading.get_ident(),
    )


class ClosedFormClassifier(ClassifierMixin, BaseEstimator):
    def __init__(
        self, alpha=1.0, joins=True, warns=False, fails_in_training=False, random_state=None
    ):
        self.alpha = alpha
        self.joins = joins
        self.warns = warns
        self.fails_in_training = fails_in_training
        self.random_state = random_state

    def __skhp_fit_task__(self, X, y, **fit_params):
        COUNTS["prepared"] += 1
        if not self.joins:
            raise CannotJoinError("joins is False")
        return self._prepared(X, y, **fit_params)

    def _prepared(self, X, y, sample_weight=None):
        if self.alpha < 0:
            raise ValueError(f"alpha={self.alpha} is negative")
        if self.warns:
            warnings.warn("a warning of preparation", PreparationWarning, stacklevel=1)
        given_rows, given_targets = X, y
        X, y = validate_data(self, X, y)
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
        classes, codes = np.unique(y, return_inverse=True)
        targets = np.eye(len(classes))[codes]
        X = np.column_stack([X, np.ones(len(X))])
        return Task(
            X,
            targets,
            weight,
            self.alpha,
            classes,
            self.fails_in_training,
            given_rows,
            given_targets,
        )

    def fit(self, X, y, **fit_params):
        adopted = adoptable_fit(self, X, y, fit_params)
        if adopted is None:
            COUNTS["fitted alone"] += 1
            task = self._prepared(X, y, **fit_params)
            result = solve(task)
        else:
            COUNTS["adopted"] += 1
            task, result = adopted.task, adopted.result
        self.classes_ = task.classes
        self.n_features_in_ = task.X.shape[1] - 1
        self.coefficients_ = result.coefficients
        return self

    def decision_function(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        scores = np.column_stack([X, np.ones(len(X))]) @ self.coefficients_
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X):
        scores = self.decision_function(X)
        codes = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        scores = self.decision_function(X)
        positive = 1 / (1 + np.exp(-scores))
        return np.column_stack([1 - positive, positive])


class CountingScaler(TransformerMixin, BaseEstimator):
    def __init__(self, scale=1.0, warns=False):
        self.scale = scale
        self.warns = warns

    def fit(self, X, y=None):
        COUNTS["scaler fitted"] += 1
        if self.scale == 0:
            raise ValueError("scale is 0")
        if self.warns:
            warnings.warn("a warning of the scaler", PreparationWarning, stacklevel=2)
        self.mean_ = np.asarray(X).mean(axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_) / self.scale


class InPlaceScaler(CountingScaler):
    """Writes into the rows it is given."""

    def transform(self, X):
        X -= self.mean_
        X /= self.scale
        return X


class CountingTrainer:
    """Trains members one by one, the last first, and counts."""

    def __init__(self):
        self.calls = []
        self.closed = 0

    @property
    def members(self):
        return sum(len(tasks) for tasks, _ in self.calls)

    @property
    def options(self):
        return self.calls[-1][1]

    def __call__(self, tasks, options, progress, contest=None):
        self.calls.append((list(tasks), options))
        try:
            for index in reversed(range(len(tasks))):
                try:
                    yield index, solve(tasks[index])
                except ArithmeticError as error:
                    yield index, error
        finally:
            self.closed += 1


def population_of(trainer, **options):
    return parallel_config(backend=PopulationBackend(train_population=trainer, **options))
