"""Suggest a search space by rules of thumb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.utils import check_consistent_length, resample

from skhp.exceptions import InvalidParameterError
from skhp.search.space.entries import (
    Entry,
    KindOfNetwork,
    Level,
    Table,
    batch_size_entry,
    learning_rate_entry,
    rates,
)
from skhp.search.space.image_space import CONVOLUTIONAL
from skhp.search.space.perceptron_space import PERCEPTRON
from skhp.search.space.recurrent_space import RECURRENT
from skhp.shared.class_targets import class_labels
from skhp.shared.nearest_name import nearest_name
from skhp.shared.pipelines import last_step, last_step_prefix, steps_before
from skhp.shared.unusable_data import refuse_arrays_of_arrays

ROWS_OF_THE_CHECK = 2000

_RATES_OF_ANY = {"quick": 5, "normal": 9, "thorough": 17}
_BATCHES_OF_ANY = {
    "quick": (16, 64),
    "normal": (8, 16, 32, 64, 128, 256),
    "thorough": (8, 16, 32, 64, 128, 256),
}


def _entries_of_any(table: Table, known: Mapping[str, Any], level: Level) -> dict[str, Entry]:
    return {
        "optimizer__learning_rate": learning_rate_entry(rates(1e-1, 1e-5, _RATES_OF_ANY[level])),
        "batch_size": batch_size_entry(_BATCHES_OF_ANY[level], table.n_rows, known),
    }


# An estimator is of the first kind whose parameters it has.
_KINDS = (
    CONVOLUTIONAL,
    PERCEPTRON,
    RECURRENT,
    KindOfNetwork(frozenset({"model", "optimizer", "batch_size"}), _entries_of_any),
)


class SuggestedSpace(dict[str, list[Any]]):
    """A search space, as a dict from names to lists of values, which explains these values.

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
    """Suggest a grid to search, by rules of thumb and the size of the data.

    The grid has learning rates on a logarithmic scale and batches around 32 rows. Perceptrons get 1
    or 2 hidden layers (also 0 if a linear model scores as well as others in cross-validation on
    2,000 rows), neurons from two thirds of the inputs up to 256, both ways to end a training (early
    stopping, and all rows with a cosine schedule), and dropout and l2 if rows are few for the
    number of inputs. Recurrent networks get 1 or 2 layers, 16 to 128 neurons, and windows of a
    quarter of the steps up to all steps. Convolutional networks get 1 to 3 blocks, as far as the
    images can be halved, and 8 to 32 filters.

    Parameters
    ----------
    estimator : a network of skhp
        A KerasMLPClassifier, KerasRNNClassifier, KerasCNNClassifier, KerasClassifier or one of
        their regressors, or a pipeline that ends in one. For any Keras model, the grid has only the
        learning rate and the batch size.
    X : array-like of shape (n_rows, n_columns), or of series or images
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
    level : {"quick", "normal", "thorough"}, default="normal"
        Size of the grid. The three levels have 16, 64 to 108, and 288 to 672 points; recurrent
        networks 12, 80 and 810; any Keras model 10, 54 and 102. With very few inputs or rows, some
        values coincide, and the grid is smaller.

    Returns
    -------
    SuggestedSpace
        A dict from names to lists, for any search; ``why()`` explains the values of each name.

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
    ([20, 256], [0.01, 0.001])
    >>> space.why()["patience"]
    'A ranking of few rows fluctuates from epoch to epoch.'
    """
    if level not in _RATES_OF_ANY:
        raise InvalidParameterError(
            f"level={level!r} must be 'quick', 'normal' or 'thorough'."
            f"{nearest_name(level, _RATES_OF_ANY)}"
        )
    check_consistent_length(X, y)
    prefix, network = last_step_prefix(estimator), last_step(estimator)
    if is_classifier(network):
        y = class_labels(y)
    known = network.get_params(deep=False)
    kind = next((kind for kind in _KINDS if kind.parameters <= set(known)), None)
    if kind is None:
        raise InvalidParameterError(
            f"Nothing is known about the parameters of {type(network).__name__}. Expected a "
            "KerasMLPClassifier, KerasRNNClassifier, KerasCNNClassifier, KerasClassifier or one of "
            "their regressors, or a pipeline that ends in one; write the space of other estimators "
            "as a dict."
        )
    if not steps_before(estimator):
        refuse_arrays_of_arrays(X, type(network).__name__)
    n_rows = len(y)  # type: ignore[arg-type]
    table = Table(lambda: _prepared_sample(estimator, X, y), n_rows, is_classifier(network))
    entries = kind.entries(table, known, level)
    return SuggestedSpace(
        {prefix + name: values for name, (values, _) in entries.items()},
        {prefix + name: reason for name, (_, reason) in entries.items()},
    )


def _prepared_sample(estimator: Any, X: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
    """A sample of the rows, transformed by the earlier steps of a pipeline."""
    sample_X, sample_y = _sample(X, y, stratified=is_classifier(last_step(estimator)))
    for _, step in steps_before(estimator):
        if hasattr(step, "fit_resample"):
            # Resampling would change the rows that the suggestion is based on.
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
