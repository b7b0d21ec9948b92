"""
A forecast with windows of several lengths
==========================================

``sliding_windows`` cuts a series into windows that never hold their own target. The length of the
window is a hyperparameter, and early stopping holds out the latest windows.
"""

import numpy as np
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import TimeSeriesSplit

from skhp import GridSearchCV, KerasRNNRegressor
from skhp.sequences import sliding_windows

random = np.random.default_rng(0)
series = np.zeros(300)
for day in range(3, 300):
    move = 1.6 * np.sin(1.5 * series[day - 1]) - 0.5 * series[day - 3]
    series[day] = move + random.normal(0, 0.3)

X, y, _ = sliding_windows(series, time_steps=6)
X_train, y_train, X_test, y_test = X[:220], y[:220], X[226:], y[226:]

network = KerasRNNRegressor(
    neurons=12, epochs=50, learning_rate=0.02, validation_rows="last", random_state=0
)
search = GridSearchCV(
    network,
    {"time_steps": [1, 3, 6]},
    cv=TimeSeriesSplit(3, gap=6),
    scoring="neg_mean_absolute_error",
).fit(X_train, y_train)
print(search.best_params_)
print(f"last value: error {mean_absolute_error(y_test, X_test[:, -1]):.2f}")
print(f"network: error {mean_absolute_error(y_test, search.predict(X_test)):.2f}")
