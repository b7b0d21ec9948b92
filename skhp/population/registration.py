"""Makes joblib know the backend "skhp" by its name, without loading joblib or the backend."""

from __future__ import annotations

import sys
from typing import Any

BACKEND_NAME = "skhp"


def register_backend() -> None:
    """Let `joblib.parallel_config(backend="skhp")` find the backend."""
    import joblib

    joblib.register_parallel_backend(BACKEND_NAME, _new_backend)


def register_backend_where_joblib_is_loaded() -> None:
    """Register the backend if this costs no import.

    joblib loads NumPy, which `import skhp` does not. Where joblib comes later, the first public
    name of skhp that is used registers the backend.
    """
    if hasattr(sys.modules.get("joblib"), "register_parallel_backend"):
        register_backend()


def _new_backend(**options: Any) -> Any:
    from skhp.population.backend import PopulationBackend

    return PopulationBackend(**options)
