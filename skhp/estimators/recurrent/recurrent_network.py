"""The parameters of recurrent layers, and the network that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.estimators.mlp.multilayer_perceptron import PARAMETERS as OF_TRAINING
from skhp.estimators.network.estimator import NetworkEstimator
from skhp.estimators.recurrent.series import (
    MOST_TOKENS,
    checked_series,
    last_steps,
    refuse_other_channels,
    refuse_other_numbers_than_tokens,
    refuse_unknown_tokens,
    without_unknown_tokens,
)
from skhp.estimators.tables import WeightedTable
from skhp.networks.description import (
    NetworkDescription,
    NetworkSize,
    layer_sizes,
    network_size,
    recurrent_network,
)

# The documentation that the classifier and the regressor share; these entries replace those of the
# perceptron that have the same name.
PARAMETERS = f"""
cell : {{"lstm", "gru", "simple"}}
    Kind of recurrent layer: Keras' LSTM, GRU or SimpleRNN.
hidden_layers : int or "auto"
    Number of recurrent layers, from 1 up. All but the last return their outputs at all steps.
    "auto" is the number of entries of `neurons`.
neurons : int or sequence of int
    Units of every recurrent layer, or one number per layer: ``hidden_layers=2, neurons=(32, 16)``.
    A bidirectional layer has these units in each direction.
dropout : float
    Share, from 0 to below 1, that is dropped during training from the embeddings and the outputs of
    each recurrent layer. Between layers, the same units are dropped in all steps of a row, as with
    the parameter `dropout` of Keras' recurrent layers. The series itself is never dropped.
recurrent_dropout : float
    Share of the state, from 0 to below 1, dropped in each recurrent layer during training; the same
    units are dropped in all steps of a row. It makes an LSTM train several times slower.
bidirectional : bool
    Whether each layer reads the series in both directions and concatenates the outputs.
time_steps : int or None
    Number of steps, at the end of each sample, that the network sees; None takes all. The number of
    samples stays the same, so that a search can compare windows of different lengths.
embedding_dim : int or None
    Length of the vector that is learnt for each token. `X` then holds whole numbers, in which 0 is
    padding that the recurrent layers skip. With None, `X` holds series of numbers, not tokens.
vocabulary_size : int or None
    Number of different tokens, including 0; a token that is not below this number is an error. None
    is the largest token seen in `fit`, plus 1. Larger tokens in rows to predict or to validate on,
    such as words that a training fold lacks, are then unknown, and are skipped like padding. Only
    with `embedding_dim`.
{OF_TRAINING.strip()}
"""

ATTRIBUTES = """
    n_features_in_ : int
        Number of steps seen in `fit`, before `time_steps` takes the last ones.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of a table with one step per column; only if all of them are strings.
    n_channels_in_ : int
        Number of channels seen in `fit`.
    vocabulary_size_ : int
        Number of different tokens that the network knows; only with `embedding_dim`.
    n_iter_ : int
        Number of epochs run.
    best_epoch_ : int
        Epoch, counted from 1, whose weights are kept.
    stop_reason_ : {"patience", "epochs", "non_finite_loss", "callback", "pruned", "time_budget"}
        Why the training ended.
    learning_rate_ : list of float
        Learning rate at the start of each epoch; only with an `lr_schedule`.
"""

# The first layer, the second, and the third, which has the size of every further one.
_DISTINCT_LAYERS = 3
_MOST_LAYERS_READ = 10_000
# The number of weights of a simple layer of one unit.
_LEAST_WEIGHTS = 3


class RecurrentNetwork(NetworkEstimator):
    """Parameters of recurrent layers, and the network that they describe; not for direct use."""

    cell: str
    hidden_layers: int | str
    neurons: int | Sequence[int]
    dropout: float
    recurrent_dropout: float
    bidirectional: bool
    time_steps: int | None
    embedding_dim: int | None
    vocabulary_size: int | None

    n_channels_in_: int
    vocabulary_size_: int

    _row_parameters: ClassVar[tuple[str, ...]] = ("time_steps", "embedding_dim", "vocabulary_size")
    _size_parameters = ("hidden_layers", "neurons", "embedding_dim", "vocabulary_size")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "cell": [StrOptions({"lstm", "gru", "simple"})],
        "hidden_layers": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "neurons": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left")],
        "bidirectional": ["boolean"],
        "time_steps": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), None],
        "vocabulary_size": [Interval(Integral, 1, MOST_TOKENS, closed="both"), None],
        **NetworkEstimator._parameter_constraints,
    }

    def __init__(
        self,
        time_steps: int | None = None,
        embedding_dim: int | None = None,
        vocabulary_size: int | None = None,
        **of_training: Any,
    ) -> None:
        super().__init__(**of_training)
        self.time_steps = time_steps
        self.embedding_dim = embedding_dim
        self.vocabulary_size = vocabulary_size

    def _read_rows(self, X: ArrayLike, *, first: bool = False) -> np.ndarray:
        """The last `time_steps` steps of each row, of numbers or tokens, in float32."""
        name, tokens = type(self).__name__, self.embedding_dim is not None
        rows = checked_series(self, X, first=first, tokens=tokens)
        if first:
            self.n_channels_in_ = 1 if tokens else rows.shape[2]
        refuse_other_channels(name, rows, self.n_channels_in_)
        if tokens:
            refuse_other_numbers_than_tokens(name, rows)
            given = self.vocabulary_size
            if first:
                self.vocabulary_size_ = int(rows.max()) + 1 if given is None else int(given)
            if given is None:
                rows = without_unknown_tokens(rows, self.vocabulary_size_)
            else:
                refuse_unknown_tokens(rows, self.vocabulary_size_, given=True)
        rows = last_steps(name, rows, self.time_steps)
        return rows.astype(np.float32, copy=False)

    def _checked_table(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *more: Any,
        first: bool,
        held_out: bool = False,
        **options: Any,
    ) -> WeightedTable:
        table = super()._checked_table(X, y, *more, first=first, held_out=held_out, **options)
        if self.embedding_dim is not None and not (first or held_out):
            # A fit that continues would silently skip tokens that the first fit did not see.
            rows = checked_series(self, X, first=False, tokens=True)
            refuse_unknown_tokens(
                rows, self.vocabulary_size_, given=self.vocabulary_size is not None
            )
        return table

    def _describe(self, table: WeightedTable) -> NetworkDescription:
        shape, n_outputs = table.X.shape[1:], table.target.n_outputs
        vocabulary = self.vocabulary_size_ if self.embedding_dim is not None else 0
        self._refuse_too_many_layers(shape, n_outputs, vocabulary)
        sizes = layer_sizes(self.hidden_layers, self.neurons, shape[-1])
        return self._network(shape, n_outputs, vocabulary, sizes, table.target.output)

    def _network(
        self,
        shape: tuple[int, ...],
        n_outputs: int,
        vocabulary_size: int,
        sizes: tuple[int, ...],
        output: Any = "regression",
    ) -> NetworkDescription:
        return recurrent_network(
            input_shape=shape,
            n_outputs=n_outputs,
            output=output,
            cell=self.cell,
            sizes=sizes,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            bidirectional=self.bidirectional,
            embedding=None
            if self.embedding_dim is None
            else (vocabulary_size, int(self.embedding_dim)),
        )

    def _check_combination(self) -> None:
        super()._check_combination()
        # No rows are known yet: one step and one channel make the smallest network.
        tokens = self.embedding_dim is not None
        self._refuse_too_many_layers((1,) if tokens else (1, 1), 1, 1, "at least ")
        layer_sizes(self.hidden_layers, self.neurons, n_inputs=1)

    def _further_mistakes(self) -> list[str]:
        mistakes = super()._further_mistakes()
        if self.vocabulary_size is not None and self.embedding_dim is None:
            mistakes.append(
                f"{type(self).__name__} has vocabulary_size={self.vocabulary_size!r}, which is for "
                "tokens, and no embedding_dim: set embedding_dim, or leave vocabulary_size at None."
            )
        return mistakes

    def _refuse_too_many_layers(
        self, shape: tuple[int, ...], n_outputs: int, vocabulary_size: int, least: str = ""
    ) -> None:
        """Refuse a network that is too large, before its long description is made."""
        if self.max_memory is None:
            return
        self._refuse_too_large(self._size(shape, n_outputs, vocabulary_size), least)

    def _size(self, shape: tuple[int, ...], n_outputs: int, vocabulary_size: int) -> NetworkSize:
        def size_with(sizes: tuple[int, ...]) -> NetworkSize:
            return network_size(self._network(shape, n_outputs, vocabulary_size, sizes))

        if (
            hasattr(self.neurons, "__len__")
            and len(np.atleast_1d(self.neurons)) > _MOST_LAYERS_READ
        ):
            # Reading every size would take long; the number of layers alone bounds the weights.
            count = np.size(self.neurons)
            return NetworkSize(_LEAST_WEIGHTS * count, count)
        if not isinstance(self.neurons, Integral) or self.hidden_layers == "auto":
            return size_with(layer_sizes(self.hidden_layers, self.neurons, shape[-1]))
        units, count = int(self.neurons), int(self.hidden_layers)
        made = size_with((units,) * min(count, _DISTINCT_LAYERS))
        further = max(0, count - _DISTINCT_LAYERS)
        of_one = (
            made.weights - size_with((units,) * (_DISTINCT_LAYERS - 1)).weights if further else 0
        )
        return NetworkSize(made.weights + further * of_one, made.layers + further)
