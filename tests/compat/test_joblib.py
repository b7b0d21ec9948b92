"""The names of joblib that are not documented are there, and do what they are used for."""

import joblib
import pytest
from joblib.parallel import ParallelBackendBase

from skhp.compat import joblib as compat


class NotedBackend(ParallelBackendBase):
    """Runs each batch when it is submitted, and notes what joblib hands over."""

    supports_retrieve_callback = True

    def __init__(self, **options):
        super().__init__(**options)
        self.batches, self.calls, self.verbosities = [], [], []

    def configure(self, n_jobs=1, parallel=None, **options):
        self.parallel = parallel
        self.verbosities.append(compat.verbosity_of(parallel))
        compat.show_n_jobs(parallel, 7)
        return 2

    def effective_n_jobs(self, n_jobs):
        return 2

    def submit(self, func, callback=None):
        self.batches.append(compat.tasks_of(func))
        self.calls.append(compat.call_of(callback, None))
        callback(func())

    def retrieve_result_callback(self, out):
        return out


@pytest.fixture
def noted():
    backend = NotedBackend()
    with joblib.parallel_config(backend=backend):
        call = joblib.Parallel(verbose=1)
        results = call(joblib.delayed(max)(number, 2, key=abs) for number in (1, -3))
    assert results == [2, -3]
    return backend, call


def test_a_batch_holds_functions_arguments_and_keywords(noted):
    backend, _ = noted
    tasks = [task for batch in backend.batches for task in batch]
    assert tasks == [(max, (1, 2), {"key": abs}), (max, (-3, 2), {"key": abs})]


def test_a_callback_knows_its_call(noted):
    backend, call = noted
    assert set(backend.calls) == {call}


def test_without_a_callback_the_call_is_the_default():
    assert compat.call_of(None, "default") == "default"


def test_a_call_knows_how_much_it_prints(noted, capsys):
    backend, _ = noted
    assert backend.verbosities == [1]
    assert compat.verbosity_of(None) == 0


def test_the_number_of_jobs_is_shown(noted):
    _, call = noted
    assert str(call) == "Parallel(n_jobs=7)"


@pytest.mark.parametrize(("kind", "name"), compat.NAME_OF_OWN_BACKEND.items())
def test_joblib_has_a_backend_of_each_name(kind, name):
    if name is None:
        active, _ = compat.get_active_backend()
        with joblib.parallel_config(backend="sequential"):
            active, _ = compat.get_active_backend()
    else:
        with joblib.parallel_config(backend=name):
            active, _ = compat.get_active_backend()
    assert type(active).__name__ == kind


def test_times_are_written_as_joblib_writes_them():
    assert compat.short_format_time(3.51).strip() == "3.5s"
    assert compat.short_format_time(90).strip() == "1.5min"


def test_a_task_in_a_worker_may_get_a_sequential_backend():
    assert compat.SequentialBackend(nesting_level=1).effective_n_jobs(4) == 1
