"""Where a journal lies: a file, and what SQLite keeps beside it while it is in use."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from skhp.exceptions import JournalError

__all__ = ["JournalPlace"]

# What was written last, and who reads and writes. A process that is killed leaves both.
_WAL, _SHARED_MEMORY = "-wal", "-shm"
# Of another way of writing, which no journal is written in: SQLite puts it into the file unasked.
_ROLLBACK = "-journal"

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
_MEND = "give `journal` a path in a directory that exists and can be written"


@dataclass(frozen=True)
class JournalPlace:
    """The path of a journal.

    Parameters
    ----------
    given : str
        As the user wrote it.
    file : Path
        Where links lead: that is where SQLite keeps what is beside the file.
    """

    given: str
    file: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Self:
        """The place of a path, at which there is a regular file or nothing.

        Raises
        ------
        JournalError
            There is something else, or no file can be there.
        """
        given = os.fspath(path)
        if not given:
            raise JournalError("the journal '' has no name: give the path of a file")
        try:
            if b"\0" in os.fsencode(given):
                raise JournalError(
                    f"the journal {given!r} has a NUL character in its path, which no file has: "
                    "give another path"
                )
            status = os.stat(given)
        except UnicodeEncodeError as error:
            raise JournalError(
                f"the journal {given!r} cannot be the name of a file: {error.reason}; give another "
                "path"
            ) from None
        except FileNotFoundError:
            if os.path.islink(given):
                raise JournalError(
                    f"the journal {given!r} is a link to {os.readlink(given)!r}, which is not "
                    "there: give the path of a file, or remove the link"
                ) from None
            if given.endswith((os.sep, os.altsep or os.sep)):
                raise JournalError(
                    f"the journal {given!r} would be a directory: give the path of a file"
                ) from None
        except OSError as error:
            raise JournalError(
                f"the journal {given!r} cannot be opened: {error.strerror}; {_MEND}"
            ) from None
        else:
            if not stat.S_ISREG(status.st_mode):
                kind = _KINDS.get(stat.S_IFMT(status.st_mode), "special file")
                raise JournalError(f"the journal {given!r} is a {kind}: give the path of a file")
        return cls(str(Path(given)), Path(os.path.realpath(given)))

    @property
    def wal(self) -> Path:
        """The file beside that holds what was written last."""
        return self._beside(_WAL)

    @property
    def shared_memory(self) -> Path:
        """The file beside by which processes find one another."""
        return self._beside(_SHARED_MEMORY)

    @property
    def all_files(self) -> str:
        """The names of all three, to be deleted together."""
        first, second, third = map(self.named, (self.file, self.wal, self.shared_memory))
        return f"{first}, {second} and {third}"

    def named(self, file: Path) -> str:
        """A file of the journal as the user would write it."""
        is_link = os.path.abspath(self.given) != str(self.file)
        return repr(str(file) if is_link else f"{self.given}{file.name[len(self.file.name) :]}")

    def refuse_leftovers(self) -> None:
        """Let no journal be made where another one has left something: it would be read as its own.

        Raises
        ------
        JournalError
            The message names the files.
        """
        left = [
            self.named(path)
            for path in (self.wal, self.shared_memory, self._beside(_ROLLBACK))
            if os.path.lexists(path)
        ]
        if left:
            raise JournalError(
                f"there is no journal {self.given!r}, but beside its place lies what another one "
                f"has left: {', '.join(left)}. Put that journal back, or delete these "
                f"files as well: a journal is {self.all_files}"
            )

    def refuse_rollback(self) -> None:
        """Leave a journal alone into which SQLite would put what another program has left.

        Raises
        ------
        JournalError
            The message names the file.
        """
        rollback = self._beside(_ROLLBACK)
        try:
            is_hot = rollback.stat().st_size > 0
        except OSError:
            return
        if is_hot:
            raise JournalError(
                f"beside the journal {self.given!r} lies {self.named(rollback)}, which is of "
                "another program, and SQLite would put it into the journal: move it away"
            )

    def _beside(self, end: str) -> Path:
        return self.file.with_name(f"{self.file.name}{end}")
