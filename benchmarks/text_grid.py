"""How much faster is a grid over embedding size and cell, of a pipeline from texts to classes?

4 embedding sizes x 2 cells x 5 stratified folds = 40 fits on sentences that are made here, in which
"not" turns an opinion round. The whole pipeline, from texts to classes, is searched by skhp's
GridSearchCV, and by scikit-learn's over SciKeras with the same network built by hand, each
candidate on one fold, times the number of folds. Every contender runs in a process of its own;
imports are not counted, tracing is. CPU time is that of all threads. No time is printed before the
accuracies of the same fits are found to agree.
"""

from __future__ import annotations

import argparse
import itertools
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

EMBEDDING_SIZES = (8, 16, 32, 64)
CELLS = ("lstm", "gru")
FOLDS = 5
UNITS = 32
LENGTH = 20
VOCABULARY_SIZE = 1000
EPOCHS = 10
LEARNING_RATE = 1e-2
TARGET = 5.0
# Largest difference of mean accuracy that is taken for parity.
PARITY = 0.03


def main() -> None:
    """Run one case, or every case in a process of its own and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=sorted(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--sentences", type=int, default=2000)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(CASES[arguments.case](arguments.sentences)))
        return
    results = {name: run_case(name) for name in CASES}
    assert_same_accuracy(results, PARITY)
    print_comparison(results, arguments.sentences)


# ---------------------------------------------------------------- the cases


def sentences(count: int) -> tuple[list[str], np.ndarray, Any]:
    """Sentences with an opinion, whether it is a good one, and the folds."""
    from sklearn.model_selection import StratifiedKFold

    random = np.random.default_rng(0)
    consonants, vowels = "bdfgklmnprstv", "aeiou"
    words = [
        "".join(letters)
        for letters in itertools.product(consonants, vowels, consonants, vowels, consonants)
    ]
    words = random.permutation(words)[:1020]
    # A few words are frequent and many are rare, as in any language.
    shares = 1 / np.arange(1, 1001)
    shares /= shares.sum()
    opinions = {False: words[1000:1010], True: words[1010:]}
    texts, labels = [], random.integers(0, 2, count)
    for label in labels:
        text = []
        for _ in range(random.integers(2, 4)):
            is_turned = random.random() < 0.25
            text += list(random.choice(words[:1000], random.integers(2, 5), p=shares))
            text += ["not"] * is_turned
            text.append(random.choice(opinions[bool(label) != is_turned]))
        texts.append(" ".join(text))
    return texts, labels, StratifiedKFold(FOLDS, shuffle=True, random_state=0)


def searched(
    search: type, last_step: Any, parameters: list[str], cv: Any, data: Any, **options: Any
) -> Any:
    """A search of the whole pipeline that is fitted, with its wall and CPU time."""
    from sklearn.pipeline import Pipeline

    from skhp.sequences import TokenSequencer

    pipeline = Pipeline(
        [("tokens", TokenSequencer(VOCABULARY_SIZE, LENGTH)), ("network", last_step)]
    )
    names = [f"network__{name}" for name in parameters]
    grid = dict(zip(names, (EMBEDDING_SIZES, CELLS), strict=True))
    clock = Clock()
    fitted = search(pipeline, grid, scoring="accuracy", cv=cv, refit=False, **options).fit(*data)
    return accuracies(fitted, *names), *clock.seconds()


def population(n_sentences: int) -> dict[str, Any]:
    """The grid as one population."""
    from skhp import GridSearchCV, KerasRNNClassifier

    texts, labels, folds = sentences(n_sentences)
    network = KerasRNNClassifier(
        neurons=UNITS,
        vocabulary_size=VOCABULARY_SIZE,
        learning_rate=LEARNING_RATE,
        epochs=EPOCHS,
        early_stopping=False,
        random_state=0,
    )
    found, wall, cpu = searched(
        GridSearchCV,
        network,
        ["embedding_dim", "cell"],
        folds,
        (texts, labels),
        early_stopping=False,
    )
    return {"wall": wall, "cpu": cpu, "accuracies": found}


def scikeras(n_sentences: int) -> dict[str, Any]:
    """The same grid over SciKeras on the first fold, and what all folds would take."""
    from scikeras.wrappers import KerasClassifier
    from sklearn.model_selection import GridSearchCV

    texts, labels, folds = sentences(n_sentences)
    network = KerasClassifier(
        built,
        embedding_dim=EMBEDDING_SIZES[0],
        cell=CELLS[0],
        loss="binary_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=LEARNING_RATE,
        epochs=EPOCHS,
        batch_size=32,
        verbose=0,
        random_state=0,
    )
    first = [next(iter(folds.split(texts, labels)))]
    found, wall, cpu = searched(
        GridSearchCV, network, ["embedding_dim", "cell"], first, (texts, labels)
    )
    return {"wall": FOLDS * wall, "cpu": FOLDS * cpu, "accuracies": found}


def built(embedding_dim: int, cell: str) -> Any:
    """The network as a user of Keras writes it."""
    import keras

    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    return keras.Sequential(
        [
            keras.Input((LENGTH,)),
            keras.layers.Embedding(VOCABULARY_SIZE, embedding_dim, mask_zero=True),
            layer(UNITS),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


CASES = {"skhp": population, "SciKeras": scikeras}


# ---------------------------------------------------------------- printing


def print_comparison(results: dict[str, dict[str, Any]], n_sentences: int) -> None:
    """Seconds, and the mean accuracy on the first fold that they were spent for."""
    n_fits = len(EMBEDDING_SIZES) * len(CELLS) * FOLDS
    print(f"{n_fits} fits of {n_sentences} sentences of {LENGTH} words at most")
    print(f"The target is {TARGET:g} times; the quality is the mean accuracy")
    print_times(
        results,
        {name: np.mean(list(case["accuracies"].values())) for name, case in results.items()},
    )
    for candidate in results["skhp"]["accuracies"]:
        others = [f"{name} {case['accuracies'][candidate]:.3f}" for name, case in results.items()]
        print(f"  embedding and cell {candidate}: {', '.join(others)}")


if __name__ == "__main__":
    main()
