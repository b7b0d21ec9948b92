"""
Is the network better than logistic regression?
===============================================

``skhp.compare`` gives all estimators the same repeated folds, tunes within each training fold, and
tests the difference with a correction for the rows that the repeats share.
"""

from sklearn.datasets import make_classification

import skhp
from skhp import KerasMLPClassifier

X, y = make_classification(
    300, 8, n_informative=5, n_clusters_per_class=2, weights=[0.8], random_state=0
)
network = KerasMLPClassifier(neurons=16, learning_rate=0.01, epochs=60)
comparison = skhp.compare({"network": network}, X, y, cv=3, n_repeats=2, n_seeds=1)
print(comparison.verdict("network", "f1"))

# %%
# The differences to the baseline, with their 95% intervals:
display = comparison.plot()

# %%
# Two repeats keep this example short; the default is thirty.
