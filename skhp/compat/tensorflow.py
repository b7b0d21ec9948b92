"""The private names of TensorFlow that skhp uses: functions that were traced, as bytes.

``tensorflow.python.eager.context`` adds, calls and removes functions by their names. There is no
public way to do this: a SavedModel needs a folder and traces again, and
`tf.graph_util.import_graph_def` loses the functions that a function calls. If the names are missing
in another version of TensorFlow, nothing is kept (`CAN_NAME_FUNCTIONS`).

`tf.function` puts a running number into the name of each function, so that XLA does not find what
it compiled if another process traces its functions in another order. Here, the caller decides on
the name.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

CAN_NAME_FUNCTIONS = all(
    hasattr(context.Context, name)
    for name in ("add_function_def", "call_function", "remove_function")
)

_COMPILED = "_XlaMustCompile"


def named_function(traced: Any, name: str, compiled: bool) -> bytes:
    """A traced function without captured tensors, and all functions it calls, under a new name."""
    graph = traced.graph.as_graph_def()
    kept = tf.compat.v1.GraphDef(versions=graph.versions)
    kept.library.function.extend([traced.function_def, *graph.library.function])
    names = {
        function.signature.name: f"{name}_{number}"
        for number, function in enumerate(kept.library.function)
    }
    for function in kept.library.function:
        function.signature.name = names[function.signature.name]
        for node in function.node_def:
            node.op = names.get(node.op, node.op)
            for value in node.attr.values():
                _rename([value.func, *value.list.func], names)
    if compiled:
        kept.library.function[0].attr[_COMPILED].b = True
    return kept.SerializeToString(deterministic=True)


def _rename(functions: Iterable[Any], names: dict[str, str]) -> None:
    for function in functions:
        if function.name in names:
            function.name = names[function.name]


class NamedFunction:
    """A function from `named_function`; it takes and returns tensors in a sequence."""

    def __init__(self, content: bytes) -> None:
        functions = tf.compat.v1.GraphDef.FromString(content).library.function
        first = functions[0].signature
        self._name, self._n_outputs = first.name.encode(), len(first.output_arg)
        self._context = context.context()
        for function in functions:
            self._context.add_function_def(function)
            # TensorFlow counts how often a name was added.
            weakref.finalize(self, self._context.remove_function, function.signature.name)

    def __call__(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Run the function."""
        return self._context.call_function(self._name, list(tensors), self._n_outputs)
