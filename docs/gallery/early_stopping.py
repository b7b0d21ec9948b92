"""
Early stopping without a leak
=============================

Rows that decide when a training ends must not be rows that score it. All networks of skhp hold out
a part of their own training rows, so the test fold of a search is never looked at before it is
scored.
"""

from sklearn.datasets import make_classification
from sklearn.model_selection import cross_validate

import skhp
from skhp import HistoryDisplay, KerasMLPClassifier

X, y = make_classification(400, 10, n_informative=5, flip_y=0.05, random_state=0)
network = KerasMLPClassifier(neurons=32, learning_rate=0.003, patience=15, random_state=0)
with skhp.population():
    fits = cross_validate(network, X, y, cv=5, return_estimator=True)["estimator"]
for fit in fits:
    print(f"{fit.n_iter_} epochs, weights of epoch {fit.best_epoch_} kept: {fit.stop_reason_}")

# %%
# The median of the five folds, with a band from the lowest to the highest:
display = HistoryDisplay.from_estimator(fits)
