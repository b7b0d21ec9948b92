"""Pipelines, and other estimators of scikit-learn that hold estimators of skhp, through skops."""

from __future__ import annotations

import importlib.util
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skhp.estimators.keras_model.classifier import KerasClassifier
from skhp.estimators.keras_model.regressor import KerasRegressor
from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.estimators import NETWORKS, estimator_written, is_known
from skhp.saving.file_parts.archive import read_archive
from skhp.saving.file_parts.parts import WrittenParts, short
from skhp.saving.file_parts.strict_json import json_value

_KINDS: tuple[type, ...] = (*NETWORKS.values(), KerasClassifier, KerasRegressor)
# Transformers of skhp hold numbers, texts and arrays, and their code is here already.
TRUSTED = (
    "skhp.sequences.channel_scaler.ChannelScaler",
    "skhp.sequences.token_sequencer.TokenSequencer",
    "skhp.tables.images.ImagePixels",
    "skhp.tables.preparation.PlainCategories",
    "skhp.tables.preparation.PlainNumbers",
    "skhp.tables.target.OriginalLabels",
    # Parts of fitted stacking, voting and calibrated classifiers, which skops 0.16 does not list.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.utils._bunch.Bunch",
)
_SCHEMA = "schema.json"
_NAMES = re.compile(r"schema\.json|[0-9a-f-]{1,40}\.(?:npy|npz|bin)")
# The protocol of skops when files of this format began; earlier ones checked less.
_LEAST_PROTOCOL = 2
_MOST_LEVELS = 600
_MOST_TEXT = 2**28
# Several parts of a pipeline may refer to one array, which skops reads for each of them.
_MOST_READINGS = 16
_NUMBERS = re.compile(r"ndarray|bool_?|u?int(?:8|16|32|64)|float(?:16|32|64)|str_")
_MOST_EXPANSION = 200


def steps_written(estimator: Any, parts: WrittenParts) -> tuple[bytes, list[Any]]:
    """An estimator of scikit-learn as skops writes it, and the estimators of skhp in it."""
    _refuse_others(estimator)
    _need_skops(f"A {type(estimator).__name__} is saved by skops")
    from skhp.compat import skops

    documents: list[Any] = []
    numbers: dict[int, int] = {}
    held: list[Any] = []

    def keep(network: Any) -> int:
        if not is_known(network):
            raise CannotSaveError(_of_another_class(network))
        if id(network) not in numbers:
            numbers[id(network)] = len(documents)
            held.append(network)
            documents.append(estimator_written(network, parts))
        return numbers[id(network)]

    try:
        content = skops.dumped(estimator, _KINDS, keep)
    except CannotSaveError:
        raise
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CannotSaveError(
            f"skops cannot write this {type(estimator).__name__}: {error} Save its network alone, "
            "or replace the step."
        ) from error
    for state in _objects(json_value(_schema_of(content), _SCHEMA, _MOST_LEVELS)):
        _refuse_code(state)
    caches = _caches(estimator)
    if caches:
        raise CannotSaveError(
            f"The pipeline caches in a folder ({', '.join(caches)}), which a file must not choose "
            "for those who load it: call set_params with None for it before saving."
        )
    return content, documents


def _refuse_others(estimator: Any) -> None:
    kind = type(estimator)
    if isinstance(estimator, _KINDS):
        raise CannotSaveError(_of_another_class(estimator))
    if not isinstance(estimator, BaseEstimator) or isinstance(estimator, type):
        raise CannotSaveError(
            f"skhp.save saves estimators, got {short(estimator)}. Give an estimator of skhp, or a "
            "pipeline that holds one."
        )
    if hasattr(kind, "best_index_") or "best_estimator_" in dir(estimator) or _is_search(kind):
        raise CannotSaveError(
            f"A search ({kind.__name__}) is not saved, as its settings hold code. Save "
            "search.best_estimator_, which predicts what the search does. Its results are numbers: "
            "pandas.DataFrame(search.cv_results_).to_csv(...), search.report(...), or the journal."
        )


def _caches(estimator: BaseEstimator) -> list[str]:
    """Parameters that name a folder from which a fit would read pickles."""
    return [
        name
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "memory" and value is not None
    ]


def _is_search(kind: type) -> bool:
    return kind.__name__.endswith("SearchCV")


def _of_another_class(estimator: Any) -> str:
    return (
        f"{type(estimator).__module__}.{type(estimator).__qualname__} is a subclass of an "
        "estimator of skhp; its code would not be in the file. Save an estimator of skhp itself, "
        "or use pickle among people who trust one another."
    )


def _need_skops(what: str) -> None:
    if importlib.util.find_spec("skops") is None:
        raise ImportError(
            f"{what}, which is not installed: pip install 'skhp[skops]'. A network of skhp alone "
            "is saved and loaded without it."
        )


def _schema_of(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(_SCHEMA)


def _refuse_code(state: dict[str, Any]) -> None:
    """Refuse what a file cannot carry: functions and classes of the user's, and searches."""
    module, name = str(state["__module__"]), str(state["__class__"])
    if module.split(".")[0] == "__main__" or "<" in name:
        raise CannotSaveError(
            f"The pipeline holds {module}.{name}, whose code would not be in the file. Put it into "
            "a module that the loading side has as well, or replace the step."
        )
    if module.startswith("skhp.") and f"{module}.{name}" not in TRUSTED:
        raise CannotSaveError(
            f"The pipeline holds {module}.{name}, which skhp.save does not write within a "
            "pipeline. Of a search, put search.best_estimator_ in its place."
        )


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """Each object that a schema of skops describes."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "__loader__" in item and "__module__" in item and "__class__" in item:
                yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


# ---------------------------------------------------------------- reading


def read_steps(
    content: bytes, estimators: Sequence[Any], trusted: Sequence[str | type] | None
) -> Any:
    """The estimator of scikit-learn in bytes of skops, with these estimators of skhp in it."""
    _need_skops("The file has steps of scikit-learn in the format of skops")
    from skhp.compat import skops

    _refuse_steps(content, len(estimators))
    try:
        found = skops.loaded(content, _KINDS, estimators, [*TRUSTED, *(trusted or ())])
    except Exception as error:
        reason = " ".join(str(error).split())[:600].removesuffix(".")
        mend = ""
        if "Untrusted" in type(error).__name__:
            mend = (
                ". If you know where the file comes from, and these types, list them: "
                "skhp.load(path, trusted=[...])"
            )
        raise FileRefusedError(f"has steps that skops refuses: {reason}{mend}") from error
    if not isinstance(found, BaseEstimator) or isinstance(found, type):
        raise FileRefusedError(f"holds {short(found)}, which is not an estimator")
    caches = _caches(found)
    if caches:
        raise FileRefusedError(
            f"has a folder to cache fits in ({', '.join(caches)}), from which pickles would be read"
        )
    return found


def _refuse_steps(content: bytes, n_estimators: int) -> None:
    """Check the archive of skops, and what it says about its arrays, before skops reads it."""
    try:
        members = read_archive(
            io.BytesIO(content), _NAMES, lambda name: _MOST_TEXT if name == _SCHEMA else 2**48
        )
    except FileRefusedError as error:
        raise FileRefusedError(f"has steps of scikit-learn whose archive {error}") from error
    if _SCHEMA not in members:
        raise FileRefusedError("has steps of scikit-learn without their schema")
    schema = json_value(members[_SCHEMA], _SCHEMA, _MOST_LEVELS)
    protocol = schema.get("protocol") if isinstance(schema, dict) else None
    if type(protocol) is not int or protocol < _LEAST_PROTOCOL:
        raise FileRefusedError(f"has steps in the protocol {short(protocol)} of skops")
    for name, member in members.items():
        if name.endswith(".npy"):
            _refuse_array(name, member)
        elif name.endswith(".npz"):
            _refuse_packed(name, member)
    read: Counter[str] = Counter()
    used: Counter[int] = Counter()
    for state in _objects(schema):
        if "file" in state:
            if state["file"] not in members:
                raise FileRefusedError(f"has a step that refers to {short(state['file'])}")
            read[state["file"]] += 1
        if state["__loader__"] == "NdArrayNode" and not (
            state["__module__"] == "numpy" and _NUMBERS.fullmatch(str(state["__class__"]))
        ):
            raise FileRefusedError(f"has an array of the type {short(state['__class__'])}")
        if state["__loader__"] == "SkhpEstimatorNode":
            number = state.get("number")
            used[number if type(number) is int else -1] += 1
    total = sum(count * len(members[name]) for name, count in read.items())
    if total > _MOST_READINGS * len(content):
        raise FileRefusedError("has steps that read the same arrays again and again")
    if set(used) != set(range(n_estimators)):
        raise FileRefusedError(
            f"has {n_estimators} networks, and steps that refer to {short(sorted(used))}"
        )


def _refuse_array(name: str, content: bytes) -> None:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise FileRefusedError(f"has an array {name!r} with a wrong header: {error}") from error
    needed = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or needed != len(content) - file.tell():
        raise FileRefusedError(
            f"has an array {name!r} of the shape {short(shape)} and dtype {short(dtype)}, which "
            "does not fit its bytes"
        )
    if not dtype.itemsize or (0 in shape and max(shape) > len(content)):
        raise FileRefusedError(f"has an array {name!r} of the shape {short(shape)} without bytes")


def _refuse_packed(name: str, content: bytes) -> None:
    """Refuse a sparse matrix that would be far larger than its file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise FileRefusedError(f"has a sparse matrix {name!r} that is damaged: {error}") from error
    if size > _MOST_EXPANSION * len(content):
        raise FileRefusedError(f"has a sparse matrix {name!r} of {size} bytes when unpacked")
