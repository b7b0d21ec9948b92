"""Cohorts on the processes that Ray starts on this machine."""

import os
import signal

import joblib
import pytest

from skhp.exceptions import WorkersError
from tests.population.workers.contract import WorkersContract

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.slow,
    # Ray 2.60 leaves files and sockets to the garbage collector, and warns of its own defaults.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_MODE", "disabled")
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


class TestRay(WorkersContract):
    backend = "ray"
    options = {"n_jobs": 2}  # noqa: RUF012

    def test_what_ends_each_worker_fails(self, tmp_path):
        def ends_its_process():
            (tmp_path / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)

        with self.population(), pytest.raises(WorkersError, match="tasks ended two workers"):
            joblib.Parallel()([joblib.delayed(ends_its_process)()])
        assert len(list(tmp_path.iterdir())) == 2
