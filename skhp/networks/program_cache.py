"""Compiled programs, kept for the next cohort of the same kind."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

# Each holds a few megabytes of graph and machine code.
MOST_PROGRAMS = 32


@dataclass(frozen=True)
class CacheCounts:
    """How many programs were built so far, and how often one was found in the cache."""

    built: int
    found: int


class ProgramCache:
    """Programs by the key they were built for; the least recently used one is dropped first."""

    def __init__(self, most: int = MOST_PROGRAMS) -> None:
        self._most = most
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()
        self._building: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._built = self._found = 0

    @property
    def counts(self) -> CacheCounts:
        """The counts so far."""
        return CacheCounts(self._built, self._found)

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """The program of a key, built by the first thread that asks for it."""
        with self._lock:
            if key in self._programs:
                return self._found_one(key)
            building = self._building.setdefault(key, threading.Lock())
        with building:
            with self._lock:
                if key in self._programs:
                    return self._found_one(key)
            program = build()
            with self._lock:
                self._programs[key] = program
                self._built += 1
                self._building.pop(key, None)
                while len(self._programs) > self._most:
                    self._programs.popitem(last=False)
        return program

    def _found_one(self, key: Hashable) -> Any:
        self._programs.move_to_end(key)
        self._found += 1
        return self._programs[key]

    def clear(self) -> None:
        """Forget all programs."""
        with self._lock:
            self._programs.clear()
