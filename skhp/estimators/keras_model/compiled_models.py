"""A model that was compiled before its wrapper got it: which parameters have no effect then."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from skhp.exceptions import InvalidParameterError
from skhp.objectives.losses import ROW_WISE_LOSSES
from skhp.shared.equality import equal

_ROUTED_INTO = ("optimizer", "loss", "metrics")


class OfferedParameters(dict[str, Any]):
    """What a build function is offered; `read` holds the names that it looked up."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__(parameters)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The parameter of a name."""
        self.read.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        """The parameter of a name, which is taken out."""
        self.read.add(name)
        return super().pop(name, *default)

    # Whoever takes all of them, by `**offered` too, goes through one of these.

    def __iter__(self) -> Iterator[str]:
        return iter(self._all_read())

    def keys(self) -> Any:
        """All names."""
        return self._all_read().keys()

    def values(self) -> Any:
        """All values."""
        return self._all_read().values()

    def items(self) -> Any:
        """All names with their values."""
        return self._all_read().items()

    def copy(self) -> dict[str, Any]:
        """A plain dict of them all."""
        return self._all_read()

    def __or__(self, other: Any) -> Any:
        return self._all_read() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._all_read()

    def _all_read(self) -> dict[str, Any]:
        self.read.update(dict.keys(self))
        return {name: super(OfferedParameters, self).__getitem__(name) for name in dict.keys(self)}


def refuse_without_effect(
    model: keras.Model,
    asked: Mapping[str, Any],
    chosen: Mapping[str, Any],
    set_names: frozenset[str],
    read: frozenset[str] | None,
    *,
    is_function: bool,
) -> None:
    """Raise if a compiled model is not what the parameters of the compilation ask for.

    Parameters
    ----------
    model : keras.Model
        Compiled by others.
    asked : mapping
        What the wrapper would have compiled it with.
    chosen : mapping
        Parameters that somebody set.
    set_names : frozenset of str
        Names that were set by `set_params`, as by a search.
    read : frozenset of str or None
        What the build function looked up of what it was offered, of any name; None where it can
        look up everything, as a method of the wrapper.
    is_function : bool
        Whether it was a build function that compiled the model.

    Raises
    ------
    InvalidParameterError
    """
    held = _compiled_with(model)
    wanted = _compiled_with(keras.Sequential(), **asked)
    dead: list[str] = []
    for argument, names in _by_argument(chosen, asked).items():
        if read is not None and not read.isdisjoint({argument, *names}):
            continue
        same = _is_same(argument, held, wanted, model, asked)
        # The loss decides, too, how a target is given to the model.
        if same and (argument == "loss" or read is None or set_names.isdisjoint(names)):
            continue
        # A method may have made something else of them, but not nothing.
        if read is None and held.get(argument):
            continue
        dead += names
    if dead:
        raise InvalidParameterError(_message(model, dead, chosen, is_function))


def _message(
    model: keras.Model, dead: list[str], chosen: Mapping[str, Any], is_function: bool
) -> str:
    given = ", ".join(f"{name}={chosen[name]!r}" for name in dead)
    compiled = f"the optimizer {type(model.optimizer).__name__} and loss={_name_of(model.loss)}"
    if not is_function:
        return (
            f"The model is compiled already, with {compiled}, so that {given} would have no "
            f"effect. Leave out {', '.join(dead)}, or give a function that builds the model and "
            "leaves it uncompiled."
        )
    routed = ", ".join(f"model__{name.rpartition('__')[2]}" for name in dead)
    return (
        f"The build function compiles its model, with {compiled}, so that {given} would have no "
        f"effect. Write {routed} and take that as an argument of the build function, or let it "
        "return the model uncompiled, or let it take `compile_kwargs` and compile the model with "
        "what it finds there."
    )


def _name_of(loss: Any) -> str:
    if isinstance(loss, (str, list, tuple, dict)):
        return repr(loss)
    return getattr(loss, "__name__", type(loss).__name__)


def _by_argument(chosen: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, list[str]]:
    """Parameters of a compilation, by the argument of ``model.compile`` that they make up."""
    groups: dict[str, list[str]] = {}
    for name in chosen:
        route, separator, rest = name.partition("__")
        if separator and route == "compile":
            argument = rest
        elif not separator or route in _ROUTED_INTO:
            argument = route
        else:
            continue
        # That one is set on the model.
        if argument in asked and argument != "run_eagerly":
            groups.setdefault(argument, []).append(name)
    return groups


def _is_same(
    argument: str,
    held: Mapping[str, Any],
    wanted: Mapping[str, Any],
    model: keras.Model,
    asked: Mapping[str, Any],
) -> bool:
    if argument == "loss":
        losses = [keras.tree.flatten(given) for given in (asked["loss"], model.loss)]
        return len(losses[0]) == len(losses[1]) and all(map(_is_same_loss, *losses))
    if argument not in held or argument not in wanted:
        return False
    return equal(held[argument], wanted[argument])


def _is_same_loss(asked: Any, held: Any) -> bool:
    """Whether two losses are the same, by name or with the same settings."""
    if asked is held:
        return True
    asked, held = map(_loss_with_settings, (asked, held))
    if isinstance(asked, keras.losses.Loss) and isinstance(held, keras.losses.Loss):
        return type(asked) is type(held) and equal(asked.get_config(), held.get_config())
    return bool(asked == held)


def _loss_with_settings(loss: Any) -> Any:
    """A loss as an object of its class where Keras has one."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, type):
        loss = loss()
    if callable(loss) and not isinstance(loss, keras.losses.Loss):
        same = (kind() for kind in ROW_WISE_LOSSES)
        loss = next((known for known in same if known.fn is loss), loss)
    return loss


def _compiled_with(model: keras.Model, **asked: Any) -> dict[str, Any]:
    """What a model is compiled with as Keras writes it down; nothing where it cannot."""
    try:
        # Keras warns of functions without a name, of which nothing is loaded here.
        with warnings.catch_warnings(action="ignore"):
            if asked:
                model.compile(**asked)
            return _unnumbered(model.get_compile_config())
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return {}


def _unnumbered(item: Any) -> Any:
    """A configuration without the numbers that Keras adds to names."""
    if isinstance(item, dict):
        return {
            key: re.sub(r"_\d+$", "", value)
            if key == "name" and isinstance(value, str)
            else _unnumbered(value)
            for key, value in item.items()
            if key != "shared_object_id"
        }
    if isinstance(item, (list, tuple)):
        return [_unnumbered(value) for value in item]
    return item
