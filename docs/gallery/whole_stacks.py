"""
Whole stacks of layers, searched by TPE
=======================================

``LayerSizes`` is one dimension that holds stacks of layers: from one to three layers, each with a
size of its own. Optuna's sampler proposes four candidates at a time, which train together.
"""

from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import KerasMLPClassifier, LayerSizes, SearchHistoryDisplay, TPESearchCV

X, y = load_wine(return_X_y=True)
network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=20, random_state=0))
space = {
    "kerasmlpclassifier__neurons": LayerSizes(layers=(1, 2), neurons=(4, 32), shape="funnel"),
    "kerasmlpclassifier__learning_rate": (1e-4, 1e-1, "log-uniform"),
}
search = TPESearchCV(network, space, n_iter=8, n_points=4, cv=2, random_state=0).fit(X, y)
print(f"macro F1 {search.best_score_:.3f} by {search.best_params_}")

# %%
# The best score so far:
display = SearchHistoryDisplay.from_search(search)
