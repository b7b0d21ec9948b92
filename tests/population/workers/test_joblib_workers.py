"""A backend that skhp does not know is reached through joblib's interface for backends."""

import joblib
import pytest
from joblib.parallel import BACKENDS, ThreadingBackend

from tests.population.workers.contract import WorkersContract


class OfSomebodyElse(ThreadingBackend):
    """Registered with joblib; its workers are threads, and shipments are pickled all the same."""


@pytest.fixture(scope="module", autouse=True)
def registered():
    joblib.register_parallel_backend("of_somebody_else", OfSomebodyElse)
    yield
    del BACKENDS["of_somebody_else"]


class TestABackendOfSomebodyElse(WorkersContract):
    backend = "of_somebody_else"
    options = {"n_jobs": 2}  # noqa: RUF012
    in_other_processes = False
