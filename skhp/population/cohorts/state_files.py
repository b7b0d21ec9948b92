"""The files that hold states of cohorts: where they lie, and what they tell."""

from __future__ import annotations

import contextlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

FORMAT = 1

_ABOUT = "about"
_MOST_BYTES_OF_ABOUT = 2**16
_DIGEST = re.compile(r"[0-9a-f]{32}")
UNREADABLE = (OSError, EOFError, ValueError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class StatePlace:
    """Where the files of a search lie: beside `journal`, whose search has the digest `search`."""

    journal: Path
    search: str

    def file(self, digest: str) -> Path:
        """The file of a cohort."""
        return self.journal.with_name(f"{self.journal.name}-cohort-{digest}.npz")

    def files(self) -> list[Path]:
        """All files of cohorts beside the journal, also those that a kill left unfinished."""
        begin = f"{self.journal.name}-cohort-"
        found = []
        with contextlib.suppress(OSError):
            for path in self.journal.parent.iterdir():
                if not path.name.startswith(begin):
                    continue
                digest, _, end = path.name.removeprefix(begin).partition(".")
                if _DIGEST.fullmatch(digest) and end in ("npz", "npz.new"):
                    found.append(path)
        return sorted(found)

    def remove_all(self) -> None:
        """Remove the files of all cohorts."""
        for path in self.files():
            with contextlib.suppress(OSError):
                path.unlink()


@dataclass(frozen=True)
class AboutState:
    """What the file of a cohort tells about it."""

    search: str
    cohort: str
    fits: int
    epochs: int
    most_epochs: int
    format: int = FORMAT

    def __str__(self) -> str:
        fits = "1 fit" if self.fits == 1 else f"{self.fits} fits"
        return f"a cohort of {fits} at epoch {self.epochs} of {self.most_epochs}"


class UnreadableStateError(ValueError):
    """A file does not hold the state of a cohort that can go on."""


def write_state(path: Path, about: AboutState, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace a file by one that holds these arrays; an error leaves the earlier one there."""
    new = path.with_name(f"{path.name}.new")
    told = np.frombuffer(json.dumps(asdict(about)).encode(), np.uint8)
    try:
        with new.open("wb") as file:
            np.savez(file, allow_pickle=False, **{_ABOUT: told, **arrays})
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except (OSError, MemoryError):
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def states_beside(place: StatePlace) -> Iterator[tuple[Path, AboutState | None]]:
    """What the files beside a journal tell of cohorts of its search; None if one is unreadable."""
    for path in place.files():
        if path.suffix == ".new":
            continue
        try:
            with np.load(path, allow_pickle=False) as file:
                about = _about_of(file)
        except UNREADABLE:
            yield path, None
        else:
            if about.search == place.search:
                yield path, about


def read_state(path: Path, most_bytes: int) -> tuple[AboutState, dict[str, np.ndarray]]:
    """All that a file holds. Each part is compared with its checksum by the format of the file."""
    with zipfile.ZipFile(path) as parts:
        # Nothing is compressed, so no part is larger than the file that holds it.
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts.infolist()):
            raise UnreadableStateError("its parts are compressed")
    if path.stat().st_size > most_bytes + _MOST_BYTES_OF_ABOUT + 2**20:
        raise UnreadableStateError("it is larger than any state")
    with np.load(path, allow_pickle=False) as file:
        about = _about_of(file)
        return about, {name: file[name] for name in file.files if name != _ABOUT}


def _about_of(file: Mapping[str, np.ndarray]) -> AboutState:
    content = file[_ABOUT]
    if content.dtype != np.uint8 or content.nbytes > _MOST_BYTES_OF_ABOUT:
        raise UnreadableStateError("it does not begin like the state of a cohort")
    told = json.loads(content.tobytes())
    expected = dict(zip(_TOLD, _TYPES, strict=True))
    if (
        not isinstance(told, dict)
        or {name: type(value) for name, value in told.items()} != expected
    ):
        raise UnreadableStateError("it does not tell what it is")
    if told["format"] != FORMAT:
        raise UnreadableStateError(f"it is of format {told['format']}, and this is {FORMAT}")
    return AboutState(**told)


_TOLD = tuple(AboutState.__dataclass_fields__)
_TYPES = (str, str, int, int, int, int)
