"""How much training does pruning spare, and what does it cost?

A grid of 250 candidates (125 learning rates x 2 batch sizes x 5 stratified folds, on tables like
that of `seed_grid.py`), searched whole and with ``prune="halving"``, both by `skhp.GridSearchCV` in
one process, after one search of each kind has compiled its programs. For each of ten tables: the
share of the training time, and by how many standard errors of the best candidate of the whole
search (over its folds) the candidate that the pruned search picks is worse, both scored untouched.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

LEARNING_RATES = [float(rate) for rate in np.logspace(-5, -1, 125)]
BATCH_SIZES = (20, 40)
FOLDS = 5


def main() -> None:
    """Print a line for each table, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="tables")
    parser.add_argument("--factor", type=float, default=3.0)
    arguments = parser.parse_args()
    prune = "halving" if arguments.factor == 3 else {"factor": arguments.factor}
    for setting in (None, prune):
        searched(0, setting)
    rows = [compared(seed, prune) for seed in range(arguments.seeds)]
    print("table  training  whole search  best F1  picked  standard errors worse  pruned")
    for seed, row in enumerate(rows):
        print(
            f"{seed:>5}  {row['training']:>8.0%}  {row['wall']:>12.0%}  {row['best']:>7.3f}  "
            f"{row['picked']:>6.3f}  {row['errors']:>21.2f}  {row['pruned']:>6.0%}"
        )
    for name in ("training", "wall"):
        print(f"median share, {name}: {statistics.median(row[name] for row in rows):.0%}")
    within = sum(row["errors"] <= 1 for row in rows)
    print(f"within one standard error: {within} of {len(rows)}")


def compared(seed: int, prune: Any) -> dict[str, float]:
    """The two searches of one table."""
    whole, whole_training, whole_wall = searched(seed, None)
    pruned, training, wall = searched(seed, prune)
    scores = np.array(
        [whole.cv_results_[f"split{fold}_test_score"] for fold in range(FOLDS)], dtype=float
    )
    means = scores.mean(axis=0)
    best = int(whole.best_index_)
    error = scores[:, best].std(ddof=1) / np.sqrt(FOLDS)
    picked = means[pruned.best_index_]
    return {
        "training": training / whole_training,
        "wall": wall / whole_wall,
        "best": float(means[best]),
        "picked": float(picked),
        "errors": float((means[best] - picked) / error),
        "pruned": float(np.isfinite(pruned.cv_results_["pruned_at_epoch"]).mean()),
    }


def searched(seed: int, prune: Any) -> tuple[Any, float, float]:
    """A search, the seconds of all its fits, and those of the whole."""
    from sklearn.datasets import make_classification
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    from skhp import GridSearchCV, KerasMLPClassifier

    X, y = make_classification(
        300, 10, n_informative=6, weights=[0.8], flip_y=0.05, random_state=seed
    )
    network = KerasMLPClassifier(neurons=6, epochs=200, patience=10, random_state=seed)
    search = GridSearchCV(
        network,
        {"learning_rate": LEARNING_RATES, "batch_size": BATCH_SIZES},
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
        prune=prune,
        refit=False,
    )
    began = time.perf_counter()
    search.fit(StandardScaler().fit_transform(X), y)
    wall = time.perf_counter() - began
    return search, float(FOLDS * search.cv_results_["mean_fit_time"].sum()), wall


if __name__ == "__main__":
    main()
