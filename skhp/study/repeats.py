"""Train one network with many seeds, to see how much its score depends on the seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from skhp.comparison.dummy import Always
from skhp.comparison.outer_fits import turns
from skhp.comparison.scores import Scorer, Scores, score_classifier
from skhp.population.joint_fits import fit_together


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to test on; `y` holds the codes of classes, or numbers."""

    X_train: pd.DataFrame | np.ndarray
    X_test: pd.DataFrame | np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True, eq=False)
class Repeat:
    """One training; `scores` are on the test rows, and `history` is the network's ``history_``.

    The weights of the `best_epoch`, counted from 1, were kept.
    """

    seed: int
    scores: Any
    history: Mapping[str, Sequence[float]]
    best_epoch: int


def train_repeats(
    pipeline: Pipeline,
    split: Split,
    scores_of: Callable[[Any], Any],
    seeds: Sequence[int],
    after_repeat: Callable[[], None] | None = None,
) -> tuple[tuple[Repeat, ...], Pipeline]:
    """Fit a copy of a pipeline with each seed; return the repeats and the copy of the first seed.

    `scores_of` scores a fitted copy on the test rows. Networks that can join a population train
    together, on large tables in several turns. `after_repeat` is called after each score.
    """
    with_first_seed: list[Pipeline] = []

    def with_seed(seed: int) -> Pipeline:
        return clone(pipeline).set_params(**{f"{pipeline.steps[-1][0]}__random_state": seed})

    def score(_: int, trained: Any, seconds: float) -> Repeat:
        if isinstance(trained, Exception):
            raise trained
        seed, network = trained[-1].random_state, trained[-1]
        scores = scores_of(trained)
        if seed == seeds[0]:
            with_first_seed.append(trained)
        if after_repeat is not None:
            after_repeat()
        return Repeat(seed, scores, network.history_, network.best_epoch_)

    repeats: list[Repeat] = []
    # Each seed holds out other rows, so each network has a copy of the table in memory.
    for turn in turns(seeds, split.X_train.size):
        repeats += fit_together(
            ((with_seed(seed), split.X_train, split.y_train) for seed in turn), on_fitted=score
        )
    return tuple(repeats), with_first_seed[0]


def mean_and_deviation(values: Iterable[float]) -> tuple[float, float | None]:
    """Mean and standard deviation of a sample; a single value has no deviation."""
    sample = np.array(list(values), dtype=float)
    return float(sample.mean()), float(sample.std(ddof=1)) if len(sample) > 1 else None


def dummy_test_scores(split: Split, rare: Any, scorer: Scorer) -> Scores:
    """The scores on the test rows of a dummy that always predicts the rare class.

    Any other constant answer never finds the rare class. `f1_macro` and `score` are the scores of
    the best constant answer, whichever class it predicts.
    """
    always_rare, most_frequent = (
        score_classifier(
            dummy.fit(split.X_train, split.y_train), split.X_test, split.y_test, rare, scorer
        )
        for dummy in (Always(constant=rare), DummyClassifier(strategy="prior"))
    )
    return replace(
        always_rare,
        f1_macro=max(always_rare.f1_macro, most_frequent.f1_macro),
        score=max(always_rare.score, most_frequent.score),
    )


def draw_curves(repeats: Sequence[Repeat], path: Path) -> bool:
    """Draw the loss of each epoch to a PNG file, with a thick line for the first repeat.

    Returns False if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = {"loss": "tab:blue", "val_loss": "tab:orange"}
    names = {"loss": "training rows", "val_loss": "validation rows"}
    # The first repeat comes last, so that it is drawn over the others.
    for number, repeat in reversed(list(enumerate(repeats))):
        for curve in (curve for curve in colours if curve in repeat.history):
            losses = repeat.history[curve]
            axes.plot(
                range(1, len(losses) + 1),
                losses,
                color=colours[curve],
                linewidth=0.6 if number else 2.0,
                alpha=0.4 if number else 1.0,
                label=None if number else names[curve],
            )
    first = repeats[0]
    axes.axvline(
        first.best_epoch,
        color="tab:gray",
        linestyle="--",
        label=f"best epoch of seed {first.seed}",
    )
    others = f" (strong), {len(repeats) - 1} more seeds (thin)" if len(repeats) > 1 else ""
    axes.set(title=f"Training of the network: seed {first.seed}{others}")
    axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    axes.legend()
    figure.savefig(path, format="png", dpi=120)
    return True
