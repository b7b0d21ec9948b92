"""
A rare class: loss, threshold and what they cost
================================================

One row in ten is positive. A network that learns by crossentropy seldom says "positive" at a
probability of one half. ``threshold="tune"`` finds a better threshold on the rows that early
stopping holds out, and ``loss="soft_f1"`` learns the F1 of the rare class itself.
"""

from sklearn.datasets import make_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from skhp import KerasMLPClassifier, ThresholdDisplay

X, y = make_classification(
    1200, 10, n_informative=6, n_clusters_per_class=2, weights=[0.9], flip_y=0.03, random_state=1
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
parameters = {"neurons": 16, "learning_rate": 0.01, "epochs": 60, "random_state": 0}
networks = {
    "crossentropy, threshold 0.5": KerasMLPClassifier(**parameters),
    "crossentropy, tuned threshold": KerasMLPClassifier(threshold="tune", **parameters),
    "soft F1": KerasMLPClassifier(loss="soft_f1", batch_size=128, **parameters),
}
for name, network in networks.items():
    network.fit(X_train, y_train)
    found = f1_score(y_test, network.predict(X_test))
    print(f"{name}: F1 {found:.2f}, positive from {network.threshold_:.2f} on")

# %%
# Precision, recall and F1 over the threshold, on rows that no decision was made on:
display = ThresholdDisplay.from_estimator(networks["crossentropy, threshold 0.5"], X_test, y_test)
