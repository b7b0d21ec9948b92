"""
Nested cross-validation
=======================

The best score of a search is flattering, because the search chose the luckiest candidate. Nested
cross-validation scores the whole procedure on rows that its search never saw. Within a population,
the searches of all outer folds are a single population: 3 x 4 x 3 fits, and then the 3 refits.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import KerasMLPClassifier

X, y = load_breast_cancer(return_X_y=True)
network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=30, random_state=0))
grid = {
    "kerasmlpclassifier__neurons": [5, 20],
    "kerasmlpclassifier__learning_rate": [0.001, 0.01],
}
search = GridSearchCV(network, grid, cv=3, scoring="balanced_accuracy")

with skhp.population():
    outer = cross_validate(search, X, y, cv=3, scoring="balanced_accuracy", return_estimator=True)

for score, found in zip(outer["test_score"], outer["estimator"], strict=True):
    print(f"{score:.3f} on new rows, {found.best_score_:.3f} in the search: {found.best_params_}")

# %%
# ``skhp.compare`` does this for several estimators over repeated folds, and tests the differences.
