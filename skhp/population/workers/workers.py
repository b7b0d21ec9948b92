"""What workers of a backend are, and the shipments that they have got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from skhp.exceptions import WorkersError
from skhp.population.workers.parcel import Parcel


class WorkerLost(Exception):  # noqa: N818
    """A worker ended before it had delivered; its shipment can be sent again."""


class Sent(Protocol):
    """A shipment under way."""

    def is_done(self) -> bool:
        """Whether `delivered` returns at once."""

    def delivered(self) -> bytes:
        """The pickled delivery; raises `WorkerLost`, or the error of the worker's own code."""

    def told(self) -> Mapping[int, int]:
        """The epochs of each member so far, as far as they are known."""


class Workers(Protocol):
    """Workers of one call."""

    def room(self) -> int:
        """The number of shipments that may be under way at a time."""

    def keep(self, digest: str, buffer: memoryview) -> None:
        """Send a buffer to the workers, or make it ready for them; it is needed until the end."""

    def send(self, parcel: Parcel) -> Sent:
        """Send a shipment to a worker that has none."""

    def close(self, at_once: bool) -> None:
        """Give the workers back; `at_once` ends what they still do."""


def lost_twice(error: Exception, what: str) -> WorkersError:
    """The error of a shipment whose worker ended, and ended again when it was sent again."""
    return WorkersError(
        f"{what} ended two workers, one after the other ({error}). If they ran out of memory, "
        "give a memory_limit, fewer n_jobs, or workers with more memory; what finished is in the "
        "journal of the search, if it has one."
    )


def no_progress() -> dict[int, int]:
    """What a shipment tells whose backend has no line for it."""
    return {}
