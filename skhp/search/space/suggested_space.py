"""Suggests a search space by the rules of thumb of the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.utils import check_consistent_length, resample

from skhp.exceptions import InvalidParameterError
from skhp.search.space.linear_check import LinearCheck, check_linear
from skhp.shared.class_targets import class_labels
from skhp.shared.nearest_name import nearest_name
from skhp.shared.pipelines import last_step, last_step_prefix, steps_before

Level = Literal["quick", "normal", "thorough"]

ROWS_OF_THE_CHECK = 2000
# On tables, wider layers take more time than they are worth.
MOST_NEURONS = 512
ROWS_PER_INPUT = 10
FOLDS = 5


class _Grid(NamedTuple):
    """The values that a level searches; `neurons` are multiples of the number of inputs."""

    learning_rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    neurons: tuple[float, ...] = ()
    dropout: tuple[float, ...] = ()
    l2: tuple[float, ...] = ()
    blocks: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()


def _rates(highest: float, lowest: float, count: int) -> tuple[float, ...]:
    exponents = np.linspace(np.log10(highest), np.log10(lowest), count)
    return tuple(float(f"{10**exponent:.2g}") for exponent in exponents)


_FEW, _TWO_THIRDS, _ALL, _TWICE = 1 / 4, 2 / 3, 1.0, 2.0
_ENOUGH_ROWS: dict[str, _Grid] = {
    "quick": _Grid(_rates(1e-2, 1e-4, 3), (32,), (_TWO_THIRDS, _TWICE)),
    "normal": _Grid(_rates(1e-1, 1e-5, 5), (16, 64), (_FEW, _TWO_THIRDS, _TWICE)),
    "thorough": _Grid(_rates(1e-1, 1e-5, 9), (16, 32, 64), (_FEW, 0.5, _TWO_THIRDS, _ALL, _TWICE)),
}
# With few rows, twice as many neurons as inputs overfit.
_FEW_ROWS: dict[str, _Grid] = {
    "quick": _Grid(_rates(1e-2, 1e-4, 3), (32,), (_TWO_THIRDS,), (0.0, 0.2)),
    "normal": _Grid(_rates(1e-1, 1e-5, 5), (32,), (_FEW, _TWO_THIRDS), (0.0, 0.2), (0.0, 1e-3)),
    "thorough": _Grid(
        _rates(1e-1, 1e-5, 5),
        (16, 64),
        (_FEW, _TWO_THIRDS, _ALL),
        (0.0, 0.2, 0.4),
        (0.0, 1e-4, 1e-2),
    ),
}
_IMAGES: dict[str, _Grid] = {
    "quick": _Grid(_rates(1e-2, 1e-4, 3), (32,), blocks=(1, 2), filters=(8, 16)),
    "normal": _Grid(
        _rates(1e-2, 1e-4, 5), (32,), dropout=(0.0, 0.3), blocks=(1, 2, 3), filters=(8, 32)
    ),
    "thorough": _Grid(
        _rates(1e-2, 1e-4, 5),
        (16, 64),
        dropout=(0.0, 0.2, 0.4),
        blocks=(1, 2, 3),
        filters=(8, 16, 32),
    ),
}
# Smaller images hold nothing that a further convolution could tell apart.
_LEAST_PIXELS = 2
_ANY_NETWORK: dict[str, _Grid] = {
    "quick": _Grid(_rates(1e-1, 1e-5, 5), (16, 64)),
    "normal": _Grid(_rates(1e-1, 1e-5, 9), (8, 16, 32, 64, 128, 256)),
    "thorough": _Grid(_rates(1e-1, 1e-5, 17), (8, 16, 32, 64, 128, 256)),
}


class SuggestedSpace(dict[str, list[Any]]):
    """A search space, as a dict from names to lists of values, that can explain its values.

    Parameters
    ----------
    values : mapping of str to list
    reasons : mapping of str to str
        For each name, a sentence that explains its values.
    """

    def __init__(self, values: Mapping[str, list[Any]], reasons: Mapping[str, str]) -> None:
        super().__init__(values)
        self._reasons = dict(reasons)

    def why(self) -> dict[str, str]:
        """For each parameter, a sentence with the numbers that its values come from."""
        return dict(self._reasons)


def suggest_search_space(
    estimator: Any, X: ArrayLike, y: ArrayLike, level: Level = "normal"
) -> SuggestedSpace:
    """Suggest a grid to search, by the rules of thumb of the field and the size of the data.

    The grid has 1 or 2 hidden layers, and also 0 if a cross-validated linear model is as good as
    others on 2,000 rows; around two thirds as many neurons as inputs, up to twice as many; batches
    of around 32 rows; learning rates on a logarithmic scale; and dropout and l2 if there are few
    rows for the number of inputs. For recurrent networks, it has 1 or 2 layers, 16 to 128 neurons,
    and windows of a quarter of the steps up to all of them; for images, 1 to 3 blocks, as long as
    there is an image left to halve, and 8 to 32 filters.

    Parameters
    ----------
    estimator : a network of skhp
        A KerasMLPClassifier, KerasRNNClassifier, KerasCNNClassifier, KerasClassifier or one of
        their regressors, or a pipeline that ends in one of these. For KerasClassifier and
        KerasRegressor, the grid has only learning rates and batch sizes.
    X : array-like of shape (n_rows, n_columns), or of series or images
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
    level : {"quick", "normal", "thorough"}, default="normal"
        The size of the grid: 12 points, 60 to 120, or 270 to 810; for recurrent networks, 12, 80 or
        810; for KerasClassifier and KerasRegressor, 10, 54 or 102. Grids are smaller if values
        coincide because there are very few inputs or rows.

    Returns
    -------
    SuggestedSpace
        A dict from names to lists, for a grid search or any other; ``why()`` explains each name.

    Raises
    ------
    InvalidParameterError
        If `level` or the kind of `estimator` is not one of the above.
    ValueError
        If `X` and `y` have different numbers of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skhp import KerasMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> space = suggest_search_space(KerasMLPClassifier(), X, y, level="quick")
    >>> space["neurons"], space["learning_rate"]
    ([20, 60], [0.01, 0.001, 0.0001])
    >>> space.why()["neurons"]
    'Two thirds and twice the 30 inputs.'
    """
    if level not in _ENOUGH_ROWS:
        raise InvalidParameterError(
            f"level={level!r} must be 'quick', 'normal' or 'thorough'."
            f"{nearest_name(level, _ENOUGH_ROWS)}"
        )
    check_consistent_length(X, y)
    prefix, network = last_step_prefix(estimator), last_step(estimator)
    if is_classifier(network):
        y = class_labels(y)
    n_rows = len(y)  # type: ignore[arg-type]
    known = network.get_params(deep=False)
    if {"hidden_layers", "filters", "image_shape", "learning_rate", "batch_size"} <= set(known):
        entries = _image_entries(_sides(X, known["image_shape"]), n_rows, known, level)
    elif {"hidden_layers", "neurons", "learning_rate", "batch_size", "dropout", "l2"} <= set(known):
        sample_X, sample_y = _prepared_sample(estimator, X, y)
        check = check_linear(sample_X, sample_y, classification=is_classifier(network))
        entries = _mlp_entries(np.shape(sample_X)[1], n_rows, known, check, level)
    elif {"cell", "neurons", "learning_rate", "batch_size", "dropout", "time_steps"} <= set(known):
        sample_X, _ = _prepared_sample(estimator, X, y)
        entries = _recurrent_entries(np.shape(sample_X)[1], n_rows, known, level)
    elif {"model", "optimizer", "batch_size"} <= set(known):
        grid = _ANY_NETWORK[level]
        entries = {
            "optimizer__learning_rate": _learning_rate_entry(grid),
            "batch_size": _batch_size_entry(grid, n_rows, known),
        }
    else:
        raise InvalidParameterError(
            f"Nothing is known about the parameters of {type(network).__name__}. Expected a "
            "KerasMLPClassifier, KerasRNNClassifier, KerasCNNClassifier, KerasClassifier or one of "
            "their regressors, or a pipeline that ends in one; write the space of other estimators "
            "as a dict."
        )
    return SuggestedSpace(
        {prefix + name: values for name, (values, _) in entries.items()},
        {prefix + name: reason for name, (_, reason) in entries.items()},
    )


class _Entry(NamedTuple):
    values: list[Any]
    reason: str


def _prepared_sample(estimator: Any, X: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
    """Some rows as the last step of a pipeline gets them."""
    sample_X, sample_y = _sample(X, y, stratified=is_classifier(last_step(estimator)))
    for _, step in steps_before(estimator):
        if hasattr(step, "fit_resample"):
            # The linear check takes the rows without resampling.
            continue
        sample_X = clone(step).fit_transform(sample_X, sample_y)
    return sample_X, sample_y


def _sample(X: ArrayLike, y: ArrayLike, *, stratified: bool) -> tuple[Any, Any]:
    n_rows = len(y)  # type: ignore[arg-type]
    if n_rows <= ROWS_OF_THE_CHECK:
        return X, y
    return resample(
        X,
        y,
        n_samples=ROWS_OF_THE_CHECK,
        replace=False,
        random_state=0,
        stratify=y if stratified else None,
    )


def _mlp_entries(
    n_inputs: int, n_rows: int, known: Mapping[str, Any], check: LinearCheck | None, level: Level
) -> dict[str, _Entry]:
    few = _training_rows(n_rows, known) < ROWS_PER_INPUT * n_inputs
    grid = (_FEW_ROWS if few else _ENOUGH_ROWS)[level]
    entries = {
        "hidden_layers": _hidden_layers_entry(check, level),
        "neurons": _neurons_entry(grid, n_inputs),
        "learning_rate": _learning_rate_entry(grid),
        "batch_size": _batch_size_entry(grid, n_rows, known),
    }
    if grid.dropout or grid.l2:
        reason = (
            f"{_training_rows(n_rows, known)} rows to train on in each of {FOLDS} folds are fewer "
            f"than {ROWS_PER_INPUT} for each of the {n_inputs} inputs."
        )
        for name, values in (("dropout", grid.dropout), ("l2", grid.l2)):
            if values:
                entries[name] = _Entry(list(values), reason)
    return entries


class _RecurrentGrid(NamedTuple):
    """How fine a level searches recurrent networks; `windows` are shares of the steps."""

    grid: _Grid
    layers: tuple[int, ...]
    neurons: tuple[int, ...]
    windows: tuple[float, ...]
    dropout: tuple[float, ...]


_RECURRENT: dict[str, _RecurrentGrid] = {
    "quick": _RecurrentGrid(_Grid(_rates(1e-2, 1e-4, 3), (32,)), (1,), (16, 64), (0.5, 1.0), ()),
    "normal": _RecurrentGrid(
        _Grid(_rates(1e-1, 1e-5, 5), (32,)), (1, 2), (16, 64), (0.5, 1.0), (0.0, 0.2)
    ),
    "thorough": _RecurrentGrid(
        _Grid(_rates(1e-1, 1e-5, 5), (16, 32, 64)),
        (1, 2),
        (16, 32, 128),
        (0.25, 0.5, 1.0),
        (0.0, 0.2, 0.4),
    ),
}


def _recurrent_entries(
    n_steps: int, n_rows: int, known: Mapping[str, Any], level: Level
) -> dict[str, _Entry]:
    grid, layers, neurons, shares, dropout = _RECURRENT[level]
    windows = sorted({max(1, int(share * n_steps)) for share in shares})
    units = f"{', '.join(map(str, neurons[:-1]))} and {neurons[-1]}"
    entries = {
        "neurons": _Entry(list(neurons), f"{units} units, a small network to a large one."),
        "time_steps": _Entry(
            list(windows), f"The last {windows[0]} up to all {n_steps} steps of a row."
        ),
        "learning_rate": _learning_rate_entry(grid),
        "batch_size": _batch_size_entry(grid, n_rows, known),
    }
    if len(layers) > 1:
        entries["hidden_layers"] = _Entry(list(layers), "One layer, or a second on top of it.")
    if dropout:
        entries["dropout"] = _Entry(
            list(dropout), "None, and what keeps a network from overfitting."
        )
    return entries


def _sides(X: ArrayLike, image_shape: Any) -> tuple[int, int]:
    """Height and width of the images."""
    shape = np.shape(X)
    if image_shape is not None:
        return int(image_shape[0]), int(image_shape[1])
    return (int(shape[1]), int(shape[2])) if len(shape) > 2 else (1, int(shape[-1]))


def _image_entries(
    sides: tuple[int, int], n_rows: int, known: Mapping[str, Any], level: Level
) -> dict[str, _Entry]:
    grid = _IMAGES[level]
    fitting = [n for n in grid.blocks if max(sides) >> (n - 1) >= _LEAST_PIXELS] or [1]
    height, width = sides
    entries = {
        "hidden_layers": _Entry(
            fitting,
            f"Blocks that each halve images of {height} x {width} pixels, the last of which still "
            f"gets {_LEAST_PIXELS} pixels or more along the longer side.",
        ),
        "filters": _Entry(
            list(grid.filters), "Filters of the first block, doubled where the image halves."
        ),
        "learning_rate": _learning_rate_entry(grid),
        "batch_size": _batch_size_entry(grid, n_rows, known),
    }
    if grid.dropout:
        reason = "Of the hidden layer behind the blocks, which has most of the weights."
        entries["dropout"] = _Entry(list(grid.dropout), reason)
    return entries


def _hidden_layers_entry(check: LinearCheck | None, level: Level) -> _Entry:
    if check is None:
        return _Entry([1, 2], "Too few rows to say whether a linear model is enough.")
    compared = (
        f"the {check.metric} of a linear model is {check.linear_score:.3f} and that of "
        f"{check.other_name} {check.other_score:.3f} (standard error of the difference "
        f"{check.standard_error:.3f}, {check.n_folds} folds of {check.n_rows} rows)."
    )
    if check.is_enough:
        # Without a hidden layer, each number of neurons is the same network.
        values = [0, 1] if level == "quick" else [0, 1, 2]
        return _Entry(values, f"A hidden layer may not be needed: {compared}")
    return _Entry([1, 2], f"One or two, as a linear model is not enough: {compared}")


def _neurons_entry(grid: _Grid, n_inputs: int) -> _Entry:
    names = {
        _FEW: "a quarter",
        0.5: "half",
        _TWO_THIRDS: "two thirds",
        _ALL: "all",
        _TWICE: "twice",
    }
    # Rounded down, as with neurons="auto"; a product with the float 2 / 3 may be just too small.
    wanted = [max(2, int(share * n_inputs + 1e-9)) for share in grid.neurons]
    sizes = sorted({min(size, MOST_NEURONS) for size in wanted})
    shares = [names[share] for share in grid.neurons]
    listed = f"{', '.join(shares[:-1])} and {shares[-1]}" if len(shares) > 1 else shares[0]
    bounds = ", but at least 2" if min(wanted) == 2 else ""
    bounds += f", but at most {MOST_NEURONS}" if max(wanted) > MOST_NEURONS else ""
    return _Entry(sizes, f"{listed.capitalize()} the {n_inputs} inputs{bounds}.")


def _learning_rate_entry(grid: _Grid) -> _Entry:
    rates = list(grid.learning_rates)
    return _Entry(
        rates, f"{len(rates)} steps from {rates[0]:g} to {rates[-1]:g}, even in the logarithm."
    )


def _batch_size_entry(grid: _Grid, n_rows: int, known: Mapping[str, Any]) -> _Entry:
    most = _training_rows(n_rows, known)
    sizes = sorted({min(size, most) for size in grid.batch_sizes})
    return _Entry(
        sizes, f"Around 32, but at most the {most} rows to train on in each of {FOLDS} folds."
    )


def _training_rows(n_rows: int, known: Mapping[str, Any]) -> int:
    """The rows that a network learns from in a fold, without those held out to stop early."""
    held_out = known.get("validation_fraction", 0.0) if known.get("early_stopping") else 0.0
    return max(1, int(n_rows * (1 - 1 / FOLDS) * (1 - held_out)))
