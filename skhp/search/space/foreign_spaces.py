"""Reads search spaces of Optuna; refuses spaces of hyperopt, and says what to write instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skhp.exceptions import InvalidParameterError
from skhp.search.space.dimensions import Choices, Distribution, Range

_FEW = 20


@dataclass(frozen=True)
class SteppedNumbers:
    """Numbers at equal steps from `low` to `high`, with the methods of SciPy's distributions."""

    low: float
    high: float
    step: float

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are of the type int."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step))

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return round((self.high - self.low) / self.step) + 1

    def rvs(self, *, random_state: Any = None) -> float:
        """Draw one number."""
        return self.low + int(check_random_state(random_state).randint(self.count)) * self.step

    def ppf(self, quantiles: ArrayLike) -> np.ndarray:
        """The numbers at some quantiles."""
        places = np.ceil(np.asarray(quantiles) * self.count) - 1
        return self.low + np.clip(places, 0, self.count - 1) * self.step

    def cdf(self, numbers: ArrayLike) -> np.ndarray:
        """The chance of a number up to each of some numbers."""
        places = np.round((np.asarray(numbers) - self.low) / self.step)
        return (np.clip(places, 0, self.count - 1) + 1) / self.count


def is_optuna_distribution(value: Any) -> bool:
    """Whether a value is from ``optuna.distributions``; Optuna need not be installed."""
    return any(kind.__module__ == "optuna.distributions" for kind in type(value).__mro__)


def read_optuna(value: Any) -> Choices | Range | Distribution:
    """The dimension that a distribution of ``optuna.distributions`` stands for."""
    if hasattr(value, "choices"):
        return Choices(tuple(value.choices))
    if not all(hasattr(value, name) for name in ("low", "high", "log", "step")):
        raise InvalidParameterError(
            f"{value!r} of Optuna is not a known distribution: give an IntDistribution, "
            "FloatDistribution or CategoricalDistribution."
        )
    integer = type(value.low) is int
    if value.low == value.high:
        return Choices((value.low,))
    if value.step not in (None, 1) or (value.step == 1 and not integer):
        return Distribution(SteppedNumbers(value.low, value.high, value.step))
    return Range(value.low, value.high, log=value.log, integer=integer)


def refuse_foreign_space(space: Any, *, takes_function: bool) -> None:
    """Raise if a space is of hyperopt, or is a function that the search does not take."""
    refuse_hyperopt(space)
    if callable(space) and not takes_function:
        raise InvalidParameterError(
            f"The search space must be a dict or a list of dicts, got {space!r}. A function of a "
            "trial is for TPESearchCV."
        )


def refuse_hyperopt(value: Any, name: str = "") -> None:
    """Raise if a value is an expression of hyperopt, or holds one."""
    if _is_hyperopt(value):
        place = f"{name} is" if name else "The search space is"
        raise InvalidParameterError(
            f"{place} an expression of hyperopt, which skhp does not read. {_replacement(value)}"
        )
    parts = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list | tuple) and any(map(_is_hyperopt, parts)):
        names = value.keys() if isinstance(value, Mapping) else [f"{name}[...]"] * len(value)
        for key, part in zip(names, parts, strict=True):
            refuse_hyperopt(part, str(key))


def refuse_ranges_in_grid(grid: Any) -> None:
    """Raise if a grid holds a distribution, or bounds with a prior, in place of listed values."""
    mistakes = []
    for one in grid if isinstance(grid, list | tuple) else [grid]:
        for name, value in one.items() if isinstance(one, Mapping) else ():
            refuse_hyperopt(value, str(name))
            is_range = (
                isinstance(value, tuple)
                and len(value) > 2
                and any(isinstance(part, str) and part.endswith("uniform") for part in value[2:])
                and not any(isinstance(part, str) for part in value[:2])
            )
            # `LayerSizes` has `rvs`, too, but is a list of stacks for a grid.
            is_drawn = hasattr(value, "rvs") and not isinstance(value, Sequence)
            if is_optuna_distribution(value) or is_drawn or is_range:
                listed = _listed(value)
                mend = f" Write its values as a list, {listed!r}." if listed else ""
                mistakes.append(f"{name}: {value!r} is a range or a distribution.{mend}")
    if mistakes:
        mistakes.append(
            "A grid lists its values: give, for example, [0.0001, 0.001, 0.01], or take a "
            "RandomizedSearchCV, a BayesSearchCV or a TPESearchCV, which draw from these."
        )
        raise InvalidParameterError("\n".join(mistakes))


def _listed(value: Any) -> list[Any]:
    """The values of a distribution of Optuna, if they are few."""
    if not is_optuna_distribution(value):
        return []
    read = read_optuna(value)
    if isinstance(read, Choices):
        return list(read.values)
    if isinstance(read, Distribution) and read.frozen.count <= _FEW:
        return read.at_quantiles((np.arange(read.frozen.count) + 0.5) / read.frozen.count)
    return []


def _is_hyperopt(value: Any) -> bool:
    return any(kind.__module__.partition(".")[0] == "hyperopt" for kind in type(value).__mro__)


def _replacement(expression: Any) -> str:
    general = (
        "Give a dict from names of parameters to lists of values, to bounds such as (1e-5, 1e-1, "
        "'log-uniform'), or to distributions of scipy.stats; or take a TPESearchCV and give a "
        "function of a trial, such as "
        "lambda trial: {'neurons': trial.suggest_int('neurons', 2, 64)}."
    )
    kind, numbers = next(
        (
            (node.name, [part.obj for part in [*node.pos_args, *dict(node.named_args).values()]])
            for node in _nodes(expression)
            if node.name in _REPLACEMENTS and all(hasattr(part, "obj") for part in node.pos_args)
        ),
        ("", []),
    )
    if expression.name == "switch":
        values = expression.pos_args[1:]
        if all(hasattr(value, "obj") for value in values):
            return f"Write its choices as a list: {[value.obj for value in values]!r}. {general}"
        return f"Write its branches as a list of dicts, one for each. {general}"
    if not kind or not all(isinstance(number, int | float) for number in numbers):
        return general
    return f"For its {kind} write {_REPLACEMENTS[kind](*numbers)}. {general}"


def _nodes(expression: Any) -> Iterator[Any]:
    """An expression and all that it is made of."""
    yield expression
    for part in [*getattr(expression, "pos_args", ()), *dict(expression.named_args).values()]:
        yield from _nodes(part)


def _range_text(low: float, high: float, *_: Any) -> str:
    return f"({low!r}, {high!r})"


def _log_range_text(low: float, high: float, *_: Any) -> str:
    return f"({math.exp(low):.6g}, {math.exp(high):.6g}, 'log-uniform')"


def _whole_range_text(low: int, high: int | None = None) -> str:
    first, end = (0, low) if high is None else (low, high)
    return f"({first}, {end - 1})"


# What to write in place of each distribution of hyperopt; its bounds are natural logarithms.
_REPLACEMENTS: dict[str, Callable[..., str]] = {
    "uniform": _range_text,
    "quniform": _range_text,
    "loguniform": _log_range_text,
    "qloguniform": _log_range_text,
    "randint": _whole_range_text,
    "normal": lambda mean, deviation: f"scipy.stats.norm({mean!r}, {deviation!r})",
    "qnormal": lambda mean, deviation, _: f"scipy.stats.norm({mean!r}, {deviation!r})",
    "lognormal": lambda mean, deviation: (
        f"scipy.stats.lognorm({deviation!r}, scale={math.exp(mean):.6g})"
    ),
    "qlognormal": lambda mean, deviation, _: (
        f"scipy.stats.lognorm({deviation!r}, scale={math.exp(mean):.6g})"
    ),
}
