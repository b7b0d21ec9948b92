"""The loss of each row by itself, and what a batch's sum of them is divided by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import keras

from skhp.exceptions import CannotJoinError
from skhp.training.row_wise import ROW_WISE_LOSSES

Divisor = Literal["weight", "rows", "nothing"]
Tensor: TypeAlias = Any

_DIVISOR_OF: dict[str, Divisor] = {
    "mean_with_sample_weight": "weight",
    "sum_over_batch_size": "rows",
    "mean": "rows",
    "sum": "nothing",
}


@dataclass(frozen=True)
class RowLoss:
    """A loss of Keras: its class, its settings and the divisor of its reduction."""

    kind: type[keras.losses.Loss]
    settings: tuple[tuple[str, Any], ...]
    divisor: Divisor

    def of_rows(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Loss of each row; the last axis of `outputs` is that of its units."""
        return self.kind(**dict(self.settings), reduction=None).call(y, outputs)


def row_loss(loss: keras.losses.Loss) -> RowLoss:
    """The loss of each row for a loss of Keras.

    Raises
    ------
    CannotJoinError
        If the loss is not known to be a mean or a sum over rows.
    """
    if type(loss) not in ROW_WISE_LOSSES or loss.reduction not in _DIVISOR_OF:
        name = getattr(loss, "name", loss)
        raise CannotJoinError(f"the loss {name!r} is not known to be a mean over rows.")
    settings = tuple(
        sorted(
            (name, value)
            for name, value in loss.get_config().items()
            if name not in ("name", "reduction", "dtype")
        )
    )
    return RowLoss(type(loss), settings, _DIVISOR_OF[loss.reduction])
