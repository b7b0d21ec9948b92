"""The parameters that all of our own networks share."""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, is_classifier

from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.estimators.early_stopping import EARLY_STOPPING_CONSTRAINTS
from skhp.estimators.familiar_names import OPTIMIZER_ALIASES, suggestion
from skhp.estimators.parameters import NamedParametersMixin, NamesIn, keeps_parameters
from skhp.exceptions import InvalidParameterError
from skhp.networks.build import network_of
from skhp.networks.description import NetworkDescription, NetworkSize
from skhp.objectives.losses import why_not
from skhp.shared.amounts import as_text, bytes_of
from skhp.shared.nearest_name import nearest_name
from skhp.training.fit_task import bytes_to_train
from skhp.training.rate_schedules import OPTIMIZERS, SCHEDULES, schedule_from


class NetworkParameters(NamedParametersMixin, BaseEstimator):
    """The parameters of a network's training, and the values that they may have."""

    optimizer: str
    learning_rate: float
    lr_schedule: str | Mapping[str, Any] | None
    batch_size: int | str
    epochs: int
    early_stopping: bool
    patience: int
    min_delta: float
    monitor: str
    validation_fraction: float
    validation_rows: str
    loss: Any
    engine: str
    max_memory: int | str | None
    callbacks: Any
    warm_start: bool
    random_state: int | np.random.RandomState | None
    verbose: int

    _row_parameters: ClassVar[tuple[str, ...]] = ()
    # The parameters that a network is as large as.
    _size_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "optimizer": [StrOptions(NamesIn(OPTIMIZERS, *OPTIMIZER_ALIASES))],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(SCHEDULES)), dict, None],
        "batch_size": [StrOptions({"full"}), Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        **EARLY_STOPPING_CONSTRAINTS,
        "engine": [StrOptions({"auto", "population", "keras"})],
        "max_memory": [str, Interval(Integral, 1, None, closed="left"), None],
        "callbacks": "no_validation",
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the loss, such as ``loss__gamma``.

        Returns
        -------
        params : dict
            Values by name.
        """
        # A search calls this several times for each of hundreds of members, and scikit-learn's own
        # method would read the signature in every call.
        params = {name: getattr(self, name) for name in parameter_names(type(self).__init__)}
        if deep and hasattr(self.loss, "get_params") and not isinstance(self.loss, type):
            of_loss = self.loss.get_params()
            params |= {f"loss__{name}": value for name, value in of_loss.items()}
        return params

    @keeps_parameters
    def __init__(
        self,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        lr_schedule: str | Mapping[str, Any] | None = None,
        batch_size: int | str = 32,
        epochs: int = 200,
        early_stopping: bool = True,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        validation_fraction: float = 0.2,
        validation_rows: str = "random",
        loss: Any = "auto",
        engine: str = "auto",
        max_memory: int | str | None = "2GB",
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None: ...

    def _suggestion(self, name: str, value: Any, options: list[str]) -> str:
        return suggestion(name, value, options, of_classes=is_classifier(self))

    def _further_mistakes(self) -> list[str]:
        reason = why_not(self.loss, of_classes=is_classifier(self))
        if not callable(self.loss) or not reason:
            return []
        return [f"{type(self).__name__} has loss={self.loss!r}. {reason}"]

    def _check_combination(self) -> None:
        """Raise an error, with one line per mistake, if parameters are wrong alone or combined.

        No rows are needed, so that a search can check all candidates before it trains any.
        """
        if not sklearn.get_config()["skip_parameter_validation"]:
            self._validate_params()
        schedule_from(self.lr_schedule)

    def _refuse_too_large(self, size: NetworkSize, least: str = "") -> None:
        """Refuse a network whose training takes more than `max_memory`.

        In the message, `least` marks lower bounds.
        """
        limit, needed = self._memory_limit(), size.bytes_to_train
        if limit is not None and needed > limit:
            layers = "hidden layer" if size.layers == 1 else "hidden layers"
            raise InvalidParameterError(
                f"{type(self).__name__}{self._told_sizes()} would have {least}{size.weights:,} "
                f"weights in {size.layers:,} {layers}, and their training would take "
                f"{least}{as_text(needed)} of memory, above max_memory={self.max_memory!r}. "
                "Take fewer or smaller layers, or raise max_memory, as far as the machine allows."
            )

    def _told_sizes(self) -> str:
        given = [(name, getattr(self, name)) for name in self._size_parameters]
        told = [f"{name}={reprlib.repr(value)}" for name, value in given if value is not None]
        if len(told) < 2:
            return "".join(f" with {one}" for one in told)
        return f" with {', '.join(told[:-1])} and {told[-1]}"

    def _refuse_too_much_memory(
        self, network: NetworkDescription, batch_size: int, n_rows: int, n_held_out: int
    ) -> None:
        """Refuse rows whose training takes more than `max_memory`, as a population counts it."""
        limit = self._memory_limit()
        needed = bytes_to_train(network_of(network), batch_size, n_rows, n_held_out)
        if limit is not None and needed > limit:
            raise InvalidParameterError(
                f"{type(self).__name__} would take {as_text(needed)} of memory to train with "
                f"batches of {min(batch_size, n_rows):,} rows of the shape {network.input_shape}, "
                f"and to validate on {n_held_out:,} rows, above max_memory={self.max_memory!r}. "
                "The outputs of the layers count, at each step of a series and each pixel. Take a "
                "smaller batch_size, validation_fraction or network, fewer time steps or smaller "
                "images, or raise max_memory, as far as the machine allows."
            )

    def _memory_limit(self) -> int | None:
        if self.max_memory is None:
            return None
        limit = bytes_of(self.max_memory)
        if limit is None:
            raise InvalidParameterError(
                f"max_memory={self.max_memory!r} is not an amount of memory: give a number of "
                'bytes of at least 1, a text such as "500MB" or "2GiB", or None.'
            )
        return limit


@functools.lru_cache
def parameter_names(constructor: Callable[..., None]) -> tuple[str, ...]:
    """Names of the parameters of a constructor, in alphabetical order."""
    return tuple(
        sorted(
            name
            for name, parameter in inspect.signature(constructor).parameters.items()
            if name != "self" and not parameter.kind.name.startswith("VAR_")
        )
    )


@functools.lru_cache
def row_parameters(kind: type) -> tuple[str, ...]:
    """Names of the parameters that must be equal in two fits for them to share prepared rows.

    A class lists in `_row_parameters` which of its constructor's parameters change the rows. If a
    class has no such list, all of its own parameters may change them; if it also overrides a
    private method of ours, which may read rows, every parameter may.
    """
    names = parameter_names(kind.__init__)  # type: ignore[misc]
    declared: set[str] = set()
    known: set[str] = set()
    for place, part in enumerate(kind.__mro__):
        if "_row_parameters" in vars(part):
            declared.update(vars(part)["_row_parameters"])
            if "__init__" in vars(part):
                known.update(parameter_names(vars(part)["__init__"]))
        elif _overrides_a_private_method(part, kind.__mro__[place + 1 :]):
            return names
    _refuse_unknown_row_parameters(kind, declared)
    return tuple(name for name in names if name in declared or name not in known)


def _refuse_unknown_row_parameters(kind: type, declared: set[str]) -> None:
    """Refuse a declared name that no constructor of a class or of its bases has."""
    constructors = [vars(part)["__init__"] for part in kind.__mro__ if "__init__" in vars(part)]
    known = {name for constructor in constructors for name in parameter_names(constructor)}
    for name in sorted(declared - known):
        raise TypeError(
            f"{kind.__name__} has _row_parameters that name {name!r}, which is not a parameter of "
            f"its constructor.{nearest_name(name, sorted(known))} Expected a tuple of names."
        )


def _overrides_a_private_method(part: type, bases: Sequence[type]) -> bool:
    ours = [base for base in bases if issubclass(base, NetworkParameters)]
    return any(
        (callable(value) or hasattr(value, "__get__")) and any(name in vars(base) for base in ours)
        for name, value in vars(part).items()
        if name.startswith("_") and not name.endswith("__")
    )
