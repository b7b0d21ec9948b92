"""One search that several processes run at once, and can be held in its midst."""

import logging
import os
import time
from pathlib import Path

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from skhp import GridSearchCV

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
DEPTHS = [1, 2, 3, 4]
N_FITS = 12


class HeldScorer:
    """Notes each score in a file, and waits after the third one until the file `go` is there."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __call__(self, estimator, X, y):
        folder = Path(self.folder)
        with (folder / "scored").open("a") as file:
            file.write(f"{os.getpid()} {estimator.max_depth} {X[0, 0]}\n")
        if len((folder / "scored").read_text().splitlines()) >= 3:
            until = time.monotonic() + 60
            while not (folder / "go").exists() and time.monotonic() < until:
                time.sleep(0.01)
        return estimator.score(X, y)


def search(folder, **settings):
    seed = settings.pop("seed", 0)
    return GridSearchCV(
        DecisionTreeClassifier(random_state=seed),
        {"max_depth": DEPTHS},
        cv=3,
        scoring=HeldScorer(folder),
        journal=folder / "j",
        **settings,
    )


class Telling(logging.Handler):
    def __init__(self, told):
        super().__init__()
        self.told = told

    def emit(self, record):
        self.told.send(record.getMessage())


def search_and_tell(folder, told, settings):
    """Search; tell what is logged, then the results or the error."""
    logging.getLogger("skhp").addHandler(Telling(told))
    try:
        results = search(folder, **settings).fit(X, Y).cv_results_
    except Exception as error:
        told.send((type(error).__name__, str(error)))
        return
    told.send({name: column for name, column in results.items() if name != "params"})
