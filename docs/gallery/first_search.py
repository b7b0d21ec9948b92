"""
A grid search over layers and neurons
=====================================

Hidden layers and neurons are hyperparameters like any other. ``GridSearchCV`` of skhp is
scikit-learn's, and trains the networks of all candidates and folds together.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, KerasMLPClassifier, SearchDisplay

X, y = load_breast_cancer(return_X_y=True)
network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=40, random_state=0))
grid = {
    "kerasmlpclassifier__neurons": [2, 5, 10, 20],
    "kerasmlpclassifier__learning_rate": [0.0003, 0.001, 0.003, 0.01],
}
search = GridSearchCV(network, grid, cv=3).fit(X, y)
print(search.best_params_)
print(f"F1 of the rarer class: {search.best_score_:.3f}")
print(search.population_report_)

# %%
# The score over both parameters:
display = SearchDisplay.from_search(search)
