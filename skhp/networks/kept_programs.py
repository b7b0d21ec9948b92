"""Programs that are traced once, and then read from the folder of kept compilations.

To trace a program takes some 0.3 s of Python, to read it 2 ms. A program is kept under a digest of
all that it is made from. So only programs of skhp's and Keras' own classes and functions are kept,
because nobody can tell whether the user's code is still the same.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from skhp.compat.kept_compilations import keep, kept, kept_in
from skhp.compat.tensorflow import CAN_NAME_FUNCTIONS, NamedFunction, named_function

_ROOMS = ("compat", "objectives", "networks", "training")
_OWN_PACKAGES = ("skhp", "keras")


class NotToldError(Exception):
    """Something is neither a plain value nor code of skhp or Keras."""


def build_program(
    function: Callable[..., Any],
    specs: tuple[Any, ...],
    made_from: Any,
    outputs: Any,
    *,
    compiled: bool = False,
    anew: bool = False,
) -> Callable[..., Any]:
    """A program of nested tensors, from the folder if it is there.

    `made_from` tells all that `function` depends on besides `specs`; `outputs` is any structure of
    the kind that it returns. With `anew`, the folder is neither read nor written.
    """
    name = None if anew or kept_in() is None else _name(made_from, specs, compiled)
    if name is None:
        traced = tf.function(function, jit_compile=compiled, autograph=False)
        return traced.get_concrete_function(*specs)
    content = kept(name)
    if content is None:
        traced = tf.function(function, autograph=False).get_concrete_function(*specs)
        content = named_function(traced, name, compiled)
        keep(name, content)
    run = NamedFunction(content)

    def program(*arguments: Any) -> Any:
        tensors = [one for one in tf.nest.flatten(arguments) if one is not None]
        return tf.nest.pack_sequence_as(outputs, run(tensors))

    return program


def _name(made_from: Any, specs: Any, compiled: bool) -> str | None:
    """The name of a program in all processes; None if it cannot be kept."""
    if not CAN_NAME_FUNCTIONS:
        return None
    shapes = [spec and (spec.dtype.name, tuple(spec.shape)) for spec in tf.nest.flatten(specs)]
    try:
        told = _told((made_from, shapes, compiled))
    except NotToldError:
        return None
    digest = hashlib.blake2b(f"{_code()}\n{told}".encode(), digest_size=16).hexdigest()
    return f"skhp_{digest}"


def _told(value: Any) -> str:
    """A text of a value that is the same in all processes, and differs for other values."""
    if value is None or type(value) in (bool, int, float, str):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return f"[{','.join(map(_told, value))}]"
    if isinstance(value, (type, types.FunctionType)):
        return _named(value)
    if dataclasses.is_dataclass(value):
        fields = [_told(getattr(value, field.name)) for field in dataclasses.fields(value)]
        return f"{_named(type(value))}({','.join(fields)})"
    raise NotToldError(value)


def _named(code: Any) -> str:
    if code.__module__.split(".")[0] not in _OWN_PACKAGES or "<" in code.__qualname__:
        raise NotToldError(code)
    return f"{code.__module__}:{code.__qualname__}"


@functools.cache
def _code() -> str:
    """The code that programs are made from, by the versions of packages and the times of files."""
    root = Path(__file__).parent.parent
    files = sorted(path for room in _ROOMS for path in (root / room).rglob("*.py"))
    stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    return repr((importlib.metadata.version("keras"), stamps))
