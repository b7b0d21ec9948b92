"""A distribution over whole stacks of hidden layers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from sklearn.utils import check_random_state

from skhp.exceptions import InvalidParameterError
from skhp.search.space.dimensions import Range
from skhp.shared.nearest_name import nearest_name

if TYPE_CHECKING:
    from optuna.trial import Trial


Stack = tuple[int, ...]

_SHAPES = ("any", "funnel", "equal")


class LayerSizes(Sequence[Stack]):
    """Stacks of hidden layers to search: the number of layers, and the neurons of each layer.

    Use it as the value of ``neurons`` in the space of any searcher, and leave ``hidden_layers`` at
    "auto". The size of a third layer is searched only for stacks with a third layer. Random,
    Bayesian and TPE searches draw the number of layers evenly, and each size evenly in the
    logarithm. A grid search takes all stacks of a few sizes, which double from the least to the
    most.

    Parameters
    ----------
    layers : int or (int, int), default=(1, 3)
        The least and the most hidden layers; one number is both.
    neurons : int or (int, int), default=(8, 128)
        The least and the most neurons of a layer; one number is both.
    shape : {"any", "funnel", "equal"}, default="any"
        In a "funnel", no layer is wider than the one before it; "equal" layers have the same size.

    Raises
    ------
    InvalidParameterError
        If a parameter has an invalid value; the message lists each of them.

    Examples
    --------
    >>> from skhp import LayerSizes
    >>> sizes = LayerSizes(layers=(1, 2), neurons=(8, 32), shape="funnel")
    >>> list(sizes)
    [(8,), (16,), (32,), (8, 8), (16, 8), (16, 16), (32, 8), (32, 16), (32, 32)]
    >>> sizes.rvs(random_state=0)
    (18,)
    """

    def __init__(
        self,
        layers: int | tuple[int, int] = (1, 3),
        neurons: int | tuple[int, int] = (8, 128),
        shape: str = "any",
    ) -> None:
        mistakes = [
            f"{name}={given!r} must be a whole number from 1 up, or a pair of them, the least and "
            f"the most, such as {example}."
            for name, given, example in (
                ("layers", layers, (1, 3)),
                ("neurons", neurons, (8, 128)),
            )
            if _bounds(given) is None
        ]
        if not isinstance(shape, str) or shape not in _SHAPES:
            mistakes.append(
                f"shape={shape!r} must be 'any', 'funnel' or 'equal'.{nearest_name(shape, _SHAPES)}"
            )
        if mistakes:
            raise InvalidParameterError("\n".join(f"LayerSizes: {one}" for one in mistakes))
        self.layers: tuple[int, int] = _bounds(layers)  # type: ignore[assignment]
        self.neurons: tuple[int, int] = _bounds(neurons)  # type: ignore[assignment]
        self.shape = str(shape)

    def rvs(self, random_state: int | np.random.RandomState | None = None) -> Stack:
        """Draw a stack.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        tuple of int
            The size of each layer, in the order of the layers.
        """
        random = check_random_state(random_state)
        count = int(random.randint(self.layers[0], self.layers[1] + 1))
        return self._stack(count, [self._sizes.rvs(random_state=random) for _ in self._free(count)])

    def suggested(self, trial: Trial, name: str) -> Stack:
        """The stack that a trial of Optuna suggests under names that begin with `name`."""
        count = trial.suggest_int(f"{name}: layers", *self.layers)
        return self._stack(
            count,
            [
                trial.suggest_int(f"{name}: size {number}", *self.neurons, log=True)
                for number in self._free(count)
            ],
        )

    @property
    def n_coordinates(self) -> int:
        """The coordinates of a stack: one for the number of layers, and one for each free size."""
        return 1 + len(self._free(self.layers[1]))

    def at(self, coordinates: Sequence[float]) -> Stack:
        """The stack at coordinates from 0 to 1; coordinates of absent layers do not matter."""
        low, high = self.layers
        share, *shares = (min(max(float(value), 0.0), 1.0) for value in coordinates)
        count = min(low + int(share * (high - low + 1)), high)
        return self._stack(count, [self._sizes.at_share(shares[k - 1]) for k in self._free(count)])

    def coordinates(self, stack: Stack) -> list[float]:
        """The coordinates of a stack; 0.5 for layers that it lacks."""
        low, high = self.layers
        sizes = [self._sizes.share_of(size) for size in stack[: len(self._free(len(stack)))]]
        lacking = [0.5] * (self.n_coordinates - 1 - len(sizes))
        return [(len(stack) - low + 0.5) / (high - low + 1), *sizes, *lacking]

    def allows(self, stack: Any) -> bool:
        """Whether a stack may be drawn."""
        return (
            isinstance(stack, tuple)
            and all(isinstance(size, Integral) for size in stack)
            and self.layers[0] <= len(stack) <= self.layers[1]
            and all(self.neurons[0] <= size <= self.neurons[1] for size in stack)
            and stack == self._stack(len(stack), stack)
        )

    # As a sequence, which a grid reads: all stacks of a few sizes

    def __iter__(self) -> Iterator[Stack]:
        sizes = self._doubling()
        for count in range(self.layers[0], self.layers[1] + 1):
            if self.shape == "equal":
                yield from ((size,) * count for size in sizes)
            elif self.shape == "funnel":
                yield from sorted(itertools.combinations_with_replacement(sizes[::-1], count))
            else:
                yield from itertools.product(sizes, repeat=count)

    def __len__(self) -> int:
        n_sizes = len(self._doubling())
        of_count = {
            "equal": lambda count: n_sizes,
            "funnel": lambda count: math.comb(n_sizes + count - 1, count),
            "any": lambda count: n_sizes**count,
        }[self.shape]
        return sum(of_count(count) for count in range(self.layers[0], self.layers[1] + 1))

    @overload
    def __getitem__(self, index: int) -> Stack: ...

    @overload
    def __getitem__(self, index: slice) -> list[Stack]: ...

    def __getitem__(self, index: int | slice) -> Stack | list[Stack]:
        place = range(len(self))[index]
        if isinstance(place, range):
            stacks = list(self)
            return [stacks[number] for number in place]
        return next(itertools.islice(self, place, None))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayerSizes) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.layers, self.neurons, self.shape))

    def __repr__(self) -> str:
        return f"LayerSizes(layers={self.layers}, neurons={self.neurons}, shape={self.shape!r})"

    @property
    def _sizes(self) -> Range:
        return Range(*self.neurons, log=True, integer=True)

    def _free(self, count: int) -> range:
        """The numbers of the layers with a free size, in a stack of `count` layers."""
        return range(1, (1 if self.shape == "equal" else count) + 1)

    def _stack(self, count: int, sizes: Sequence[float]) -> Stack:
        """The stack of this shape from some sizes."""
        whole = [int(size) for size in sizes]
        if self.shape == "funnel":
            whole.sort(reverse=True)
        return (whole[0],) * count if self.shape == "equal" else tuple(whole)

    def _doubling(self) -> list[int]:
        low, high = self.neurons
        doublings = range((high // low).bit_length())
        return sorted({*(low * 2**number for number in doublings), high})


def _bounds(given: Any) -> tuple[int, int] | None:
    """The least and the most, from a number or a pair; None for anything else."""
    pair = tuple(given) if isinstance(given, tuple | list) else (given, given)
    whole = all(isinstance(end, Integral) and not isinstance(end, bool) for end in pair)
    if len(pair) != 2 or not whole or not 1 <= pair[0] <= pair[1]:
        return None
    return int(pair[0]), int(pair[1])
