"""
Any tool of scikit-learn, with one line
=======================================

Voting, bagging, calibration, stacking, feature elimination: each of them fits several networks, one
after another. Within ``with skhp.population():`` these fits wait for each other and train together.
The code of scikit-learn is the same, and so are its results.
"""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import cross_val_score, learning_curve

import skhp
from skhp import KerasMLPClassifier

X, y = make_classification(300, 8, n_informative=5, random_state=0)
network = KerasMLPClassifier(neurons=8, epochs=30, learning_rate=0.01, random_state=0)
seeds = [
    (f"seed {k}", KerasMLPClassifier(**network.get_params()).set_params(random_state=k))
    for k in range(5)
]

with skhp.population():
    vote = cross_val_score(VotingClassifier(seeds, voting="soft"), X, y, cv=3)
    bagging = cross_val_score(BaggingClassifier(network, 5, random_state=0), X, y, cv=3)
    calibrated = CalibratedClassifierCV(network, cv=3).fit(X, y)
    sizes, _, of_sizes = learning_curve(network, X, y, train_sizes=[0.3, 0.6, 1.0], cv=3)

print(f"vote of five seeds: accuracy {vote.mean():.3f}")
print(f"bag of five networks: accuracy {bagging.mean():.3f}")
print(f"calibrated on {len(calibrated.calibrated_classifiers_)} folds")
for size, accuracies in zip(sizes, of_sizes, strict=True):
    print(f"{size} rows: accuracy {accuracies.mean():.3f}")

# %%
# skhp does not know these tools by name. Each task of joblib that fits a network of skhp is held at
# its ``fit``, until all tasks wait or have ended; then the waiting networks train in compiled
# programs, and the tasks go on.
