"""The workers of a Ray cluster: that of RAY_ADDRESS, or one that is started on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import ray

from skhp.exceptions import WorkersError
from skhp.population.workers.parcel import Parcel
from skhp.population.workers.work import Line, versions, work_on
from skhp.population.workers.workers import WorkerLost, no_progress

_LOST = (ray.exceptions.WorkerCrashedError, ray.exceptions.ObjectLostError)


class RayWorkers:
    """Processes that Ray starts; each takes one core of the cluster."""

    def __init__(self, n_jobs: int | None) -> None:
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        cores = int(ray.cluster_resources().get("CPU", 1))
        self._room = max(1, cores if n_jobs is None or n_jobs < 0 else min(cores, n_jobs))
        # A lost worker is answered by sending its shipment again, which also counts how often.
        self._work = ray.remote(num_cpus=1, max_retries=0)(_work)
        self._buffers: dict[str, Any] = {}
        self._sent: list[SentToRay] = []

    def room(self) -> int:
        """One shipment for each core that may be used."""
        return self._room

    def keep(self, digest: str, buffer: memoryview) -> None:
        """Put a buffer into Ray's memory, of which each machine gets one copy."""
        self._buffers[digest] = ray.put(np.frombuffer(buffer, np.uint8))

    def send(self, parcel: Parcel) -> SentToRay:
        """Send a shipment."""
        buffers = {digest: self._buffers[digest] for digest in parcel.needed}
        self._sent.append(SentToRay(self._work.remote(parcel, buffers, versions())))
        return self._sent[-1]

    def close(self, at_once: bool) -> None:
        """End what is still under way, and free the buffers."""
        for sent in self._sent:
            if at_once and not sent.is_done():
                ray.cancel(sent.reference, force=True)
        self._sent.clear()
        self._buffers.clear()


class SentToRay:
    """A shipment on the cluster."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def is_done(self) -> bool:
        """Whether the task has ended, with its worker or without."""
        done, _ = ray.wait([self.reference], timeout=0)
        return bool(done)

    def delivered(self) -> bytes:
        """The delivery."""
        try:
            return ray.get(self.reference)
        except _LOST as error:
            raise WorkerLost(str(error).split("\n")[0]) from error
        except WorkersError:
            raise
        except ray.exceptions.RayError as error:
            raise WorkersError(
                f"Ray could not run a cohort: {error}. Each worker needs the skhp of this process."
            ) from error

    def told(self) -> Mapping[int, int]:
        """Nothing before the delivery."""
        return no_progress()


def _work(parcel: Parcel, references: Mapping[str, Any], callers: Mapping[str, str]) -> bytes:
    buffers = dict(zip(references, ray.get(list(references.values())), strict=True))
    line = Line(lambda epochs: None, lambda: True, f"process {os.getpid()}")
    return work_on(parcel, buffers, callers, line)
