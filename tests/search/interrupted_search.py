"""A search with a journal, to be killed; tells of each fit that it scores."""

import sys
import time

import numpy as np
from sklearn.metrics import f1_score

from skhp import GridSearchCV, KerasMLPClassifier

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(220, 5))
Y = (X[:, 0] + GENERATOR.normal(size=220) / 2 > 0.8).astype(int)
GRID = {
    "learning_rate": [float(rate) for rate in np.logspace(-3, -1, 5)],
    "batch_size": [10, 20],
    "dropout": [0.0, 0.2],
}
N_FITS = 60
# A fit is scored, and written down, in so many seconds.
SECONDS_A_SCORE = 0.05


def told(line):
    print(line, flush=True)


def slow_f1(estimator, X, y):
    told("scored")
    time.sleep(SECONDS_A_SCORE)
    return f1_score(y, estimator.predict(X))


def search(journal):
    network = KerasMLPClassifier(epochs=30, patience=10, random_state=0)
    return GridSearchCV(network, GRID, cv=3, scoring=slow_f1, journal=journal, refit=False)


if __name__ == "__main__":
    searching = search(sys.argv[1])
    told("began")
    searching.fit(X, Y)
