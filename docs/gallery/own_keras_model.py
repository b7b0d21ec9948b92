"""
Your own Keras model in a search
================================

``KerasClassifier`` takes any function that builds a Keras model. The parameters of the function are
hyperparameters, and the models of all candidates and folds train together. Here, the network has a
shortcut past its hidden layer.
"""

import keras
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, KerasClassifier


def build(meta, neurons=4, dropout=0.0):
    """A network with a shortcut from its inputs to its output."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(neurons, activation="tanh")(inputs)
    hidden = keras.layers.Dropout(dropout, seed=0)(hidden)
    joined = keras.layers.Concatenate()([inputs, hidden])
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))


X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
network = KerasClassifier(
    build,
    loss="binary_crossentropy",
    optimizer="adam",
    optimizer__learning_rate=0.01,
    epochs=15,
    early_stopping=True,
    random_state=0,
)
search = GridSearchCV(network, {"model__neurons": [4, 8]}, cv=2, scoring="roc_auc").fit(X, y)
print(search.population_report_)
print(f"area under the curve {search.best_score_:.3f} by {search.best_params_}")
