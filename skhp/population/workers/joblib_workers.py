"""The workers of any other backend that is registered with joblib."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from skhp.compat.joblib import BrokenProcessPool, OpenedBackend
from skhp.population.workers.parcel import Parcel
from skhp.population.workers.work import Line, versions, work_on
from skhp.population.workers.workers import WorkerLost, no_progress


class JoblibWorkers:
    """Workers that may be anywhere, so that each shipment holds the buffers that it needs."""

    def __init__(self, backend: str, n_jobs: int | None) -> None:
        self._backend = OpenedBackend(backend, -1 if n_jobs is None else n_jobs)
        self._buffers: dict[str, bytes] = {}

    def room(self) -> int:
        """One shipment for each worker."""
        return self._backend.workers

    def keep(self, digest: str, buffer: memoryview) -> None:
        """Keep a buffer for the shipments that need it."""
        self._buffers[digest] = bytes(buffer)

    def send(self, parcel: Parcel) -> SentByJoblib:
        """Send a shipment with its buffers."""
        buffers = {digest: self._buffers[digest] for digest in parcel.needed}
        sent = SentByJoblib(self._backend)
        self._backend.submit(functools.partial(_work, parcel, buffers, versions()), sent.arrived)
        return sent

    def close(self, at_once: bool) -> None:
        """Close the backend."""
        self._backend.close(at_once)


class SentByJoblib:
    """A shipment whose delivery the backend reports."""

    def __init__(self, backend: OpenedBackend) -> None:
        self._backend = backend
        self._done: Future[bytes] = Future()

    def arrived(self, out: Any) -> None:
        """Take what the backend reports."""
        try:
            self._done.set_result(self._backend.result_of(out))
        except BaseException as error:
            self._done.set_exception(error)

    def is_done(self) -> bool:
        """Whether the backend has reported."""
        return self._done.done()

    def delivered(self) -> bytes:
        """The delivery."""
        try:
            return self._done.result()
        except BrokenProcessPool as error:
            raise WorkerLost(str(error)) from error

    def told(self) -> Mapping[int, int]:
        """Nothing before the delivery."""
        return no_progress()


def _work(parcel: Parcel, buffers: Mapping[str, bytes], callers: Mapping[str, str]) -> bytes:
    line = Line(
        tell=lambda epochs: None,
        is_wanted=lambda: True,
        where=f"{platform.node()}, process {os.getpid()}",
    )
    return work_on(parcel, buffers, callers, line)
