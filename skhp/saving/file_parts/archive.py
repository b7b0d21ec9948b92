"""Zip archives of plain members, read as if an enemy had written them.

Members are stored, not compressed, so that what they hold is never larger than the file. What an
archive says about itself is checked before the memory for it is taken.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from skhp.exceptions import FileRefusedError

# Python keeps about a kilobyte for each member; Keras models of several hundred layers have about
# a thousand arrays.
MOST_MEMBERS = 20_000
_END = b"PK\x05\x06"
_END_SIZE = 22
# In a record of the end, a number of all ones says that the real one is in another record.
_ELSEWHERE_16, _ELSEWHERE_32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x1
_PATCHED = 0x20
_BINARY = getattr(os, "O_BINARY", 0)
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def write_archive(members: Mapping[str, bytes | memoryview]) -> bytes:
    """The bytes of an archive, equal for equal members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            information = zipfile.ZipInfo(name, _FIXED_TIME)
            information.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(information, bytes(content))
    return buffer.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that no one ever finds half of it."""
    # A link stays a link, as when the file is opened and written.
    path = Path(os.path.realpath(path))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def read_archive(
    file: BinaryIO, allowed: re.Pattern[str], limits: Callable[[str], int] | None = None
) -> dict[str, bytes]:
    """The members of an archive by name; `limits` is the most bytes that a member may have.

    Raises
    ------
    FileRefusedError
        If the file is not an archive of stored members with allowed names, each there once.
    """
    size = file.seek(0, os.SEEK_END)
    _refuse_end(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
            _refuse_members(found, size, allowed, limits)
            return {member.filename: _content(archive, member) for member in found}
    except FileRefusedError:
        raise
    except Exception as error:
        # Python's reader of archives raises a dozen kinds of errors.
        raise FileRefusedError(f"is a damaged zip archive: {error}") from error


def _refuse_end(file: BinaryIO, size: int) -> None:
    """Refuse a file that does not end as an archive of ours, before its list of members is read."""
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        raise FileRefusedError("does not begin as a zip archive")
    file.seek(max(0, size - _END_SIZE))
    end = file.read(_END_SIZE)
    if len(end) < _END_SIZE or end[:4] != _END:
        raise FileRefusedError("does not end as a zip archive: it is cut off, or has a comment")
    here, total = (int.from_bytes(end[at : at + 2], "little") for at in (8, 10))
    list_size, list_start = (int.from_bytes(end[at : at + 4], "little") for at in (12, 16))
    if here != total or total in (0, _ELSEWHERE_16) or total > MOST_MEMBERS:
        raise FileRefusedError(f"names {total} members; expected from 1 to {MOST_MEMBERS}")
    if list_start == _ELSEWHERE_32 and size > _ELSEWHERE_32:
        return
    if list_start + list_size + _END_SIZE != size:
        raise FileRefusedError("has a list of members that does not end where the archive does")


def _refuse_members(
    found: list[zipfile.ZipInfo],
    size: int,
    allowed: re.Pattern[str],
    limits: Callable[[str], int] | None,
) -> None:
    names: set[str] = set()
    end = 0
    for member in found:
        name = member.filename
        # `orig_filename` is the name before Python has cut it at a zero byte.
        if member.orig_filename != name or not allowed.fullmatch(name):
            raise FileRefusedError(
                f"has a member {member.orig_filename[:100]!r}, which no file of this format has"
            )
        if name in names:
            raise FileRefusedError(f"has two members of the name {name!r}")
        names.add(name)
        if member.flag_bits & (_ENCRYPTED | _PATCHED):
            raise FileRefusedError(f"has an encrypted member {name!r}")
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise FileRefusedError(f"has a member {name!r} that is a link, a folder or a device")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise FileRefusedError(f"has a compressed member {name!r}; expected stored ones only")
        if limits is not None and member.file_size > limits(name):
            raise FileRefusedError(
                f"has a member {name!r} of {member.file_size} bytes; at most {limits(name)} are "
                "allowed"
            )
        # Members that lie one in another could be far larger than the file together.
        if member.header_offset < end:
            raise FileRefusedError(f"has a member {name!r} that lies within another one")
        end = member.header_offset + 30 + len(name) + member.file_size
        if end > size:
            raise FileRefusedError(f"says that its member {name!r} is longer than the whole file")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    content = archive.read(member)
    if len(content) != member.file_size:
        raise FileRefusedError(f"has a member {member.filename!r} that is cut off")
    return content
