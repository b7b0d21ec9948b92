"""The values that the search of a network tries: a classic grid, or a wide space to draw from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.stats import loguniform, randint
from sklearn.base import TransformerMixin
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
    rungs: ClassVar[tuple[int, ...] | None] = None

    @property
    def n_candidates(self) -> int:
        """The number of candidates in the grid."""
        more = math.prod(map(len, self.more.values()))
        return len(self.learning_rates) * len(self.batch_sizes) * more

    def values_of(
        self, kind: SearchKind, network: str, n_candidates: int, seed: int
    ) -> dict[str, Sequence[Any]]:
        """What a search tries, by the names of the parameters in a pipeline.

        A random search draws any batch size in the range. A search that learns does not, as each
        of its rounds would compile new programs: on the digits, it took twice as long and scored
        no better.
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


# A structure is a set of values that decide the program. If nearly every candidate had its own,
# compilations would take longer than trainings (60 candidates: 112 s of CPU time). A random search
# of 24 candidates with 4 structures takes 3 to 6 times as long as the grid of 20.
WIDE_CANDIDATES = {"random": 24, "halving": 24, "bayes": 32, "tpe": 32}
_CANDIDATES_OF_A_STRUCTURE, _FEWEST_STRUCTURES = 6, 4

WIDEST_LAYER = 256
# The parameter of a pipeline with the scaler of the columns of numbers.
SCALER = f"preparation__{NUMBERS}__{SCALING}"
_LAYERS = (0, 1, 2, 3)
# A random search has fewer linear networks than others, as the baseline is one already.
_LAYERS_OF_STRUCTURES = (2, 1, 3, 2, 1, 0)

# How a training ends decides more than most other settings: the log loss of a rare class rises long
# before the ranking of the rows stops improving.
_BY_LOSS = {"monitor": "val_loss", "patience": 10}
_BY_LOSS_PATIENTLY = {"monitor": "val_loss", "patience": 40}
_BY_RANKING = {"monitor": "val_average_precision", "patience": 40}
_ON_ALL_ROWS = {"early_stopping": False, "lr_schedule": "cosine"}


# A random search begins with these structures and draws at least one more: wide layers trained on
# all rows, and the rule of thumb, whose 0 neurons become the fewest of the space.
_KNOWN: tuple[Mapping[str, Any], ...] = (
    {"hidden_layers": 2, "neurons": WIDEST_LAYER, "": _ON_ALL_ROWS},
    {"hidden_layers": 1, "neurons": 0, "": _BY_LOSS},
)


@dataclass(frozen=True, eq=False)
class WideSpace:
    """Layers, neurons and all else that a multilayer perceptron on a table depends on.

    `neurons` are the fewest and the most. `structure` has the further parameters that decide which
    networks can train in one program, `numbers` those that do not. `endings` are alternatives: a
    candidate has the parameters of one of them. `scalers` take the place of the scaler of the
    columns of numbers.
    """

    neurons: tuple[int, int]
    structure: Mapping[str, Sequence[Any]]
    numbers: Mapping[str, Any]
    endings: tuple[Mapping[str, Any], ...]
    scalers: tuple[TransformerMixin, ...]

    default_search: ClassVar[SearchKind] = "random"
    default_candidates: ClassVar[Mapping[str, int]] = WIDE_CANDIDATES
    # Networks with a small learning rate can win in the end, but are behind at earlier rungs.
    rungs: ClassVar[tuple[int, ...] | None] = (22, 66)

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters that a network must have for this space."""
        own = {"hidden_layers", "neurons", *self.structure, *self.numbers}
        return frozenset(own.union(*self.endings))

    def values_of(self, kind: SearchKind, network: str, n_candidates: int, seed: int) -> list[Any]:
        """What a search draws from, by the names of the parameters in a pipeline.

        A random search draws a few structures, each value about as often as any other, and several
        candidates of each. A Bayesian search takes the endings one after another, each with its
        share of the candidates.
        """
        if kind == "random":
            return [self._named(one, network) for one in self._structures(n_candidates, seed)]
        alternatives = [
            self._named(
                {
                    "hidden_layers": list(_LAYERS),
                    "neurons": _range_or_value(*self.neurons),
                    **{name: list(values) for name, values in self.structure.items()},
                    **{name: [value] for name, value in ending.items()},
                    SCALER: list(self.scalers),
                },
                network,
            )
            for ending in self.endings
        ]
        if kind != "bayes":
            return alternatives
        n = len(alternatives)
        shares = [n_candidates // n + (k < n_candidates % n) for k in range(n)]
        return [pair for pair in zip(alternatives, shares, strict=True) if pair[1]]

    def _structures(self, n_candidates: int, seed: int) -> Iterator[dict[str, Any]]:
        random = np.random.default_rng(seed)
        wished = max(-(-n_candidates // _CANDIDATES_OF_A_STRUCTURE), _FEWEST_STRUCTURES)
        count = min(n_candidates, wished)

        def in_turn(values: Sequence[Any]) -> list[Any]:
            """`count` of the values, each as often as any other, in a random order."""
            # The values are shuffled, too, so that few structures do not always get the first ones.
            shuffled = [values[k] for k in random.permutation(len(values))]
            return [shuffled[k % len(values)] for k in random.permutation(count)]

        low, high = self.neurons
        widths = np.geomspace(low, high, 2 * count + 1)[1::2].round().astype(int).tolist()
        columns: dict[str, list[Any]] = {
            "hidden_layers": [
                _LAYERS_OF_STRUCTURES[k % len(_LAYERS_OF_STRUCTURES)]
                for k in random.permutation(count)
            ],
            "neurons": in_turn(widths),
            **{name: in_turn(values) for name, values in self.structure.items()},
            "": in_turn(self.endings),
            SCALER: in_turn(self.scalers) if self.scalers else [],
        }
        for k in range(count):
            fixed = {name: values[k] for name, values in columns.items() if values}
            fixed |= _KNOWN[k] if k < min(len(_KNOWN), count - 1) else {}
            fixed["neurons"] = min(max(fixed["neurons"], low), high)
            fixed |= fixed.pop("")
            yield {name: [value] for name, value in fixed.items()}

    def _named(self, values: Mapping[str, Any], network: str) -> dict[str, Any]:
        own = {**values, **self.numbers}
        scalers = own.pop(SCALER, None)
        of_network = {f"{network}__{name}": of for name, of in own.items()}
        return of_network | ({SCALER: scalers} if scalers else {})


def wide_space(n_inputs: int, n_classes: int | None, *, has_numbers: bool) -> WideSpace:
    """The wide space of a table with `n_inputs` inputs after its preparation.

    `n_classes` is None for a target of numbers.
    """
    # Rounded down, as neurons="auto" is.
    fewest = min(WIDEST_LAYER, max(2, n_inputs * 2 // 3))
    numbers: dict[str, Any] = {
        "learning_rate": (3e-4, 3e-2, "log-uniform"),
        "dropout": [0.0, 0.1, 0.2, 0.4],
        "l2": [0.0, 1e-5, 1e-4, 1e-3],
    }
    if n_classes is not None:
        numbers["class_weight"] = [None, "balanced"]
    patiently = _BY_RANKING if n_classes == 2 else _BY_LOSS_PATIENTLY
    return WideSpace(
        (fewest, WIDEST_LAYER),
        # Multiples of one another, so that networks with several batch sizes may share a program.
        {"batch_size": (32, 64, 128), "loss": _losses(n_classes)},
        numbers,
        (_BY_LOSS, patiently, _ON_ALL_ROWS),
        (StandardScaler(), PowerScaler(), PiecewiseLinear()) if has_numbers else (),
    )


def _losses(n_classes: int | None) -> tuple[str, ...]:
    if n_classes is None:
        return ("squared_error", "huber")
    return ("crossentropy", "soft_f1") if n_classes == 2 else ("crossentropy",)


def _range_or_value(low: int, high: int) -> Any:
    return (low, high, "log-uniform") if low < high else [low]
