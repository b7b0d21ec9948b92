"""The workers of a Dask cluster, through the client that the caller has opened.

Dask itself runs the shipment of a worker that died on another one. Each worker process gets one
shipment at a time, however many threads it has.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from typing import Any

import distributed
import numpy as np
from distributed.scheduler import KilledWorker

from skhp.exceptions import InvalidParameterError, WorkersError
from skhp.population.workers.parcel import Parcel
from skhp.population.workers.work import Line, refuse_other_versions, versions, work_on
from skhp.population.workers.workers import WorkerLost, lost_twice

_SECONDS_TO_WAIT_FOR_WORKERS = 10
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_NEWS = 0.5
# Dask warns of tasks that are larger than 10 MB.
_MOST_BYTES_IN_TASK = 2**20
# The task of a shipment that is running, in the words of Dask's worker.
_AT_WORK = ("executing", "long-running", "resumed")
# What a client raises whose scheduler has gone.
_GONE_ERRORS = (OSError, TimeoutError, CancelledError)
# A buffer that no worker holds any more, in the words of Dask's client.
_GONE = ("cancelled", "lost", "error")


def client_of_caller() -> Any:
    """The client of Dask that is open; raises if there is none."""
    try:
        client = distributed.get_client()
    except ValueError as error:
        raise InvalidParameterError(
            'backend="dask" needs a client of a Dask cluster, and none is open: run '
            '"from dask.distributed import Client; client = Client(ADDRESS)" before, where ADDRESS '
            'is that of the scheduler, such as "tcp://localhost:8786".'
        ) from error
    if client.status != "running":
        raise _cluster_is_gone(client)
    return client


class DaskWorkers:
    """The worker processes of a cluster."""

    def __init__(self, n_jobs: int | None) -> None:
        self._client = client_of_caller()
        self._most = None if n_jobs is None or n_jobs < 0 else n_jobs
        self._buffers: dict[str, Any] = {}
        self._kept: dict[str, np.ndarray] = {}
        self._sent: list[SentToDask] = []
        self._topic = f"skhp-{uuid.uuid4().hex}"
        self._addresses: list[str] = []
        self._looked_at = 0.0
        self._await_workers()
        self._refuse_other_workers()
        self._client.subscribe_topic(self._topic, self._heard)

    def room(self) -> int:
        """One shipment for each worker process that the cluster has now."""
        if time.monotonic() - self._looked_at > _SECONDS_BETWEEN_LOOKS:
            self._look()
        workers = max(1, len(self._addresses))
        return workers if self._most is None else min(workers, self._most)

    def keep(self, digest: str, buffer: memoryview) -> None:
        """Send a buffer to all workers."""
        self._kept[digest] = np.frombuffer(buffer, np.uint8)

    def send(self, parcel: Parcel) -> SentToDask:
        """Submit a shipment."""
        if not self._addresses:
            self._await_workers()
        try:
            buffers = self._on_workers(parcel.needed)
            content: Any = parcel.content
            if len(content) > _MOST_BYTES_IN_TASK:
                (content,) = self._client.scatter([content], hash=False)
            key = f"skhp-shipment-{uuid.uuid4().hex}"
            where = self._free_worker()
            future = self._client.submit(
                _work,
                content,
                parcel._replace(content=b""),
                buffers,
                versions(),
                self._topic,
                key,
                key=key,
                pure=False,
                # Dask counts threads, and would give a worker with two of them two shipments.
                workers=where,
                allow_other_workers=where is not None,
            )
        except _GONE_ERRORS as error:
            raise _cluster_is_gone(self._client) from error
        self._sent.append(SentToDask(self._client, future, where))
        return self._sent[-1]

    def close(self, at_once: bool) -> None:
        """Cancel what is under way; the workers then end it, and forget the buffers."""
        if self._client.status == "running":
            if at_once:
                self._client.cancel([sent.future for sent in self._sent], asynchronous=False)
            self._client.unsubscribe_topic(self._topic)
        self._sent.clear()
        self._buffers.clear()
        self._kept.clear()

    def _on_workers(self, digests: list[str]) -> dict[str, Any]:
        # A buffer is lost with the last worker that holds it.
        missing = [
            digest
            for digest in digests
            if digest not in self._buffers or self._buffers[digest].status in _GONE
        ]
        if missing:
            futures = self._client.scatter(
                [self._kept[digest] for digest in missing], broadcast=True, hash=False
            )
            self._buffers |= dict(zip(missing, futures, strict=True))
        return {digest: self._buffers[digest] for digest in digests}

    def _free_worker(self) -> str | None:
        """A worker without a shipment."""
        busy = {sent.where for sent in self._sent if not sent.is_done()}
        return next((address for address in self._addresses if address not in busy), None)

    def _look(self) -> None:
        if self._client.status == "running":
            try:
                self._addresses = list(self._client.nthreads())
            except _GONE_ERRORS as error:
                raise _cluster_is_gone(self._client) from error
        self._looked_at = time.monotonic()

    def _await_workers(self) -> None:
        self._look()
        if self._addresses:
            return
        try:
            self._client.wait_for_workers(1, timeout=_SECONDS_TO_WAIT_FOR_WORKERS)
        except TimeoutError as error:
            raise WorkersError(
                f"the Dask cluster at {_address(self._client)} has no worker after "
                f'{_SECONDS_TO_WAIT_FOR_WORKERS} seconds: start some by "dask worker ADDRESS".'
            ) from error
        self._look()

    def _refuse_other_workers(self) -> None:
        ours = versions()
        try:
            found = self._client.run(_reader_of_versions(), list(ours), on_error="return")
        except _GONE_ERRORS as error:
            raise _cluster_is_gone(self._client) from error
        for where, theirs in found.items():
            # A worker that has just ended has no versions; its shipments go to another one.
            if isinstance(theirs, Exception):
                continue
            if "skhp" not in theirs:
                raise WorkersError(
                    f"the worker {where} of the Dask cluster has no skhp: install skhp "
                    f"{ours['skhp']} on each worker, and start the workers again."
                )
            refuse_other_versions(ours, theirs, where)

    def _heard(self, event: tuple[float, Any]) -> None:
        """Take news of a shipment, in the thread of the client."""
        key, epochs = event[1]
        for sent in self._sent:
            if sent.future.key == key:
                sent.hear(epochs)


class SentToDask:
    """A shipment on the cluster."""

    def __init__(self, client: Any, future: Any, where: str | None) -> None:
        self.future = future
        self.where = where
        self._client = client
        self._starts = 0
        self._epochs: dict[int, int] = {}

    def hear(self, epochs: list[tuple[int, int]] | None) -> None:
        """Take the epochs of the members; None is the beginning of the work."""
        if epochs is None:
            self._starts += 1
        else:
            self._epochs = dict(epochs)

    def is_done(self) -> bool:
        """Whether the task has ended, or has ended two workers."""
        return self._starts > 2 or self.future.status != "pending"

    def delivered(self) -> bytes:
        """The delivery."""
        if self.future.status == "pending" and self._starts > 2:
            raise lost_twice(WorkerLost("Dask started it for the third time"), "a cohort")
        try:
            return self.future.result()
        except CancelledError as error:
            if self._client.status != "running":
                raise _cluster_is_gone(self._client) from error
            # Its buffers were lost with the last worker that held them.
            raise WorkerLost(str(error)) from error
        except OSError as error:
            raise _cluster_is_gone(self._client) from error
        except KilledWorker as error:
            raise lost_twice(error, "a cohort") from error

    def told(self) -> Mapping[int, int]:
        """What the worker told last."""
        return self._epochs


def _cluster_is_gone(client: Any) -> WorkersError:
    return WorkersError(
        f"the connection to the Dask scheduler at {_address(client)} is lost. Start the scheduler "
        "and its workers, open a new Client, and run the same call again: fits that are in the "
        "journal of a search are not trained again."
    )


def _address(client: Any) -> str:
    return str(getattr(client.scheduler, "address", "an unknown address"))


def _reader_of_versions() -> Callable[[list[str]], dict[str, str]]:
    """A function that Dask sends by its code, as a worker may be without skhp."""

    def versions_there(names: list[str]) -> dict[str, str]:
        import platform
        from importlib import metadata

        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for name in names:
            try:
                found.setdefault(name, metadata.version(name))
            except metadata.PackageNotFoundError:
                continue
        return found

    return versions_there


# ---------------------------------------------------------------- in the worker


def _work(
    content: bytes,
    parcel: Parcel,
    buffers: Mapping[str, Any],
    callers: Mapping[str, str],
    topic: str,
    key: str,
) -> bytes:
    worker = distributed.get_worker()
    last = 0.0

    def tell(epochs: Mapping[int, int]) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS_BETWEEN_NEWS:
            last = time.monotonic()
            worker.log_event(topic, (key, [list(item) for item in epochs.items()]))

    def is_wanted() -> bool:
        # Dask cannot end a thread; it forgets the task where the caller has cancelled it or ended.
        task = worker.state.tasks.get(key)
        return task is not None and task.state in _AT_WORK

    worker.log_event(topic, (key, None))
    return work_on(
        parcel._replace(content=content), buffers, callers, Line(tell, is_wanted, worker.address)
    )
