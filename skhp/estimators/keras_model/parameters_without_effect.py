"""Parameters of a wrapper that nothing would take notice of, found before a model is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from skhp.estimators.keras_model.build_function import REQUIRED, BuildSignature
from skhp.shared.equality import equal

# Arguments of the method `fit`, which it does not take from the parameters.
_OF_CALLS_OF_FIT = ("sample_weight", "initial_epoch", "x", "y")

# What is routed into objects that are given as another parameter.
_ROUTED_INTO = (
    "optimizer",
    "loss",
    "metrics",
    "callbacks",
    "fit__callbacks",
    "predict__callbacks",
)

# A parameter of these names is for `predict` too, until `predict__` gives another value.
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

    Parameters
    ----------
    parameters, chosen : mapping
        All parameters, and those that somebody set.
    set_names : frozenset of str
        Names that were set by `set_params`, as by a search.
    own_names : iterable of str
        Parameters of the constructor.
    unrouted_names : frozenset of str
        Names that reach Keras without a prefix.
    build : BuildSignature
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
    """A sentence for each share of rows to hold out that goes before that of early stopping."""
    if not early_stopping or "validation_fraction" not in chosen:
        return []
    return [
        f"validation_fraction={chosen['validation_fraction']!r} has no effect beside "
        f"{name}={chosen[name]!r}: early stopping watches the last rows, which that holds out. "
        "Leave out one of the two."
        for name in ("validation_split", "fit__validation_split")
        if chosen.get(name)
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
            f"would keep its default, {default!r}. Write model__{name}, beside {name} or in place "
            f"of it, for the function."
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
            # Without a value of its own, `predict` goes by it.
            twice &= name not in _OF_PREDICT or f"predict__{name}" in chosen
        else:
            twice = False
        if twice:
            yield (
                f"{name}={chosen[name]!r} has no effect beside {routed}={chosen[routed]!r}, which "
                "goes before it. Leave out one of the two."
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
        if _has_parameters(item):
            continue
        for name in _unused(item, routed):
            yield f"{prefix}{name} has no effect, as {_place(target, item, name)}."


def _unused(item: Any, routed: Mapping[str, Any]) -> list[str]:
    """Names that are not used where an object, or a structure of objects, is made of its class."""
    if isinstance(item, (list, tuple)):
        item = dict(enumerate(item))
    if isinstance(item, Mapping):
        unused = []
        keys = {str(key): part for key, part in item.items()}
        shared = {name: value for name, value in routed.items() if "__" not in name}
        for name in shared:
            # A class takes it, and of anything else SciKeras says that it does not.
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
    """What is routed further, by where it goes."""
    groups: dict[str, dict[str, Any]] = {}
    for name, value in routed.items():
        head, separator, rest = name.partition("__")
        if separator:
            groups.setdefault(head, {})[rest] = value
    return groups


def _is_made(item: Any) -> bool:
    """Whether an object is made of this with arguments, of its class or of the class it names."""
    return isinstance(item, (type, str, list, tuple, Mapping))


def _has_parameters(item: Any) -> bool:
    return hasattr(item, "get_params") and not isinstance(item, type)


def _place(target: str, item: Any, name: str) -> str:
    if item is None:
        return f"{target} is None. Give a class as {target}, which takes {name!r}"
    if isinstance(item, (list, tuple, Mapping)):
        keys = range(len(item)) if not isinstance(item, Mapping) else item
        return f"{target} has the entries {', '.join(map(repr, keys)) or 'none'}"
    if isinstance(item, (type, str)):
        return f"nothing that is given to {target} takes it"
    return f"{target} is an object that has its arguments already. Give its class as {target}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
