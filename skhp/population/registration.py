"""Makes joblib know the backend "skhp" by its name, without loading the backend."""

from __future__ import annotations

from typing import Any

import joblib

BACKEND_NAME = "skhp"


def register_backend() -> None:
    """Let `joblib.parallel_config(backend="skhp")` find the backend."""
    joblib.register_parallel_backend(BACKEND_NAME, _new_backend)


def _new_backend(**options: Any) -> Any:
    from skhp.population.backend import PopulationBackend

    return PopulationBackend(**options)
