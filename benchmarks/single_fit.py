"""How long does one fit of a small network take, beside SciKeras and MLPClassifier?

A 10-6-1 network on 300 rows in batches of 20, for a fixed number of epochs. Every contender must
reach the same log loss on rows that it has not seen, before any time is printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

from sklearn.base import ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skhp import KerasMLPClassifier

BATCH_SIZE = 20
LEARNING_RATE = 0.01
# Relative difference of log losses that initial weights alone make.
PARITY = 0.1


def contenders(epochs: int) -> dict[str, Callable[[int], ClassifierMixin]]:
    """Name of each contender and how to make one from a seed."""
    import keras
    from scikeras.wrappers import KerasClassifier

    def build(meta: dict[str, int]) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((meta["n_features_in_"],)),
                keras.layers.Dense(6, activation="relu"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )

    return {
        "skhp": lambda seed: KerasMLPClassifier(
            neurons=6,
            learning_rate=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            early_stopping=False,
            random_state=seed,
        ),
        "SciKeras": lambda seed: KerasClassifier(
            build,
            loss="binary_crossentropy",
            optimizer="adam",
            optimizer__learning_rate=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            verbose=0,
            random_state=seed,
        ),
        "MLPClassifier": lambda seed: MLPClassifier(
            (6,),
            learning_rate_init=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            max_iter=epochs,
            n_iter_no_change=epochs,
            alpha=0.0,
            random_state=seed,
        ),
    }


def main() -> None:
    """Fit every contender several times, in turn; check parity, then print times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    X, y = make_classification(
        1300, 10, n_informative=6, weights=[0.8], flip_y=0.05, random_state=0
    )
    X = StandardScaler().fit_transform(X)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=300, stratify=y, random_state=0
    )
    makers = contenders(arguments.epochs)
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    losses: dict[str, list[float]] = {name: [] for name in makers}
    # The first round pays for imports and caches, and is not counted.
    for seed in range(arguments.repeats + 1):
        for name, make in makers.items():
            estimator = make(seed)
            begin = time.perf_counter()
            estimator.fit(X_train, y_train)
            if seed:
                seconds[name].append(time.perf_counter() - begin)
            losses[name].append(log_loss(y_test, estimator.predict_proba(X_test)))

    reached = {name: statistics.median(values) for name, values in losses.items()}
    best = min(reached.values())
    for name, loss in reached.items():
        if loss > (1 + PARITY) * best:
            raise SystemExit(f"no parity: log loss {loss:.3f} of {name}, best {best:.3f}")
    ours = statistics.median(seconds["skhp"])
    print(f"{'':15}{'median s':>10}{'x skhp':>10}{'log loss':>10}")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:15}{median:10.3f}{median / ours:10.2f}{reached[name]:10.3f}")


if __name__ == "__main__":
    main()
