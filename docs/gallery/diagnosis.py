"""
What went wrong, in words
=========================

``skhp.diagnose`` reads the history of a training, or the results of a search, and says what the
curves show, with a figure and the parameter to change.
"""

from sklearn.datasets import make_classification

import skhp
from skhp import HistoryDisplay, KerasMLPClassifier

X, y = make_classification(400, 10, n_informative=5, random_state=0)
slow = KerasMLPClassifier(learning_rate=0.00001, epochs=60, random_state=0).fit(X, y)
print(skhp.diagnose(slow, y))

# %%
# The curve that it speaks of:
display = HistoryDisplay.from_estimator(slow)
