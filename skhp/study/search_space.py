"""The values that the search of a network tries: a classic grid, or a wide space to draw from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from scipy.stats import loguniform, randint
from sklearn.preprocessing import StandardScaler

from skhp.tables.preparation import NUMBERS, SCALING, PiecewiseLinear, PowerScaler

SearchKind = Literal["grid", "random", "halving", "bayes", "tpe"]

LEARNING_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
# Multiples of 10, so that networks with several batch sizes can share a program.
BATCH_SIZES = (10, 20, 40, 60)

# The searches of a grid whose number of candidates can be set. Searches that learn from scores need
# several rounds of 8 candidates after their first random draws.
DEFAULT_CANDIDATES = {"random": 10, "bayes": 32, "tpe": 32}


@dataclass(frozen=True)
class SearchSpace:
    """The values of a grid; searches that draw candidates take them as ranges."""

    learning_rates: tuple[float, ...] = LEARNING_RATES
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    more: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    default_search: ClassVar[SearchKind] = "grid"
    default_candidates: ClassVar[Mapping[str, int]] = DEFAULT_CANDIDATES
    prune: ClassVar[str | None] = None

    @property
    def n_candidates(self) -> int:
        """The number of candidates in the grid."""
        more = math.prod(map(len, self.more.values()))
        return len(self.learning_rates) * len(self.batch_sizes) * more

    def values_of(
        self, kind: SearchKind, network: str, n_candidates: int | None
    ) -> dict[str, Sequence[Any]]:
        """What a search tries, by the names of the parameters in a pipeline.

        A random search draws any batch size in the range. Drawing from the whole range would
        compile new programs in each round of a search that learns: on the digits, it took twice as
        long and scored no better.
        """
        low, high = min(self.learning_rates), max(self.learning_rates)
        drawn: dict[str, Any] = {
            "grid": {},
            "halving": {},
            "random": {
                "learning_rate": loguniform(low, high),
                "batch_size": randint(min(self.batch_sizes), max(self.batch_sizes) + 1),
            },
        }.get(kind, {"learning_rate": (low, high, "log-uniform")})
        of_all = {"learning_rate": self.learning_rates, "batch_size": self.batch_sizes, **self.more}
        values = {name: list(of) for name, of in of_all.items()} | drawn
        return {f"{network}__{name}": of for name, of in values.items()}


# The default number of candidates of a random search takes about three times as long as the grid of
# 20, since pruning ends most of them early.
WIDE_CANDIDATES = {"random": 60, "halving": 60, "bayes": 32, "tpe": 32}

MOST_NEURONS = 256
_MOST_LAYERS = 3

# How a training ends decides more than most other settings: the log loss of a rare class rises long
# before the ranking of the rows stops improving.
_BY_LOSS = {"monitor": ["val_loss"], "patience": [10]}
_BY_LOSS_PATIENTLY = {"monitor": ["val_loss"], "patience": [40]}
_BY_RANKING = {"monitor": ["val_average_precision"], "patience": [40]}
_ON_ALL_ROWS = {"early_stopping": [False], "lr_schedule": ["cosine"]}


@dataclass(frozen=True, eq=False)
class WideSpace:
    """Layers, neurons and all else that a multilayer perceptron on a table depends on.

    `endings` are alternatives: a candidate has the parameters of one of them.
    """

    network: Mapping[str, Any]
    preparation: Mapping[str, Any]
    endings: tuple[Mapping[str, Any], ...]

    default_search: ClassVar[SearchKind] = "random"
    default_candidates: ClassVar[Mapping[str, int]] = WIDE_CANDIDATES
    prune: ClassVar[str | None] = "halving"

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters that a network needs to be searched."""
        return frozenset(self.network).union(*self.endings)

    def values_of(self, kind: SearchKind, network: str, n_candidates: int | None) -> list[Any]:
        """What a search draws from, by the names of the parameters in a pipeline.

        A Bayesian search takes the endings one after another, each with its share of the
        candidates.
        """
        alternatives = [
            {
                **{f"{network}__{name}": of for name, of in {**self.network, **ending}.items()},
                **self.preparation,
            }
            for ending in self.endings
        ]
        if kind != "bayes" or n_candidates is None:
            return alternatives
        n = len(alternatives)
        shares = [n_candidates // n + (k < n_candidates % n) for k in range(n)]
        return [pair for pair in zip(alternatives, shares, strict=True) if pair[1]]


def wide_space(
    n_inputs: int, n_classes: int | None, *, has_numbers: bool, tunes_threshold: bool
) -> WideSpace:
    """The wide space of a table with some inputs, after its preparation.

    `n_classes` is None for a target of numbers. With `tunes_threshold`, rows are held out of each
    training, to choose a threshold by.
    """
    # Rounded down, as neurons="auto" is.
    fewest = min(MOST_NEURONS, max(2, n_inputs * 2 // 3))
    network: dict[str, Any] = {
        "hidden_layers": list(range(_MOST_LAYERS + 1)),
        "neurons": (fewest, MOST_NEURONS, "log-uniform") if fewest < MOST_NEURONS else [fewest],
        "learning_rate": (3e-4, 3e-2, "log-uniform"),
        # Multiples of one another, so that networks with several batch sizes share a program.
        "batch_size": [32, 64, 128],
        "dropout": [0.0, 0.1, 0.2, 0.4],
        "l2": [0.0, 1e-5, 1e-4, 1e-3],
        "loss": _losses(n_classes),
    }
    if n_classes is not None:
        network["class_weight"] = [None, "balanced"]
    scalers = [StandardScaler(), PowerScaler(), PiecewiseLinear()]
    preparation = {f"preparation__{NUMBERS}__{SCALING}": scalers} if has_numbers else {}
    patient = _BY_RANKING if n_classes == 2 else _BY_LOSS_PATIENTLY
    endings = [_BY_LOSS, patient]
    # To be mended: a threshold cannot yet be tuned without rows that are held out. Once it comes
    # from the folds of the search, this condition goes, and `tunes_threshold` with it.
    if not tunes_threshold:
        endings.append(_ON_ALL_ROWS)
    return WideSpace(network, preparation, tuple(endings))


def _losses(n_classes: int | None) -> list[str]:
    if n_classes is None:
        return ["squared_error", "huber"]
    return ["crossentropy", "soft_f1"] if n_classes == 2 else ["crossentropy"]
