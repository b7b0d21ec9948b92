"""Private names of Keras, each with the reason for its use.

No other file of skhp uses a private name of Keras. A test fails when one of them disappears.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Container, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras

# Keras draws the seed of every initializer and layer that was given none from Python's global
# generator, in one place: `make_default_seed`, in the module of `keras.random.SeedGenerator`, calls
# `python_random.randint`. There is no public way to hand it another generator.
_SEEDS_MODULE: Any = sys.modules[keras.random.SeedGenerator.__module__]
_RANDOM_NAME = "python_random"

# Random operations without a seed share a generator that belongs to the thread. The same module
# reads and sets it through these names.
_SHARED_NAMES = ("global_state", "GLOBAL_SEED_GENERATOR")

_private_random: ContextVar[random.Random | None] = ContextVar("private_random", default=None)


def private_names_exist() -> bool:
    """Whether this Keras has the names that private seeds need."""
    return all(hasattr(_SEEDS_MODULE, name) for name in (_RANDOM_NAME, *_SHARED_NAMES))


def seeds_in_use() -> bool:
    """Whether this thread is inside :meth:`DefaultSeeds.in_use`."""
    return _private_random.get() is not None


class DefaultSeeds:
    """A private generator for the random numbers that Keras draws when it was given no seed.

    While it is in use, every initializer, layer and random operation of Keras without a seed
    follows `seed`. Python's, NumPy's and TensorFlow's global generators are neither read nor
    changed, and other threads are not affected.
    """

    def __init__(self, seed: int, required: bool = True) -> None:
        self._seed = seed
        self._available = private_names_exist()
        if not self._available and required:
            raise RuntimeError(
                f"random_state needs names that Keras {keras.__version__} does not have: "
                f"{', '.join((_RANDOM_NAME, *_SHARED_NAMES))} in {_SEEDS_MODULE.__name__}. "
                "Install keras 3.15, or pass random_state=None."
            )
        self._random = random.Random(seed)  # noqa: S311
        # A traced training refers to this generator, so it has to live as long as the network.
        self._shared = keras.random.SeedGenerator(self._random.randrange(2**31))

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Let Keras draw from these seeds, in this thread."""
        if not self._available:
            yield
            return
        _divert_default_seeds()
        state, name = _SEEDS_MODULE.global_state, _SEEDS_MODULE.GLOBAL_SEED_GENERATOR
        shared_before = state.get_global_attribute(name)
        state.set_global_attribute(name, self._shared)
        token = _private_random.set(self._random)
        try:
            yield
        finally:
            _private_random.reset(token)
            state.set_global_attribute(name, shared_before)

    def __reduce__(self) -> tuple[type[DefaultSeeds], tuple[int, bool]]:
        return DefaultSeeds, (self._seed, False)


def thread_settings() -> dict[str, Any]:
    """What Keras keeps for this thread, such as scopes of custom objects and the policy of dtypes.

    Keras can set each of them, but has no public way to take them all to another thread.
    """
    return dict(vars(_SEEDS_MODULE.global_state.GLOBAL_STATE_TRACKER))


def set_thread_settings(settings: Mapping[str, Any]) -> None:
    """Set in this thread what `thread_settings` returned in another one."""
    vars(_SEEDS_MODULE.global_state.GLOBAL_STATE_TRACKER).update(settings)


class _RandomModule:
    """Python's module ``random``, except that `randint` uses the private seeds of its thread."""

    def __getattr__(self, name: str) -> Any:
        return getattr(random, name)

    def randint(self, low: int, high: int) -> int:
        return (_private_random.get() or random).randint(low, high)


def _divert_default_seeds() -> None:
    # Done once and never undone: a swap for the time of a fit would affect other threads.
    if not isinstance(_SEEDS_MODULE.python_random, _RandomModule):
        _SEEDS_MODULE.python_random = _RandomModule()


def metric_direction(metric: keras.metrics.Metric) -> str | None:
    """Whether greater values are better ("up") or smaller ones ("down"); None if unknown.

    Keras' callbacks with ``mode="auto"`` read this name, and a public one does not exist.
    """
    direction = getattr(metric, "_direction", None)
    return None if direction is None else "up" if direction == "up" else "down"


def mask_of(output: Any) -> Any:
    """The mask that an output carries, by which Keras weighs its loss; None if there is none.

    Keras' losses read this attribute, and a public way to read it does not exist.
    """
    return getattr(output, "_keras_mask", None)


class LayerCall(NamedTuple):
    """A call of a layer in the graph of a model: its arguments, and what it returned."""

    layer: Any
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    returned: tuple[Any, ...]

    @property
    def taken(self) -> list[Any]:
        """The tensors among the arguments."""
        given = keras.tree.flatten((self.arguments, dict(self.keywords)))
        return [value for value in given if isinstance(value, keras.KerasTensor)]


def layer_calls(output: Any, known: Container[int] = ()) -> list[LayerCall]:
    """The calls that make a tensor of a functional model, each after the calls that it needs.

    Tensors whose ids are `known` are not followed. Keras notes the calls in these attributes, and
    a public way to read them does not exist.
    """
    calls: dict[int, LayerCall] = {}
    waiting: list[tuple[Any, bool]] = [(output, False)]
    while waiting:
        tensor, is_ready = waiting.pop()
        layer, number, _ = tensor._keras_history
        node = layer._inbound_nodes[number]
        if id(node) in calls or id(tensor) in known:
            continue
        given = node.arguments
        call = LayerCall(layer, given.args, _explicit(given), tuple(node.output_tensors))
        if is_ready:
            calls[id(node)] = call
        else:
            waiting.append((tensor, True))
            waiting += [(one, False) for one in reversed(call.taken)]
    return list(calls.values())


def _explicit(given: Any) -> dict[str, Any]:
    """The keywords of a call without the keywords that Keras adds to each call."""
    masks = {id(mask_of(tensor)) for tensor in given.keras_tensors} | {id(None)}
    return {
        name: value
        for name, value in given.kwargs.items()
        # Keras 3.15 replaces `training` when the model trains, whatever the call said.
        if name != "training"
        and not (
            name.endswith("mask") and all(id(part) in masks for part in keras.tree.flatten([value]))
        )
    }
