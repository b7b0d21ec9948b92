"""A search whose cohort trains for minutes, to be killed; it tells when its state was written."""

import sys

import numpy as np

from skhp import GridSearchCV, KerasMLPClassifier
from skhp.population.cohorts import kept_states

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(120, 5))
Y = (X[:, 0] + GENERATOR.normal(size=120) / 2 > 0.3).astype(int)
RATES = [1e-1, 1e-2, 1e-3, 1e-4]
EPOCHS = 150


def search(journal=None, prune=None, **settings):
    network = KerasMLPClassifier(neurons=3, epochs=EPOCHS, patience=12, dropout=0.1, random_state=0)
    grid = {"learning_rate": RATES, "batch_size": [20]}
    settings = {"cv": 3, "refit": False, "early_stopping": True, **settings}
    return GridSearchCV(network, grid, journal=journal, prune=prune, **settings)


if __name__ == "__main__":
    kept_states.SECONDS_APART, kept_states.SHARE_OF_TIME = 0.0, 1e9
    write = kept_states.CohortFile.write

    def told(file, checkpoint):
        write(file, checkpoint)
        print(checkpoint.epochs, flush=True)

    kept_states.CohortFile.write = told
    search(sys.argv[1]).fit(X, Y)
    print("finished", flush=True)
