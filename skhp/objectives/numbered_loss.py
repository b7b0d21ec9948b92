"""The base of skhp's own losses for classifiers, and their names as values of `loss`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

import keras

from skhp.exceptions import InvalidParameterError
from skhp.shared.nearest_name import nearest_name


class NumberedLoss(keras.losses.Loss):
    """A loss for classifiers with numbers as parameters, which may differ from member to member.

    A subclass lists its parameters, computes the loss of rows or of a batch from numbers, and gets
    a name by :func:`named_loss`. A compiled program serves members with any of these numbers.

    Attributes
    ----------
    parameters : tuple of str
        Names of the constructor's parameters, which are also attributes.
    of_program : tuple of str
        The parameters that are fixed in a compiled program, such as a kind of average.
    positive : {0, 1} or None
        The positive one of two classes, if the loss has one; None is the rarest class if an
        estimator of skhp compiles the loss.
    """

    parameters: ClassVar[tuple[str, ...]]
    of_program: ClassVar[tuple[str, ...]] = ()
    positive: int | None = None

    # A subclass has one of the two: `of_rows(y, outputs, numbers)` is the loss of each row, and
    # `of_batch(y, outputs, weight, numbers, **settings)` is one number for a whole batch. `y` and
    # `outputs` have the shape (..., rows, units), `weight` (..., rows), and each of the numbers the
    # shape of the leading axes.
    of_rows: ClassVar[Callable[..., Any]]
    of_batch: ClassVar[Callable[..., Any]]

    @classmethod
    def takes_whole_batches(cls) -> bool:
        """Whether the loss is one number for a batch, and not a mean over rows."""
        return hasattr(cls, "of_batch")

    def numbers_of_member(self) -> tuple[float, ...]:
        """The numbers that may differ from member to member, as `of_rows` or `of_batch` takes them.

        Raises
        ------
        InvalidParameterError
            If a parameter has an invalid value.
        """
        raise NotImplementedError

    def about(self, rare: int) -> Self:
        """The same loss with `rare` as its positive class, unless it has one already."""
        if self.positive is not None or "positive" not in self.parameters:
            return self
        return type(self).from_config({**self.get_config(), "positive": rare})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters of this loss.

        Parameters
        ----------
        deep : bool, default=True
            Has no effect.

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
        """The configuration that Keras saves."""
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
    """Decorate the class of a loss to let estimators know the loss by this name."""

    def registered(kind: Kind) -> Kind:
        NAMED_LOSSES[name] = kind
        return kind

    return registered


def name_of_loss(kind: type[NumberedLoss]) -> str:
    """The name that `named_loss` gave to a class."""
    for name, known in NAMED_LOSSES.items():
        if known is kind:
            return name
    raise InvalidParameterError(
        f"The loss {kind.__name__} has no name, by which its networks are saved and trained "
        f'together: decorate the class, and no base of it, with @named_loss("{kind.__name__}").'
    )
