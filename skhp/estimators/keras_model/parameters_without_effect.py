"""Finds parameters of a wrapper that would have no effect."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from skhp.estimators.keras_model.build_function import REQUIRED, BuildSignature
from skhp.estimators.keras_model.routed_parameters import has_parameters
from skhp.exceptions import InvalidParameterError
from skhp.objectives.losses import ROW_WISE_LOSSES
from skhp.shared.equality import equal

# Arguments of the method `fit` that no parameter can set.
_OF_CALLS_OF_FIT = ("sample_weight", "initial_epoch", "x", "y")

_PARTS_OF_COMPILATION = ("optimizer", "loss", "metrics")

# Parameters that hold objects, whose arguments other parameters set by a prefix.
_ROUTED_INTO = (*_PARTS_OF_COMPILATION, "callbacks", "fit__callbacks", "predict__callbacks")

# Parameters for `predict`, too, unless the same name is set with the prefix ``predict__``.
_OF_PREDICT = frozenset({"batch_size"})


def without_effect(
    parameters: Mapping[str, Any],
    chosen: Mapping[str, Any],
    set_names: frozenset[str],
    own_names: Iterable[str],
    unrouted_names: frozenset[str],
    build: BuildSignature,
) -> list[str]:
    """A sentence for each parameter that would have no effect.

    `chosen` holds the parameters that the user set, `set_names` the names that `set_params` set,
    for example in a search; the constructor has the `own_names`; the `unrouted_names` reach Keras
    without a prefix.
    """
    own = frozenset(own_names)
    return [
        *_lacking(parameters, own, build),
        *_same_names(parameters, chosen, set_names, own, build),
        *_given_twice(chosen, own, unrouted_names, build),
        *_not_for_fit(chosen, build),
        *_routed_nowhere(parameters),
    ]


def held_out_twice(chosen: Mapping[str, Any], early_stopping: bool) -> list[str]:
    """A sentence for each parameter of the held-out rows that another parameter overrides."""
    if not early_stopping:
        return []
    return [
        f"{unused}={chosen[unused]!r} has no effect beside {name}={chosen[name]!r}: early "
        f"stopping watches the rows that {name} holds out. Leave out one of the two."
        for unused in ("validation_fraction", "validation_rows")
        for name in ("validation_split", "fit__validation_split")
        if unused in chosen and chosen.get(name)
    ]


def _lacking(
    parameters: Mapping[str, Any], own: frozenset[str], build: BuildSignature
) -> Iterator[str]:
    given = {name.removeprefix("model__") for name in parameters if name.startswith("model__")}
    given |= parameters.keys() - own
    lacking = build.lacking(given)
    if lacking:
        ways = [f"model__{name}=..." if name in own else f"{name}=..." for name in lacking]
        yield (
            f"The build function needs {_listed(lacking)}, for which there is neither a value nor "
            f"a default. Give {', '.join(ways)}."
        )


def _same_names(
    parameters: Mapping[str, Any],
    chosen: Mapping[str, Any],
    set_names: frozenset[str],
    own: frozenset[str],
    build: BuildSignature,
) -> Iterator[str]:
    for name, default in build.defaults.items():
        if name not in own or name not in chosen or f"model__{name}" in parameters:
            continue
        if default is REQUIRED or (name not in set_names and equal(chosen[name], default)):
            continue
        yield (
            f"{name}={chosen[name]!r} does not reach the build function, whose argument {name!r} "
            f"would keep its default, {default!r}. Write model__{name} for the function, instead "
            f"of {name} or beside it."
        )


def _given_twice(
    chosen: Mapping[str, Any],
    own: frozenset[str],
    unrouted_names: frozenset[str],
    build: BuildSignature,
) -> Iterator[str]:
    for routed in chosen:
        route, _, name = routed.partition("__")
        if name not in chosen:
            continue
        is_argument = name not in own and build.takes(name)
        if route == "model":
            twice = is_argument
        elif route in ("compile", "fit"):
            twice = name in unrouted_names and not is_argument
            # `predict` uses the parameter, too, unless ``predict__`` sets another value.
            twice &= name not in _OF_PREDICT or f"predict__{name}" in chosen
        else:
            twice = False
        if twice:
            yield (
                f"{name}={chosen[name]!r} has no effect beside {routed}={chosen[routed]!r}, which "
                "replaces it. Leave out one of the two."
            )


def _not_for_fit(chosen: Mapping[str, Any], build: BuildSignature) -> Iterator[str]:
    for name in _OF_CALLS_OF_FIT:
        for given in (name, f"fit__{name}"):
            if given in chosen and not (given == name and build.takes(name)):
                yield f"{given} has no effect as a parameter. Give {name} to the method fit."


def _routed_nowhere(parameters: Mapping[str, Any]) -> Iterator[str]:
    for target in _ROUTED_INTO:
        prefix = f"{target}__"
        routed = {
            name.removeprefix(prefix): value
            for name, value in parameters.items()
            if name.startswith(prefix)
        }
        item = parameters.get(target)
        if has_parameters(item):
            continue
        for name in _unused(item, routed):
            yield f"{prefix}{name} has no effect, as {_why_unused(target, item, name)}."


def _unused(item: Any, routed: Mapping[str, Any]) -> list[str]:
    """Routed names that are not used when an object, or a structure of objects, is made."""
    if isinstance(item, (list, tuple)):
        item = dict(enumerate(item))
    if isinstance(item, Mapping):
        unused = []
        keys = {str(key): part for key, part in item.items()}
        shared = {name: value for name, value in routed.items() if "__" not in name}
        for name in shared:
            # If any entry is a class, it takes the argument, or SciKeras raises an error.
            if not any(_is_made(part) for part in keys.values()):
                unused.append(name)
        for head, inner in _grouped(routed).items():
            left = inner if head not in keys else _unused(keys[head], inner)
            unused += [f"{head}__{name}" for name in left]
        return unused
    if not _is_made(item):
        return list(routed)
    unused = []
    for head, inner in _grouped(routed).items():
        left = _unused(routed[head], inner) if head in routed else list(inner)
        unused += [f"{head}__{name}" for name in left]
    return unused


def _grouped(routed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The routed names with a further prefix, grouped by this prefix."""
    groups: dict[str, dict[str, Any]] = {}
    for name, value in routed.items():
        head, separator, rest = name.partition("__")
        if separator:
            groups.setdefault(head, {})[rest] = value
    return groups


def _is_made(item: Any) -> bool:
    """Whether objects are made from an item: a class, the name of one, or a structure of these."""
    return isinstance(item, (type, str, list, tuple, Mapping))


def _why_unused(target: str, item: Any, name: str) -> str:
    if item is None:
        return f"{target} is None. Give a class that takes {name!r} as {target}"
    if isinstance(item, (list, tuple, Mapping)):
        keys = range(len(item)) if not isinstance(item, Mapping) else item
        return f"{target} has the entries {', '.join(map(repr, keys)) or 'none'}"
    if isinstance(item, (type, str)):
        return f"nothing that is given to {target} takes it"
    return f"{target} is an object that has its arguments already. Give its class as {target}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def refuse_without_effect(
    model: keras.Model,
    asked: Mapping[str, Any],
    chosen: Mapping[str, Any],
    set_names: frozenset[str],
    read: frozenset[str] | None,
    *,
    is_function: bool,
) -> None:
    """Raise if a model is compiled otherwise than the parameters ask for.

    `asked` holds the arguments with which the wrapper would compile the model, `chosen` the
    parameters that the user set, `set_names` the names that `set_params` set. `read` holds the
    names that the build function looked up, or None if it is a method of the wrapper, which can
    look up everything.
    """
    held = _compiled_with(model)
    wanted = _compiled_with(keras.Sequential(), **asked)
    dead: list[str] = []
    for argument, names in _by_argument(chosen, asked).items():
        if read is not None and not read.isdisjoint({argument, *names}):
            continue
        same = _is_same(argument, held, wanted, model, asked)
        # An equal loss has an effect all the same: it decides how the target is encoded.
        if same and (argument == "loss" or read is None or set_names.isdisjoint(names)):
            continue
        # A method that passes this argument to `compile` may have made it from the parameters.
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
        "these arguments."
    )


def _name_of(loss: Any) -> str:
    if isinstance(loss, (str, list, tuple, dict)):
        return repr(loss)
    return getattr(loss, "__name__", type(loss).__name__)


def _by_argument(chosen: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, list[str]]:
    """Parameters of a compilation, grouped by the argument of ``model.compile`` that they set."""
    groups: dict[str, list[str]] = {}
    for name in chosen:
        route, separator, rest = name.partition("__")
        if separator and route == "compile":
            argument = rest
        elif not separator or route in _PARTS_OF_COMPILATION:
            argument = route
        else:
            continue
        # `run_eagerly` is set on the compiled model itself.
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
    """A loss as an instance of its class, if Keras has a class for it."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, type):
        loss = loss()
    if callable(loss) and not isinstance(loss, keras.losses.Loss):
        same = (kind() for kind in ROW_WISE_LOSSES)
        loss = next((known for known in same if known.fn is loss), loss)
    return loss


def _compiled_with(model: keras.Model, **asked: Any) -> dict[str, Any]:
    """The configuration that a model is compiled with; empty if Keras cannot write it."""
    try:
        # Keras warns that functions without a name cannot be loaded, which is not done here.
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
