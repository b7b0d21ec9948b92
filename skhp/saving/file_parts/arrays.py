"""Arrays as NumPy's own `.npy` format, read without pickle and without evaluating their header."""

from __future__ import annotations

import io
import math
import re
from typing import Literal

import numpy as np

from skhp.exceptions import CannotSaveError, FileRefusedError

_MAGIC = b"\x93NUMPY"
# Booleans, whole numbers, floats and text, each of a fixed width. No objects, no records.
_KINDS = "biufUS"
_DTYPE = r"[<>|](?:b1|[iu][1248]|f[248]|[US][1-9]\d{0,6})"
_HEADER = re.compile(
    rf"\{{'descr': '({_DTYPE})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?,?)\), ?\} *\n"
)
_MOST_AXES = 32


def array_bytes(array: np.ndarray, name: str) -> bytes:
    """The bytes of a `.npy` file; `name` says in an error what the array is."""
    if type(array) is not np.ndarray or array.dtype.kind not in _KINDS:
        raise CannotSaveError(
            f"{name} is {_described(array)}. skhp.save writes arrays of booleans, numbers and text."
        )
    if array.dtype.kind in "US" and not array.dtype.itemsize:
        array = array.astype(f"{array.dtype.kind}1")
    buffer = io.BytesIO()
    # Without a byte order of its own, an array of another machine would be read as other numbers.
    np.lib.format.write_array(buffer, np.asarray(array), version=(1, 0), allow_pickle=False)
    if not _HEADER.fullmatch(buffer.getvalue()[10 : buffer.getvalue().index(b"\n") + 1].decode()):
        raise CannotSaveError(f"{name} is {_described(array)}, which skhp.save cannot write.")
    return buffer.getvalue()


def _described(array: np.ndarray) -> str:
    kind = type(array).__name__
    return f"a {kind} of dtype {array.dtype} and shape {array.shape}"


def array_from(content: bytes, name: str) -> np.ndarray:
    """The array in the bytes of a `.npy` file.

    Raises
    ------
    FileRefusedError
        Before any memory is taken, if the header does not fit the bytes that follow it.
    """
    if content[:8] != _MAGIC + b"\x01\x00":
        raise FileRefusedError(f"has an array {name!r} that does not begin as NumPy's format 1.0")
    begin = 10 + int.from_bytes(content[8:10], "little")
    try:
        header = content[10:begin].decode("ascii")
    except UnicodeDecodeError:
        header = ""
    found = _HEADER.fullmatch(header)
    if found is None:
        raise FileRefusedError(
            f"has an array {name!r} with the header {header[:99]!r}; expected a dtype of booleans, "
            "numbers or text, and a shape"
        )
    dtype = np.dtype(found[1])
    shape = tuple(int(size) for size in found[3].replace(",", " ").split())
    if len(shape) > _MOST_AXES or (0 in shape and max(shape) > len(content)):
        raise FileRefusedError(f"has an array {name!r} of the shape {shape}")
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(content) - begin:
        raise FileRefusedError(
            f"has an array {name!r} whose shape {shape} and dtype {dtype} take {needed} bytes, and "
            f"{len(content) - begin} follow"
        )
    if (
        dtype.kind == "U"
        and np.frombuffer(content, f"{dtype.str[0]}u4", offset=begin).max(initial=0) > 0x10FFFF
    ):
        raise FileRefusedError(f"has an array {name!r} of text with codes beyond Unicode")
    if dtype.kind == "b" and np.frombuffer(content, np.uint8, offset=begin).max(initial=0) > 1:
        raise FileRefusedError(f"has an array {name!r} of booleans that are neither 0 nor 1")
    order: Literal["F", "C"] = "F" if found[2] == "True" else "C"
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape, order=order)
    # A copy, as the bytes cannot be written to.
    return array.astype(dtype.newbyteorder("="), order=order, copy=True)
