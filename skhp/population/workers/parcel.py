"""Pickled objects whose large arrays and lists travel apart, once for all parcels.

The rows of a fold are in each cohort and each task. Pickled into each parcel, they would travel as
often. So a parcel holds a digest in the place of each large buffer, and a worker is given the
buffers by their digests.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from skhp.compat.joblib import cloudpickle

# Smaller buffers stay in the parcel.
LEAST_BYTES = 2**12
# Lists with fewer values, and arrays with fewer objects, stay in the parcel.
_LEAST_VALUES = 1000


class Parcel(NamedTuple):
    """A pickled object; `buffers` are the digests of the buffers that it needs, in their order."""

    content: bytes
    buffers: tuple[str, ...]
    objects: tuple[str, ...] = ()

    @property
    def needed(self) -> list[str]:
        """Each digest once."""
        return list(dict.fromkeys((*self.buffers, *self.objects)))


class Packer:
    """Packs the parcels of one call; `keep` gets each large buffer once, with its digest."""

    def __init__(self, keep: Callable[[str, memoryview], None]) -> None:
        self._keep = keep
        self._kept: set[str] = set()
        # The values are kept, so that no other has the same `id` or address.
        self._digest_of_object: dict[int, tuple[Any, str]] = {}
        self._digest_at: dict[tuple[int, int], tuple[Any, str]] = {}

    def pack(self, value: Any, inside: Collection[Any] = ()) -> Parcel:
        """Pickle a value; the arrays `inside` stay in the parcel, however large they are."""
        file = io.BytesIO()
        pickler = _Pickler(file, self, inside)
        pickler.dump(value)
        return Parcel(
            file.getvalue(), tuple(pickler.buffers), tuple(dict.fromkeys(pickler.objects))
        )

    def keep_buffer(self, buffer: memoryview) -> str:
        """Keep a buffer, and return its digest."""
        bytes_of = np.frombuffer(buffer, np.uint8)
        place = bytes_of.ctypes.data, bytes_of.nbytes
        if place not in self._digest_at:
            digest = hashlib.blake2b(buffer, digest_size=16).hexdigest()
            self._digest_at[place] = (bytes_of, digest)
            if digest not in self._kept:
                self._kept.add(digest)
                self._keep(digest, buffer)
        return self._digest_at[place][1]

    def keep_object(self, value: Any) -> str:
        """Keep the pickle of a value, and return its digest."""
        if id(value) not in self._digest_of_object:
            pickled = memoryview(cloudpickle.dumps(value))
            self._digest_of_object[id(value)] = (value, self.keep_buffer(pickled))
        return self._digest_of_object[id(value)][1]


class _Pickler(cloudpickle.Pickler):
    def __init__(self, file: Any, packer: Packer, inside: Collection[Any]) -> None:
        super().__init__(file, protocol=5, buffer_callback=self._stays_inside)
        self.buffers: list[str] = []
        self.objects: list[str] = []
        self._packer = packer
        self._inside = {_address(array) for array in inside}

    def _stays_inside(self, buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < LEAST_BYTES:
            return True
        if self._inside and np.frombuffer(raw, np.uint8).ctypes.data in self._inside:
            return True
        self.buffers.append(self._packer.keep_buffer(raw))
        return False

    def persistent_id(self, obj: Any) -> str | None:
        kind = type(obj)
        is_large = (kind in (list, tuple) and len(obj) >= _LEAST_VALUES) or (
            kind is np.ndarray and obj.dtype.hasobject and obj.size >= _LEAST_VALUES
        )
        if not is_large:
            return None
        self.objects.append(self._packer.keep_object(obj))
        return self.objects[-1]

    def reducer_override(self, obj: Any) -> Any:
        # An array on disk, and one that is cut from another, would be pickled into the parcel.
        if isinstance(obj, np.ndarray) and not obj.dtype.hasobject and obj.nbytes >= LEAST_BYTES:
            flags = obj.flags
            if type(obj) is np.memmap or not (flags.c_contiguous or flags.f_contiguous):
                return np.ascontiguousarray(obj).view(np.ndarray).__reduce_ex__(5)
        return super().reducer_override(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, parcel: Parcel, buffers: Mapping[str, Any]) -> None:
        super().__init__(
            io.BytesIO(parcel.content),
            # Tasks share the buffers, so none may write into them.
            buffers=[memoryview(buffers[digest]).toreadonly() for digest in parcel.buffers],
        )
        self._buffers = buffers
        self._objects: dict[str, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        if pid not in self._objects:
            self._objects[pid] = pickle.loads(self._buffers[pid])  # noqa: S301
        return self._objects[pid]


def unpacked(parcel: Parcel, buffers: Mapping[str, Any]) -> Any:
    """The value of a parcel, from the buffers that it needs."""
    with warnings.catch_warnings():
        # Keras 3.15 warns where it loads the optimizer of a model that has not been trained.
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer", UserWarning)
        return _Unpickler(parcel, buffers).load()


def _address(array: np.ndarray) -> int:
    return array.ctypes.data
