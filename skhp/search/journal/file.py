"""The file of a journal: where it lies, how it is made, and whether it is still there."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from skhp.exceptions import JournalError
from skhp.search.identity.search_identity import SearchIdentity
from skhp.search.journal.finished_folds import APPLICATION, FORMAT, SCHEMA, part_checksum

BUSY_SECONDS = 60.0

# Files that SQLite keeps beside a journal in use: what was written last, and which processes read
# and write. A process that is killed leaves both.
_WAL, _SHARED_MEMORY = "-wal", "-shm"
# A rollback file, which journals do not use: SQLite would write its content into the journal
# unasked.
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
    """The path of a journal, as the user gave it and with links resolved.

    SQLite keeps its own files beside the file that a link leads to.
    """

    given: str
    file: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Self:
        """The place of a path; a JournalError if no regular file can be there."""
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
        """The file beside the journal that holds what was written last."""
        return self._beside(_WAL)

    @property
    def shared_memory(self) -> Path:
        """The file beside the journal by which processes coordinate their access."""
        return self._beside(_SHARED_MEMORY)

    @property
    def all_files(self) -> str:
        """The names of all three files, to be deleted together."""
        first, second, third = map(self.named, (self.file, self.wal, self.shared_memory))
        return f"{first}, {second} and {third}"

    def named(self, file: Path) -> str:
        """A file of the journal, named as the user would write it."""
        is_link = os.path.abspath(self.given) != str(self.file)
        return repr(str(file) if is_link else f"{self.given}{file.name[len(self.file.name) :]}")

    def refuse_leftovers(self) -> None:
        """Raise a JournalError if a journal that is gone has left files beside its place.

        SQLite would read them into a new journal.
        """
        left = [
            self.named(path)
            for path in (self.wal, self.shared_memory, self._beside(_ROLLBACK))
            if os.path.lexists(path)
        ]
        if left:
            raise JournalError(
                f"there is no journal {self.given!r}, but an earlier one has left files beside its "
                f"place: {', '.join(left)}. Put that journal back, or delete these "
                f"files as well: a journal is {self.all_files}"
            )

    def refuse_rollback(self) -> None:
        """Raise a JournalError if SQLite would write another program's file into the journal."""
        rollback = self._beside(_ROLLBACK)
        try:
            is_hot = rollback.stat().st_size > 0
        except OSError:
            return
        if is_hot:
            raise JournalError(
                f"the file {self.named(rollback)} beside the journal {self.given!r} belongs to "
                "another program, and SQLite would write its content into the journal: move it away"
            )

    def _beside(self, end: str) -> Path:
        return self.file.with_name(f"{self.file.name}{end}")


class OpenFiles:
    """The files of an open journal, and whether they are still the same.

    SQLite would go on writing into a file that has been deleted or renamed.
    """

    def __init__(self, place: JournalPlace) -> None:
        self._place = place
        self._numbers: dict[Path, tuple[int, int] | None] = {}

    def add(self, path: Path) -> None:
        """Note which file is at a path now, unless one is noted already."""
        self._numbers.setdefault(path, file_number(path))

    def taken_away(self) -> OSError | None:
        """The error if a file was deleted, renamed or replaced; None if not."""
        for path, number in self._numbers.items():
            if file_number(path) != number:
                gone = "another file is in its place" if path.exists() else "it is no longer there"
                return FileNotFoundError(f"{self._place.named(path)} was taken away: {gone}")
        return None


def file_number(path: Path) -> tuple[int, int] | None:
    """The device and number of a file, which no other file gets while this one is open."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


# ---------------------------------------------------------------- making and opening

# SQLite's codes for a write without room on the disk; shared memory is a file, too.
_WITHOUT_ROOM = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}
# The bytes in the header of an SQLite file that say that it is read and written with a WAL.
_MODE_BYTES, _WAL_MODE = slice(18, 20), b"\x02\x02"


def is_without_room(error: Exception) -> bool:
    """Whether a file could not be written for lack of room, which need not end a search."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(error, "sqlite_errorcode", None) in _WITHOUT_ROOM


def is_without_permission(error: Exception) -> bool:
    """Whether nothing may be written into a folder, which need not end a search either."""
    return isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def create_journal_file(path: Path, identity: SearchIdentity) -> None:
    """Make the journal of a search, unless the file is there; raise OSError if that is impossible.

    The file gets its name only when it is complete, so that neither a kill, nor a full disk, nor
    two processes that begin at once leave an incomplete journal.
    """
    content = _empty_journal(identity)
    with tempfile.TemporaryDirectory(prefix=f"{path.name[:64]}.new-", dir=path.parent) as folder:
        new = Path(folder) / "journal"
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            _name_if_free(new, path)


def _empty_journal(identity: SearchIdentity) -> bytes:
    # Made in memory, because SQLite reports no error when it closes a file on a full disk.
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        for statement in SCHEMA.values():
            connection.execute(statement)
        for part, value in asdict(identity).items():
            row = part, value, part_checksum(part, value)
            connection.execute("INSERT INTO search VALUES (?, ?, ?)", row)
        content = bytearray(connection.serialize())
    content[_MODE_BYTES] = _WAL_MODE
    return bytes(content)


def _name_if_free(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:  # A file system without hard links.
        if path.exists():
            raise FileExistsError(path) from None
        new.rename(path)


def connection_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that waits for other processes, and whose commits outlive this process."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # The operating system has each commit, so that a kill does not undo it. To wait for the
        # disk after each of thousands of commits would take longer than the fits.
        connection.execute("PRAGMA synchronous=NORMAL")
        # Only a few pages stay outside of the file, in case a person copies the file alone.
        connection.execute("PRAGMA wal_autocheckpoint=64")
    except BaseException:
        connection.close()
        raise
    return connection
