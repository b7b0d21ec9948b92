"""Training rows, their order and their batches: what fits with one seed share.

The order of the rows in an epoch is a function of the seed and the epoch alone; no global random
generator is read, so fits in several threads cannot disturb each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf


def row_order(seed: int, epoch: int, n_rows: int) -> np.ndarray:
    """Order in which the rows are visited in an epoch, counted from 0.

    Examples
    --------
    >>> sorted(row_order(seed=0, epoch=3, n_rows=4).tolist())
    [0, 1, 2, 3]
    """
    return np.random.default_rng([seed, epoch]).permutation(n_rows)


def steps_in_epoch(n_rows: int, batch_size: int) -> int:
    """Number of batches in an epoch, the last one as small as it has to be."""
    return -(-n_rows // batch_size)


def epoch_batches(
    arrays: Any,
    *,
    n_rows: int,
    batch_size: int,
    epochs: int,
    seed: int | None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches of all epochs, one epoch after the other.

    Parameters
    ----------
    arrays : ndarray or nested structure of ndarrays, each with `n_rows` rows
    n_rows : int
    batch_size : int
        Rows in a batch; the last batch of an epoch may have fewer.
    epochs : int
    seed : int or None
        Decides the order of the rows; None leaves them as they are.
    first_epoch : int, default=0
        Number of the first epoch.

    Returns
    -------
    tf.data.Dataset
        Batches of the structure of `arrays`.
    """

    def orders() -> Iterator[np.ndarray]:
        for epoch in range(first_epoch, first_epoch + epochs):
            yield np.arange(n_rows) if seed is None else row_order(seed, epoch, n_rows)

    tensors = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    signature = tf.TensorSpec((n_rows,), tf.int64)
    return (
        tf.data.Dataset.from_generator(orders, output_signature=signature)
        .flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
        .map(lambda rows: tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), tensors))
        .prefetch(1)
        # Keras warns of data that ran out unless it knows beforehand where they end.
        .apply(tf.data.experimental.assert_cardinality(epochs * steps_in_epoch(n_rows, batch_size)))
    )


def dropout_noise(seed: int, layer: int, epoch: int, n_rows: int, units: int) -> np.ndarray:
    """Uniform whole numbers of 16 bits, one for each place in an epoch's order and each unit.

    A unit's numbers depend neither on how many units there are nor on the batch size, so members
    that differ in these can share a stream and still get what they would get alone.

    Examples
    --------
    >>> wide, narrow = (dropout_noise(0, 0, 0, n_rows=3, units=units) for units in (5, 2))
    >>> bool((wide[:, :2] == narrow).all())
    True
    """
    generator = np.random.default_rng([seed, layer, epoch])
    return generator.integers(2**16, size=(units, n_rows), dtype=np.uint16).T


@dataclass(frozen=True)
class TrainingSeeds:
    """Seeds of the inner validation split, of the initial weights and noise, of the row order."""

    split: int
    network: int
    order: int

    @classmethod
    def derived_from(cls, seed: int) -> Self:
        """Seeds that differ from each other and depend on `seed` alone."""
        return cls(*(int(state) for state in np.random.SeedSequence(seed).generate_state(3)))
