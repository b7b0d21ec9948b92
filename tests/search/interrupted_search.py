"""A search with a journal, to be killed; prints "began", and "done" with its scores."""

import json
import sys

import numpy as np

from skhp import GridSearchCV, KerasMLPClassifier

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(220, 5))
Y = (X[:, 0] + GENERATOR.normal(size=220) / 2 > 0.8).astype(int)
GRID = {
    "learning_rate": [float(rate) for rate in np.logspace(-3, -1, 5)],
    "batch_size": [10, 20],
    "dropout": [0.0, 0.2],
}


def search(journal):
    network = KerasMLPClassifier(epochs=60, patience=20, random_state=0)
    return GridSearchCV(network, GRID, cv=3, journal=journal, refit=False)


if __name__ == "__main__":
    searching = search(sys.argv[1])
    print("began", flush=True)
    results = searching.fit(X, Y).cv_results_
    scores = [[float(results[f"split{k}_test_score"][i]) for k in range(3)] for i in range(20)]
    print("done " + json.dumps(scores), flush=True)
