"""How much faster is a grid of convolutional networks, trained as a population?

1 to 3 blocks x 5 learning rates x 3 stratified folds = 45 fits on scikit-learn's digits (8 x 8
pixels), and on the same digits drawn with 28 x 28 pixels, by scikit-learn's own GridSearchCV: under
the backend "skhp", and over SciKeras with the same network built by hand, each candidate on one
fold, times the number of folds. Every contender runs in a process of its own; imports are not
counted, tracing is. CPU time is that of all threads. No time is printed before the accuracies of
the same fits are found to agree.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.contenders import (
    Clock,
    accuracies,
    assert_same_accuracy,
    print_times,
    run_case,
)

BLOCKS = (1, 2, 3)
LEARNING_RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
FOLDS = 3
FILTERS = 16
NEURONS = 32
EPOCHS = 10
# Least factor over SciKeras, by the pixels along a side.
TARGETS = {8: 5.0, 28: 2.0}
# Largest difference of mean accuracy that is taken for parity.
PARITY = 0.03


def main() -> None:
    """Run one case, or every case in a process of its own and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=sorted(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--pixels", type=int, choices=sorted(TARGETS), nargs="+", default=[8, 28])
    parser.add_argument("--rows", type=int, default=1797, help="rows of the digits to take")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(CASES[arguments.case](arguments.pixels[0], arguments.rows)))
        return
    for pixels in arguments.pixels:
        results = {name: run_case(name, "--pixels", str(pixels)) for name in CASES}
        assert_same_accuracy(results, PARITY)
        print_comparison(pixels, results)


# ---------------------------------------------------------------- the cases


def images(pixels: int, n_rows: int) -> tuple[np.ndarray, np.ndarray, Any]:
    """The digits with this number of pixels along a side, and their folds."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold

    digits = load_digits()
    X = zoom(digits.images[:n_rows] / 16, (1, pixels / 8, pixels / 8), order=1)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return X.astype(np.float32)[..., None], digits.target[:n_rows], folds


def population(pixels: int, n_rows: int) -> dict[str, Any]:
    """The grid under the backend, cold and once more in the same process."""
    import joblib
    from sklearn.model_selection import GridSearchCV

    from skhp import KerasCNNClassifier

    X, y, folds = images(pixels, n_rows)
    network = KerasCNNClassifier(
        filters=FILTERS, neurons=NEURONS, epochs=EPOCHS, early_stopping=False, random_state=0
    )
    grid = {"hidden_layers": list(BLOCKS), "learning_rate": list(LEARNING_RATES)}
    spent = []
    for _ in range(2):
        clock = Clock()
        with joblib.parallel_config(backend="skhp"):
            search = GridSearchCV(network, grid, cv=folds, refit=False).fit(X, y)
        spent.append(clock.seconds())
    (wall, cpu), again = spent
    return {
        "wall": wall,
        "cpu": cpu,
        "again": again[0],
        "accuracies": accuracies(search, "hidden_layers", "learning_rate"),
    }


def scikeras(pixels: int, n_rows: int) -> dict[str, Any]:
    """The same grid over SciKeras on the first fold, and what all folds would take."""
    from scikeras.wrappers import KerasClassifier
    from sklearn.model_selection import GridSearchCV

    X, y, folds = images(pixels, n_rows)
    network = KerasClassifier(
        built,
        blocks=1,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        epochs=EPOCHS,
        batch_size=32,
        verbose=0,
        random_state=0,
    )
    grid = {"blocks": list(BLOCKS), "optimizer__learning_rate": list(LEARNING_RATES)}
    first = [next(iter(folds.split(X, y)))]
    clock = Clock()
    search = GridSearchCV(network, grid, cv=first, refit=False).fit(X, y)
    wall, cpu = clock.seconds()
    return {
        "wall": FOLDS * wall,
        "cpu": FOLDS * cpu,
        "accuracies": accuracies(search, "blocks", "optimizer__learning_rate"),
    }


def built(blocks: int, meta: dict[str, Any]) -> Any:
    """The network as a user of Keras writes it."""
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input(meta["X_shape_"][1:])])
    for block in range(blocks):
        filters = FILTERS * 2**block
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(NEURONS, activation="relu"))
    model.add(layers.Dense(meta["n_classes_"], activation="softmax"))
    return model


CASES = {"skhp": population, "SciKeras": scikeras}


# ---------------------------------------------------------------- printing


def print_comparison(pixels: int, results: dict[str, dict[str, Any]]) -> None:
    """Seconds, and the mean accuracy on the first fold that they were spent for."""
    n_fits = len(BLOCKS) * len(LEARNING_RATES) * FOLDS
    print(f"\n{n_fits} fits of images of {pixels} x {pixels} pixels")
    print(f"The target is {TARGETS[pixels]:g} times; the quality is the mean accuracy")
    print_times(
        results,
        {name: np.mean(list(case["accuracies"].values())) for name, case in results.items()},
    )
    print(f"skhp once more in the same process: {results['skhp']['again']:.1f} s")


if __name__ == "__main__":
    main()
