"""The base of skhp's own losses for classes, and the names that they have as `loss`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

import keras

from skhp.exceptions import InvalidParameterError
from skhp.shared.nearest_name import nearest_name


class NumberedLoss(keras.losses.Loss):
    """A loss for classes whose parameters are numbers that may differ from member to member.

    A subclass names its parameters, computes the loss of rows or of a batch from numbers, and has
    a name by :func:`named_loss`. A program of a population is built once for all numbers.

    Attributes
    ----------
    parameters : tuple of str
        Names of the parameters of the constructor, which are attributes.
    of_program : tuple of str
        Those of them that a program is built for, such as a kind of average.
    positive : {0, 1} or None
        Which of two classes it is about, where it is about one; None is the rarest where skhp's
        estimators compile it.
    """

    parameters: ClassVar[tuple[str, ...]]
    of_program: ClassVar[tuple[str, ...]] = ()
    positive: int | None = None

    # Either of the two is there: `of_rows(y, outputs, numbers)`, the loss of each row, or
    # `of_batch(y, outputs, weight, numbers, **settings)`, one number for a batch that cannot be
    # taken in parts. `y` and `outputs` have the shape (..., rows, units), `weight` (..., rows), and
    # each of the numbers the shape of the leading axes.
    of_rows: ClassVar[Callable[..., Any]]
    of_batch: ClassVar[Callable[..., Any]]

    @classmethod
    def takes_whole_batches(cls) -> bool:
        """Whether it is one number for a batch, and not a mean over rows."""
        return hasattr(cls, "of_batch")

    def numbers_of_member(self) -> tuple[float, ...]:
        """The numbers that differ from member to member, in the order in which they are taken.

        Raises
        ------
        InvalidParameterError
            If a parameter has a value that it cannot have.
        """
        raise NotImplementedError

    def about(self, rare: int) -> Self:
        """The loss about the rare one of two classes, unless it has a positive class already."""
        if self.positive is not None or "positive" not in self.parameters:
            return self
        return type(self).from_config({**self.get_config(), "positive": rare})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters of this loss.

        Parameters
        ----------
        deep : bool, default=True
            Changes nothing.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in self.parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this loss.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        for name, value in params.items():
            if name not in self.parameters:
                raise InvalidParameterError(
                    f"{type(self).__name__} has no parameter {name!r}."
                    f"{nearest_name(name, self.parameters)}"
                )
            setattr(self, name, value)
        return self

    def get_config(self) -> dict[str, Any]:
        """What Keras saves."""
        return {**super().get_config(), **self.get_params()}

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({values})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), *self.get_params().values()))


Kind = TypeVar("Kind", bound=type[NumberedLoss])

NAMED_LOSSES: dict[str, type[NumberedLoss]] = {}


def named_loss(name: str) -> Callable[[Kind], Kind]:
    """Let estimators know a loss by this name: a decorator of its class."""

    def registered(kind: Kind) -> Kind:
        NAMED_LOSSES[name] = kind
        return kind

    return registered


def name_of_loss(kind: type[NumberedLoss]) -> str:
    """The name of a loss of ours."""
    return next(name for name, known in NAMED_LOSSES.items() if known is kind)
