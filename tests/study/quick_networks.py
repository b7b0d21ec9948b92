"""Networks that need no TensorFlow."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.neural_network import MLPClassifier


class QuickNetwork(ClassifierMixin, BaseEstimator):
    """scikit-learn's network behind the parameters and attributes of skhp's."""

    def __init__(self, learning_rate=1e-3, batch_size=32, epochs=15, random_state=None):
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.network_ = MLPClassifier(
            hidden_layer_sizes=(5,),
            learning_rate_init=self.learning_rate,
            batch_size=min(self.batch_size, len(X)),
            random_state=self.random_state,
        )
        for _ in range(self.epochs):
            self.network_.partial_fit(X, y, classes=self.classes_)
        self.history_ = {"loss": list(self.network_.loss_curve_)}
        self.best_epoch_ = self.epochs
        return self

    def predict(self, X):
        return self.network_.predict(X)

    def predict_proba(self, X):
        return self.network_.predict_proba(X)


class QuickRegressor(RegressorMixin, BaseEstimator):
    """A linear regression by gradient descent, behind the parameters of skhp's networks."""

    def __init__(
        self, time_steps=None, learning_rate=1e-2, batch_size=32, epochs=9, random_state=None
    ):
        self.time_steps = time_steps
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X, y):
        rows, random = self._rows(X), np.random.default_rng(self.random_state)
        self.mean_, self.scale_ = y.mean(), y.std()
        target, self.weights_ = (y - self.mean_) / self.scale_, np.zeros(rows.shape[1])
        losses = []
        for _ in range(self.epochs):
            order = random.permutation(len(rows))
            for begin in range(0, len(rows), self.batch_size):
                batch = order[begin : begin + self.batch_size]
                error = rows[batch] @ self.weights_ - target[batch]
                self.weights_ -= self.learning_rate * rows[batch].T @ error / len(batch)
            losses.append(float(np.mean((rows @ self.weights_ - target) ** 2)))
        self.history_, self.best_epoch_ = {"loss": losses}, self.epochs
        return self

    def predict(self, X):
        return self._rows(X) @ self.weights_ * self.scale_ + self.mean_

    def _rows(self, X):
        return np.asarray(X)[:, -(self.time_steps or 0) :].reshape(len(X), -1)
