"""The variables of a model before they are made, and files of Keras that would make too many."""

from __future__ import annotations

import json
import math
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import keras

from skhp.networks.whole_models.portable_model import loading_scope

_CONFIGURATION = "config.json"
_WEIGHTS = ("model.weights.h5", "model.weights.npz")
_MOST_LAYERS = 2_000
_MOST_MEMBERS = 20_000
_MOST_TEXT = 64 * 2**20
# Keras stores what it writes, without compression.
_MOST_EXPANSION = 10


class UnmadeVariable(NamedTuple):
    """The shape and dtype of a variable."""

    shape: tuple[int, ...]
    dtype: str


def variables_of(configuration: dict[str, Any]) -> list[UnmadeVariable]:
    """The variables that a model of Keras' configuration would have, without their values."""
    plain = _without_initializers(configuration)

    def listed() -> list[UnmadeVariable]:
        with keras.StatelessScope(initialize_variables=False), loading_scope({}):
            model = keras.saving.deserialize_keras_object(plain, safe_mode=True)
            if not model.built:
                raise ValueError("The model has no shape of its inputs.")
            return [UnmadeVariable(tuple(v.shape), str(v.dtype)) for v in model.variables]

    # Keras keeps a list of variables without values for each thread, and would make them later.
    return _in_thread_of_its_own(listed)


def _without_initializers(item: Any) -> Any:
    """A configuration whose weights begin at zero: other initializers may compute at once."""
    if isinstance(item, dict):
        return {
            key: "zeros"
            if key.endswith("_initializer") and value is not None
            else _without_initializers(value)
            for key, value in item.items()
        }
    return [_without_initializers(one) for one in item] if isinstance(item, list) else item


def _in_thread_of_its_own(compute: Callable[[], Any]) -> Any:
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(compute())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="skhp variables")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def refuse_hostile_file(path: Path) -> None:
    """Raise ValueError if a ``.keras`` file would take far more memory than it has bytes.

    Keras' safe mode refuses code, but makes the layers that a file describes, however large,
    before it looks for their weights.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _refuse_members(members, size)
        content = archive.read(_CONFIGURATION)
        n_bytes = sum(member.file_size for member in members if member.filename in _WEIGHTS)
    configuration = json.loads(content)
    _refuse_many_layers(configuration)
    try:
        variables = variables_of(configuration)
    except Exception:
        # A layer of the user's may look at values, which are not there.
        if any(map(_is_registered, _objects(configuration))):
            return
        raise
    n_values = sum(math.prod(variable.shape) for variable in variables)
    if n_values > n_bytes:
        raise ValueError(
            f"Its layers have {n_values} weights, and its file of weights has {n_bytes} bytes."
        )


def _refuse_members(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"Its archive has {len(members)} members.")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ValueError("Its archive has a name twice.")
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        mode = stat.S_IFMT(member.external_attr >> 16)
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise ValueError(f"Its archive has a member {member.filename!r} outside of itself.")
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"Its archive has a member {member.filename!r} that is a link.")
        if member.filename == _CONFIGURATION and member.file_size > _MOST_TEXT:
            raise ValueError(f"Its configuration has {member.file_size} bytes.")
    if sum(member.file_size for member in members) > _MOST_EXPANSION * size:
        raise ValueError("Its archive would be far larger when it is unpacked.")
    if _CONFIGURATION not in names:
        raise ValueError("Its archive has no configuration of a model.")


def _refuse_many_layers(configuration: Any) -> None:
    """Refuse more layers than Keras can make in a reasonable time.

    Keras builds a Sequential model anew with each layer that it adds.
    """
    for item in _objects(configuration):
        layers = item.get("layers")
        if isinstance(layers, list) and len(layers) > _MOST_LAYERS:
            raise ValueError(f"It has {len(layers)} layers; at most {_MOST_LAYERS} are read.")


def _objects(item: Any) -> Iterator[dict[str, Any]]:
    waiting = [item]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _is_registered(item: dict[str, Any]) -> bool:
    name = item.get("registered_name")
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None
