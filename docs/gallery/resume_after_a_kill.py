"""
A search that goes on after a kill
==================================

With ``journal="search.sqlite"``, each fit that is scored is kept in a file. The same call, started
again, does not train these fits a second time, and ends with the same scores as a search that was
never disturbed.

To see this without a kill, the scorer below ends the program in the middle of the search, as long
as a certain file exists.
"""

import sqlite3
import tempfile
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, KerasMLPClassifier

X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
folder = Path(tempfile.mkdtemp())
SCORES_LEFT = folder / "scores_left"


def accuracy(network, X, y):
    """The accuracy, or the end of the program."""
    if SCORES_LEFT.exists():
        left = int(SCORES_LEFT.read_text())
        if left == 0:
            raise KeyboardInterrupt
        SCORES_LEFT.write_text(str(left - 1))
    return network.score(X, y)


def search():
    """The search, as it is written in the program that was killed."""
    network = KerasMLPClassifier(neurons=5, epochs=20, random_state=0)
    grid = {"learning_rate": [0.0001, 0.001, 0.01, 0.1]}
    return GridSearchCV(
        network, grid, cv=3, scoring=accuracy, journal=folder / "search.sqlite"
    ).fit(X, y)


SCORES_LEFT.write_text("7")
try:
    search()
except KeyboardInterrupt:
    print("The search was interrupted.")

# %%
# The journal holds what was scored until then. ``skhp journal search.sqlite`` prints it on the
# command line; it is an SQLite file, so other programs can read it, too.
with sqlite3.connect(folder / "search.sqlite") as journal:
    (kept,) = journal.execute("SELECT count(*) FROM finished_folds").fetchone()
print(f"The journal holds {kept} of 12 fits.")

# %%
# The same call goes on from there: it trains only the fits that the journal does not have.
SCORES_LEFT.unlink()
resumed = search()
print(resumed.population_report_)
print(f"accuracy {resumed.best_score_:.3f} by {resumed.best_params_}")
