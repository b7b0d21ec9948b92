"""Processes of this machine.

Each worker is a pool of one process: if a process of a larger pool of loky dies, loky ends all of
them, with the cohorts that they train. Processes are started anew and never forked, because
TensorFlow hangs in a forked process. Idle ones stay for the next call, as joblib's do, because a
process takes seconds to load TensorFlow.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import joblib

from skhp.compat.joblib import (
    BrokenProcessPool,
    ProcessPoolExecutor,
    has_living_process,
    resource_tracker,
)
from skhp.population.workers.parcel import Parcel
from skhp.population.workers.work import Line, versions, work_on
from skhp.population.workers.workers import WorkerLost

# A process ends when it has been idle for this time, as joblib's do.
_SECONDS_IDLE = 300
_SECONDS_BETWEEN_NEWS = 0.2
_SECONDS_TO_NOTICE = 2.0
_THREADS_OF_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_idle: list[ProcessPoolExecutor] = []
_lock = threading.Lock()


class ProcessWorkers:
    """Processes, and a folder with the buffers, which all of them map into their memory."""

    def __init__(self, n_jobs: int | None) -> None:
        n_jobs = -1 if n_jobs is None else n_jobs
        self._room = max(1, joblib.cpu_count() + 1 + n_jobs if n_jobs < 0 else n_jobs)
        self._free: list[ProcessPoolExecutor] = []
        self._busy: list[SentToProcess] = []
        place = os.environ.get("JOBLIB_TEMP_FOLDER") or tempfile.gettempdir()
        self._folder = tempfile.mkdtemp(prefix="skhp-workers-", dir=place)
        # If this process is killed, the tracker removes the folder.
        resource_tracker.register(self._folder, "folder")

    def room(self) -> int:
        """One shipment for each process."""
        return self._room

    def keep(self, digest: str, buffer: memoryview) -> None:
        """Write a buffer into the folder."""
        Path(self._folder, digest).write_bytes(buffer)

    def send(self, parcel: Parcel) -> SentToProcess:
        """Send a shipment to a free process."""
        executor = self._free.pop() if self._free else _process(self._room)
        news = Path(self._folder, f"news-{time.monotonic_ns()}")
        future = executor.submit(_work, parcel, self._folder, str(news), versions())
        self._busy.append(SentToProcess(executor, future, news, self._free))
        return self._busy[-1]

    def close(self, at_once: bool) -> None:
        """Keep the free processes for the next call, and end those that are still at work."""
        for sent in self._busy:
            if not sent.is_done():
                sent.executor.shutdown(wait=True, kill_workers=True)
        with _lock:
            _idle.extend(self._free)
        self._free.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
        resource_tracker.unregister(self._folder, "folder")


class SentToProcess:
    """A shipment in a process."""

    def __init__(
        self,
        executor: ProcessPoolExecutor,
        future: Future[bytes],
        news: Path,
        free: list[ProcessPoolExecutor],
    ) -> None:
        self.executor = executor
        self._future = future
        self._news = news
        self._free = free
        self._dead_since: float | None = None

    def is_done(self) -> bool:
        """Whether the process has delivered or died."""
        return self._future.done() or self._is_dead()

    def _is_dead(self) -> bool:
        """Whether the process has died and the pool had time to notice it."""
        if has_living_process(self.executor):
            self._dead_since = None
        elif self._dead_since is None:
            self._dead_since = time.monotonic()
        return (
            self._dead_since is not None
            and time.monotonic() - self._dead_since > _SECONDS_TO_NOTICE
        )

    def delivered(self) -> bytes:
        """The delivery; afterwards the process is free."""
        if not self._future.done():
            self.executor.shutdown(wait=False, kill_workers=True)
            raise WorkerLost("a worker process ended")
        try:
            delivery = self._future.result()
        except BrokenProcessPool as error:
            self.executor.shutdown(wait=False)
            raise WorkerLost(str(error).split("\n")[0]) from error
        except BaseException:
            self._free.append(self.executor)
            raise
        self._free.append(self.executor)
        return delivery

    def told(self) -> Mapping[int, int]:
        """What the process wrote last."""
        try:
            return {int(number): count for number, count in json.loads(self._news.read_text())}
        except (OSError, ValueError):
            # Nothing is written yet, or it is being written.
            return {}


def _process(room: int) -> ProcessPoolExecutor:
    with _lock:
        if _idle:
            return _idle.pop()
    share = str(max(1, joblib.cpu_count() // room))
    threads = {name: os.environ.get(name, share) for name in _THREADS_OF_BLAS}
    return ProcessPoolExecutor(1, timeout=_SECONDS_IDLE, env=threads)


def end_idle_processes() -> None:
    """End the processes that stayed for the next call."""
    with _lock:
        while _idle:
            _idle.pop().shutdown(wait=True, kill_workers=True)


# ---------------------------------------------------------------- in the process

_mapped: dict[str, Any] = {}


def _work(parcel: Parcel, folder: str, news: str, callers: Mapping[str, str]) -> bytes:
    parent = os.getppid()
    last = 0.0

    def tell(epochs: Mapping[int, int]) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS_BETWEEN_NEWS:
            last = time.monotonic()
            Path(news).write_text(json.dumps(list(epochs.items())))

    # A process whose parent was killed gets another parent.
    line = Line(tell, lambda: os.getppid() == parent, f"process {os.getpid()}")
    return work_on(parcel, _buffers(folder, parcel.needed), callers, line)


def _buffers(folder: str, digests: list[str]) -> dict[str, Any]:
    """The buffers of a folder, each mapped once; those of earlier folders are given up."""
    paths = {digest: os.path.join(folder, digest) for digest in digests}
    for path in [path for path in _mapped if os.path.dirname(path) != folder]:
        del _mapped[path]
    for path in paths.values():
        if path not in _mapped:
            with open(path, "rb") as file:
                _mapped[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {digest: _mapped[path] for digest, path in paths.items()}
