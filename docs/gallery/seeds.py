"""
How much is luck?
=================

``skhp.repeat`` trains one estimator with many seeds on the same rows, all in one program. The
spread of the scores is what the seed alone changes.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import KerasMLPClassifier, RepeatsDisplay

X, y = load_breast_cancer(return_X_y=True)
network = make_pipeline(StandardScaler(), KerasMLPClassifier(neurons=10, epochs=30))
repeats = skhp.repeat(network, X, y, n=30)
print(repeats)

# %%
# One dot for each seed:
display = RepeatsDisplay(repeats.values, "F1").plot()
