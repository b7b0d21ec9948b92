"""`skhp.save` and `skhp.load`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.estimators import estimator_written, is_known, read_estimator
from skhp.saving.file_parts.archive import read_archive, write_archive, write_whole
from skhp.saving.file_parts.parts import (
    DOCUMENT,
    NAMES,
    STEPS,
    ReadParts,
    WrittenParts,
    field,
    only,
    short,
    whole,
)
from skhp.saving.file_parts.strict_json import json_bytes, json_value

FORMAT = "skhp estimator"
VERSION = 1
# JSON takes about twenty times as much memory as text.
_MOST_TEXT = 4 * 2**20
_FIELDS = ("format", "version", "skhp", "estimators", "arrays", "steps")


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save an estimator, fitted or not, to a file that holds no code.

    The file is a zip archive of JSON and of arrays in NumPy's format, without pickle. :func:`load`
    makes an equal estimator of it, which predicts the same to the bit, and which can be cloned,
    searched, fitted again and trained further.

    Parameters
    ----------
    estimator : estimator
        An estimator of skhp, or a pipeline or another estimator of scikit-learn with such
        estimators in it. Those of scikit-learn are written by skops, which is the extra
        ``skhp[skops]``.
    path : str or path-like
        The file; ``.skhp`` is the usual ending. As with ``joblib.dump``, a file that is there
        already is replaced. It is replaced in one step when the new one is complete.

    Raises
    ------
    CannotSaveError
        If the estimator is, or has as a parameter, something that cannot be written without code:
        a callback, a loss of the user's own, a subclass of an estimator, a search. The message
        names it and says what to do. Nothing is written then.
    ImportError
        If the estimator needs skops, and skops is not installed.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Loads the file.
    export : Writes the network alone, for Keras or ONNX.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skhp
    >>> X, y = np.arange(20.0).reshape(10, 2), np.repeat(["no", "yes"], 5)
    >>> network = skhp.KerasMLPClassifier(epochs=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skhp.save(network, f"{folder}/network.skhp")
    ...     loaded = skhp.load(f"{folder}/network.skhp")
    >>> bool((loaded.predict_proba(X) == network.predict_proba(X)).all())
    True
    """
    place = _place(path)
    parts = WrittenParts()
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, "skhp": version("skhp")}
    members: dict[str, bytes] = {}
    if is_known(estimator):
        document["estimators"] = [estimator_written(estimator, parts)]
    else:
        from skhp.saving.steps import steps_written

        members[STEPS], document["estimators"] = steps_written(estimator, parts)
    document["steps"] = STEPS in members
    document["arrays"] = parts.digests()
    text = json_bytes(document)
    if len(text) > _MOST_TEXT:
        raise CannotSaveError(
            f"{type(estimator).__name__} has parameters and names that take {len(text)} bytes of "
            f"text, more than the {_MOST_TEXT} that a file may have."
        )
    write_whole(place, write_archive({DOCUMENT: text, **members, **parts.members}))


def load(path: str | os.PathLike[str], *, trusted: Sequence[str | type] | None = None) -> Any:
    """Load an estimator from a file of :func:`save`, without running anything that is in the file.

    Nothing but this one format is read: no pickle, no joblib, no ``.keras`` file. The structure of
    networks is made from a list of known layers, and no class or function is imported by a name in
    the file, except those of scikit-learn that skops trusts. What a file says about its size is
    compared with its real size before memory is taken.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save` has written.
    trusted : list of str or type, default=None
        For pipelines: types that skops does not trust by itself, and that you do. An error about
        an untrusted type names it.

    Returns
    -------
    estimator : estimator

    Raises
    ------
    FileRefusedError
        If the file has another format, is damaged, is of a later version, or holds anything that
        `save` does not write. The message names the file and the reason.
    ImportError
        If the file has steps of scikit-learn, and skops is not installed.
    OSError
        If the file cannot be read.

    See Also
    --------
    save : Writes the file.

    Examples
    --------
    See :func:`save`.
    """
    place = Path(path)
    if trusted is not None and (isinstance(trusted, (str, bytes, bool)) or not _is_list(trusted)):
        raise TypeError(f"trusted must be a list of names or types, got {trusted!r}.")
    if place.is_dir():
        raise FileRefusedError(f"{str(place)!r} is a folder, and not a file that skhp.save wrote.")
    if place.exists() and not place.is_file():
        raise FileRefusedError(f"{str(place)!r} is not a regular file.")
    try:
        with open(place, "rb") as file:
            _refuse_other_formats(file.read(16))
            return _loaded(read_archive(file, NAMES, _most_bytes), trusted)
    except (ArithmeticError, AttributeError, LookupError, MemoryError) as error:
        raise _refused(
            place, f"holds what fits nothing ({type(error).__name__}: {error})"
        ) from error
    except (RecursionError, TypeError, ValueError) as error:
        if isinstance(error, FileRefusedError):
            raise _refused(place, str(error)) from error
        raise _refused(
            place, f"holds what fits nothing ({type(error).__name__}: {error})"
        ) from error


def _refused(place: Path, what: str) -> FileRefusedError:
    return FileRefusedError(
        f"{str(place)!r} cannot be loaded: it {what[:1500]}. skhp.load reads files that skhp.save "
        "has written, and nothing else; get the file again from where it came from."
    )


def _is_list(trusted: Any) -> bool:
    return isinstance(trusted, (list, tuple, set, frozenset)) and all(
        isinstance(item, (str, type)) for item in trusted
    )


def _place(path: str | os.PathLike[str]) -> Path:
    place = Path(path)
    if place.is_dir():
        raise IsADirectoryError(f"{str(place)!r} is a folder: give the path of a file.")
    if not place.parent.is_dir():
        raise FileNotFoundError(
            f"{str(place.parent)!r} is not a folder: make it before saving {place.name!r} in it."
        )
    return place


def _most_bytes(name: str) -> int:
    return _MOST_TEXT if name == DOCUMENT else 2**48


def _refuse_other_formats(beginning: bytes) -> None:
    """Say what a file is that is not an archive."""
    known = {
        b"\x89HDF": "is an HDF5 file of Keras: load it with keras.saving.load_model",
        b"\x93NUM": "is an array of NumPy",
        b"": "is empty",
    }
    for start, what in known.items():
        if beginning[: len(start)] == start and (start or not beginning):
            raise FileRefusedError(what)
    if beginning[:1] == b"\x80" or beginning[:2] in (b"\x1f\x8b", b"x\x9c", b"BZ"):
        raise FileRefusedError(
            "is a pickle, or compressed; a pickle runs any code that its author put into it"
        )


def _loaded(members: dict[str, bytes], trusted: Sequence[str | type] | None) -> Any:
    if DOCUMENT not in members:
        raise FileRefusedError(f"has no part {DOCUMENT!r}, so it is another kind of archive")
    document = json_value(members[DOCUMENT], DOCUMENT)
    if field(document, "format", str) != FORMAT:
        raise FileRefusedError(f"has the format {short(document['format'])}, not {FORMAT!r}")
    found = whole(document, "version")
    if not 1 <= found <= VERSION:
        raise FileRefusedError(
            f"has version {found} of the format, and skhp {version('skhp')} reads versions up to "
            f"{VERSION}: it was written by skhp {short(document.get('skhp'))}, so install that"
        )
    only(document, *_FIELDS)
    field(document, "skhp", str)
    parts = ReadParts(members, document.get("arrays"))
    listed = field(document, "estimators", list)
    estimators = [read_estimator(one, parts) for one in listed]
    parts.refuse_rest()
    if field(document, "steps", bool) != (STEPS in members):
        raise FileRefusedError(f"has a part {STEPS!r} too many, or lacks it")
    if STEPS in members:
        from skhp.saving.steps import read_steps

        return read_steps(members[STEPS], estimators, trusted)
    if len(estimators) != 1:
        raise FileRefusedError(f"has {len(estimators)} estimators and nothing that holds them")
    return estimators[0]
