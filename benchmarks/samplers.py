"""Bayes and TPE against random search, with 60 candidates each, where the optimum is known.

The score of a candidate is a closed form of its parameters, without noise, so nothing is trained.
A search wins on a seed if its best candidate is nearer to the optimum than that of the random
search with the same seed. Everything but `n_iter` is at its default.

Run ``python benchmarks/samplers.py``, or with ``--held-out`` for spaces on which nothing was ever
chosen or changed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

CANDIDATES = 60
N_SEEDS = 10
SEARCHERS = ("BayesSearchCV", "TPESearchCV")


class KnownScore(RegressorMixin, BaseEstimator):
    """An estimator that scores what is known of its parameters, whatever the rows.

    Parameters
    ----------
    regret_of : callable
        From the estimator to the distance of its score from the best one.
    x0, x1, x2, x3, x4, x5 : float, default=0.0
    learning_rate, l2, dropout : float
    neurons : int
    activation : str
    """

    def __init__(
        self,
        regret_of: Callable[..., float] | None = None,
        x0: float = 0.0,
        x1: float = 0.0,
        x2: float = 0.0,
        x3: float = 0.0,
        x4: float = 0.0,
        x5: float = 0.0,
        learning_rate: float = 1.0,
        l2: float = 1.0,
        dropout: float = 0.0,
        neurons: int = 1,
        activation: str = "relu",
    ) -> None:
        self.regret_of = regret_of
        self.x0 = x0
        self.x1 = x1
        self.x2 = x2
        self.x3 = x3
        self.x4 = x4
        self.x5 = x5
        self.learning_rate = learning_rate
        self.l2 = l2
        self.dropout = dropout
        self.neurons = neurons
        self.activation = activation

    def fit(self, X: Any, y: Any) -> KnownScore:
        """Nothing to learn."""
        self.is_fitted_ = True
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Zeros."""
        return np.zeros(len(X))

    def score(self, X: Any, y: Any) -> float:
        """How far from the optimum, below 0."""
        assert self.regret_of is not None
        return -self.regret_of(self)


class KnownSpace(NamedTuple):
    """A search space, and the distance from its optimum, 0 there."""

    space: dict[str, Any]
    regret: Callable[[KnownScore], float]


# ---------------------------------------------------------------- the spaces


def point(at: KnownScore, size: int) -> np.ndarray:
    """The first coordinates."""
    return np.array([getattr(at, f"x{place}") for place in range(size)])


def branin(at: KnownScore) -> float:
    """Three equal optima in a plane."""
    bend = at.x1 - 5.1 / (4 * np.pi**2) * at.x0**2 + 5 / np.pi * at.x0 - 6
    return float(bend**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(at.x0) + 10 - 0.39788735772973816)


def network(at: KnownScore) -> float:
    """A network as it could be: rates on a logarithm, a whole number, a share and a choice."""
    return float(
        (np.log10(at.learning_rate) + 2.5) ** 2
        + 0.2 * (np.log10(at.l2) + 4) ** 2
        + 0.3 * (np.log2(at.neurons) - 5) ** 2
        + 10 * (at.dropout - 0.2) ** 2
        + {"relu": 0.0, "tanh": 0.4, "sigmoid": 1.5}[at.activation]
    )


HARTMANN_HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN_SLOPES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_PLACES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(at: KnownScore) -> float:
    """Four hills in six dimensions, one of them the highest."""
    distances = (HARTMANN_SLOPES * (point(at, 6) - HARTMANN_PLACES) ** 2).sum(1)
    return float(3.322368011415511 - HARTMANN_HEIGHTS @ np.exp(-distances))


def rosenbrock(at: KnownScore) -> float:
    """A bent valley, in three dimensions."""
    x = point(at, 3)
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def ackley(at: KnownScore) -> float:
    """A funnel full of ripples, in five dimensions, away from the middle of the space."""
    x = point(at, 5) - np.array([1.0, -2.0, 0.5, 2.5, -1.5])
    funnel = -20 * np.exp(-0.2 * np.sqrt((x**2).mean())) - np.exp(np.cos(2 * np.pi * x).mean())
    return float(funnel + 20 + np.e)


SPACES = {
    "Branin, 2-d": KnownSpace({"x0": (-5.0, 10.0), "x1": (0.0, 15.0)}, branin),
    "a network, 5-d": KnownSpace(
        {
            "learning_rate": (1e-6, 1.0, "log-uniform"),
            "l2": (1e-8, 1.0, "log-uniform"),
            "neurons": (1, 512, "log-uniform"),
            "dropout": (0.0, 0.8),
            "activation": ["relu", "tanh", "sigmoid"],
        },
        network,
    ),
    "Hartmann, 6-d": KnownSpace({f"x{place}": (0.0, 1.0) for place in range(6)}, hartmann),
}
HELD_OUT = {
    "Rosenbrock, 3-d": KnownSpace({f"x{place}": (-2.0, 2.0) for place in range(3)}, rosenbrock),
    "Ackley, 5-d": KnownSpace({f"x{place}": (-5.0, 5.0) for place in range(5)}, ackley),
}


# ---------------------------------------------------------------- measuring


def best_regret(searcher: str, known: KnownSpace, seed: int, candidates: int = CANDIDATES) -> float:
    """How far the best candidate of a search is from the optimum."""
    import skhp

    search = getattr(skhp, searcher)(
        KnownScore(known.regret), known.space, n_iter=candidates, cv=2, random_state=seed
    )
    return -search.fit(np.zeros((4, 1)), np.zeros(4)).best_score_


def regrets(searcher: str, known: KnownSpace, n_seeds: int) -> list[float]:
    """Of every seed."""
    return [best_regret(searcher, known, seed) for seed in range(n_seeds)]


def main() -> None:
    """Print wins and regrets of every space."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held-out", action="store_true", help="two further spaces")
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    arguments = parser.parse_args()
    print(f"{'':18}{'':16}{'wins':>8}{'median regret':>15}{'s a search':>12}")
    for name, known in (HELD_OUT if arguments.held_out else SPACES).items():
        drawn = regrets("RandomizedSearchCV", known, arguments.seeds)
        print(f"{name:18}{'random':16}{'':>8}{statistics.median(drawn):15.4f}", flush=True)
        for searcher in SEARCHERS:
            began = time.perf_counter()
            ours = regrets(searcher, known, arguments.seeds)
            seconds = (time.perf_counter() - began) / arguments.seeds
            wins = sum(one < other for one, other in zip(ours, drawn, strict=True))
            print(
                f"{'':18}{searcher:16}{wins:5d}/{arguments.seeds}"
                f"{statistics.median(ours):15.4f}{seconds:12.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
