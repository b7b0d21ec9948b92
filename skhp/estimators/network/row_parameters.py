"""Which parameters the rows of a fit depend on, so that no candidate gets those of another."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from skhp.estimators.network.parameters import NetworkParameters, parameter_names
from skhp.shared.nearest_name import nearest_name


@functools.lru_cache
def row_parameters(kind: type) -> tuple[str, ...]:
    """Names of the parameters that two fits must have in common to share their prepared rows.

    A class says by `_row_parameters` which of its parameters change the rows; those of its
    constructor that it does not name change none. A class that says nothing is not trusted: its own
    parameters count, and where it overrides a private method of ours, which may read rows, all do.

    Parameters
    ----------
    kind : subclass of NetworkParameters

    Returns
    -------
    tuple of str

    Raises
    ------
    TypeError
        If a class declares what is not a parameter.
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
    _refuse_unknown(kind, declared)
    return tuple(name for name in names if name in declared or name not in known)


def _refuse_unknown(kind: type, declared: set[str]) -> None:
    """Refuse what is no parameter of any class that an estimator is made of."""
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
