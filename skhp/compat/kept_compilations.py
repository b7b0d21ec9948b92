"""Keep traced and compiled programs in a folder, so that the next process need not make them again.

The folder lies in the user's cache folder. The environment variable ``SKHP_COMPILED`` names
another folder, or is "off" to keep nothing. Nothing is kept, either, if TensorFlow was imported
before skhp, if ``TF_XLA_FLAGS`` names a folder already, or if the folder cannot be used.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

VARIABLE = "SKHP_COMPILED"
OFF = "off"
LIMIT = 256 * 1024**2
# A training fails where XLA cannot write, so nothing is kept on a disk with less space than this.
_ROOM = 4 * LIMIT
_FLAGS_VARIABLE = "TF_XLA_FLAGS"
_FLAG = "--tf_xla_persistent_cache_directory"
_ENDING = ".pb"
_PROGRAMS = f"*{_ENDING}"
_SEAL = ".sha256"
# TensorFlow and `seal` write to a file with this ending and rename it.
_ASIDE = ".tmp"
_SECONDS_TO_WRITE = 3600

# The folder of this process, once TensorFlow knows it.
_folder: Path | None = None


@contextlib.contextmanager
def compilations_are_kept() -> Iterator[None]:
    """A context for the first import of TensorFlow, which then keeps what XLA compiles."""
    global _folder
    given = os.environ.get(_FLAGS_VARIABLE)
    folder = None if given and _FLAG in given else _usable_folder()
    if folder is None:
        yield
        return
    os.environ[_FLAGS_VARIABLE] = f"{given or ''} {_FLAG}={folder}".strip()
    try:
        yield
        if _flags_are_read():
            _folder = folder
    finally:
        # A child process may have another version of TensorFlow, which must not read this folder.
        if given is None:
            del os.environ[_FLAGS_VARIABLE]
        else:
            os.environ[_FLAGS_VARIABLE] = given


def kept_in() -> Path | None:
    """The folder that this process reads and writes, or None."""
    return _folder


def kept(name: str) -> bytes | None:
    """A program that `keep` wrote under this name, in this process or an earlier one."""
    if _folder is None:
        return None
    path = _folder / f"{name}{_ENDING}"
    try:
        content = path.read_bytes()
        digest = path.with_name(path.name + _SEAL).read_text()
    except (OSError, ValueError):
        return None
    return content if digest == hashlib.sha256(content).hexdigest() else None


def keep(name: str, content: bytes) -> None:
    """Write a program, if possible."""
    if _folder is not None:
        path = _folder / f"{name}{_ENDING}"
        # A full disk, or another process that deletes files, only costs time later.
        with contextlib.suppress(OSError):
            _write(path, content)
            _write(path.with_name(path.name + _SEAL), hashlib.sha256(content).hexdigest().encode())


def forget() -> None:
    """Delete all files in the folder, after a program could not be read or written."""
    if _folder is not None:
        with contextlib.suppress(OSError):
            for path in _files(_folder):
                path.unlink(missing_ok=True)


def seal() -> None:
    """Write the digest of each new file beside it; the next process deletes files without one."""
    if _folder is None:
        return
    for path in _files(_folder, _PROGRAMS):
        digest_file = path.with_name(path.name + _SEAL)
        # Another process may have deleted the file meanwhile.
        with contextlib.suppress(OSError):
            if not digest_file.exists():
                _write(digest_file, _digest(path).encode())


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f"{path.name}-{os.getpid()}-{threading.get_ident()}{_ASIDE}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _usable_folder() -> Path | None:
    """The folder for this machine and this TensorFlow, without damaged files; None if unusable."""
    wish = os.environ.get(VARIABLE, "")
    if wish.strip().lower() == OFF:
        return None
    base = Path(wish) if wish else platformdirs.user_cache_path("skhp") / "compiled"
    try:
        base = base.absolute()
        # TensorFlow splits its flags at blanks.
        if re.search(r"\s", str(base)):
            return None
        folder = base / _kind_of_process()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_of_this_user_alone(folder) or shutil.disk_usage(folder).free < _ROOM:
            return None
        _drop_damaged(folder)
        _drop_oldest(base)
        probe = folder / f"probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        return None
    return folder


def _kind_of_process() -> str:
    """A digest of all that decides which machine code XLA makes of a program."""
    return hashlib.blake2b(
        "\n".join(
            [
                importlib.metadata.version("tensorflow"),
                platform.machine(),
                _processor(),
                os.environ.get(_FLAGS_VARIABLE, ""),
                os.environ.get("XLA_FLAGS", ""),
            ]
        ).encode(),
        digest_size=8,
    ).hexdigest()


def _processor() -> str:
    """The model and the features of the processor, or the name of the machine if unknown."""
    with contextlib.suppress(OSError):
        known = {
            line
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if re.match(r"(model name|flags|Features|CPU (implementer|part))\b", line)
        }
        if known:
            return "\n".join(sorted(known))
    return f"{platform.processor()} {platform.node()}"


def _is_of_this_user_alone(folder: Path) -> bool:
    """Whether nobody else can write machine code into the folder."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _drop_damaged(folder: Path) -> None:
    # TensorFlow 2.21 ends the process by a segmentation fault where the machine code in a file was
    # changed, and raises an error where a file was cut short.
    for path in _files(folder, _PROGRAMS):
        digest_file = path.with_name(path.name + _SEAL)
        if not digest_file.exists() or digest_file.read_bytes() != _digest(path).encode():
            path.unlink(missing_ok=True)
    for path in _files(folder):
        is_left = path.suffix == _SEAL and not path.with_suffix("").exists()
        is_old = time.time() - path.stat().st_mtime > _SECONDS_TO_WRITE
        if is_left or (path.suffix == _ASIDE and is_old):
            path.unlink(missing_ok=True)


def _drop_oldest(base: Path) -> None:
    """Delete the oldest files of all folders until the rest is within the limit."""
    found = [(path.stat(), path) for path in _files(base, f"*/{_PROGRAMS}")]
    size = sum(known.st_size for known, _ in found)
    for known, path in sorted(found, key=lambda one: one[0].st_mtime):
        if size <= LIMIT:
            break
        path.unlink(missing_ok=True)
        path.with_name(path.name + _SEAL).unlink(missing_ok=True)
        size -= known.st_size


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    return [path for path in folder.glob(pattern) if path.is_file()]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flags_are_read() -> bool:
    """Have TensorFlow read its flags now; it would otherwise do so before its first compilation."""
    session = sys.modules.get("tensorflow.python.client.pywrap_tf_session")
    reads_flags = getattr(session, "TF_GetXlaConstantFoldingDisabled", None)
    if reads_flags is None:
        return False
    reads_flags()
    return True
