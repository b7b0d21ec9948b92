"""Cohorts on a real Dask cluster of this machine, started as its users start one."""

import os
import signal
import time
from pathlib import Path

import joblib
import pytest

import skhp
from skhp.exceptions import InvalidParameterError, WorkersError
from skhp.population.workers import dask_workers, distribution
from tests.population.workers.contract import WorkersContract, assert_same, network, search, where
from tests.population.workers.dask_cluster import Cluster
from tests.population.workers.test_process_workers import EndsItsProcess

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("dask"), workers=2)
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def client(cluster):
    with cluster.client() as client:
        yield client


def is_idle(client):
    return not any(client.processing().values())


def until(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.usefixtures("client")
class TestDask(WorkersContract):
    backend = "dask"

    def test_the_cohort_of_a_killed_worker_is_trained_again(self, client, two_classes, tmp_path):
        scorer = EndsItsProcess(tmp_path, times=1, activation="tanh")
        grid = {"activation": ["relu", "tanh"]}
        found = self.there(lambda: search(grid=grid, scoring=scorer).fit(*two_classes))
        assert_same(
            found.cv_results_, search(grid=grid, scoring="accuracy").fit(*two_classes).cv_results_
        )
        assert (scorer.calls("relu"), scorer.calls("tanh")) == (2, 3)
        # Dask starts another process in place of the killed one.
        client.wait_for_workers(2, timeout=120)

    def test_each_worker_gets_one_cohort_at_a_time(self, client, two_classes):
        found = self.there(lambda: search(scoring=where).fit(*two_classes)).cv_results_
        of_activation = {
            activation: set(found["split0_test_score"][found["param_activation"] == activation])
            for activation in ("relu", "tanh")
        }
        assert [len(processes) for processes in of_activation.values()] == [1, 1]
        assert of_activation["relu"] != of_activation["tanh"]

    def test_a_training_ends_where_the_caller_ends(self, client, two_classes, monkeypatch):
        heard = []

        def told(progress, epochs, ended=0):
            heard.append(dict(epochs))
            if heard[-1]:
                raise KeyboardInterrupt

        monkeypatch.setattr(distribution._OverallEpochs, "told", told)
        endless = search(network(epochs=10**7))
        with self.population(), pytest.raises(KeyboardInterrupt):
            endless.fit(*two_classes)
        until(lambda: is_idle(client))
        # The thread of the worker is free as well, not only forgotten by the scheduler.
        until(lambda: not any(client.run(at_work).values()))


def at_work(dask_worker):
    return [task.key for task in dask_worker.state.executing]


def test_without_a_client(monkeypatch):
    def none():
        raise ValueError("No global client found and no address provided")

    monkeypatch.setattr(distributed, "get_client", none)
    with (
        pytest.raises(InvalidParameterError, match="client = Client"),
        skhp.population(backend="dask"),
    ):
        pass
    with (
        pytest.raises(InvalidParameterError, match="client = Client"),
        joblib.parallel_config(backend="skhp", inner="dask"),
    ):
        pass


@pytest.mark.parametrize(
    ("theirs", "told"), [({}, "has no skhp: install"), ({"skhp": "0.0"}, "skhp 0.0 there")]
)
def test_workers_of_another_installation_are_refused(
    theirs, told, client, two_classes, monkeypatch
):
    def reader():
        return lambda names: theirs

    monkeypatch.setattr(dask_workers, "_reader_of_versions", reader)
    with skhp.population(backend="dask"), pytest.raises(WorkersError, match=told):
        search().fit(*two_classes)


class KillsTheScheduler:
    """A scorer that notes its calls, and kills a process in the fifth of them."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __call__(self, estimator, X, y):
        calls, victim = Path(self.folder, "calls"), Path(self.folder, "victim")
        with open(calls, "a") as file:
            file.write(f"{estimator.activation}\n")
        if len(calls.read_text().split()) == 5 and victim.exists():
            os.kill(int(victim.read_text()), signal.SIGKILL)
        return estimator.score(X, y)


# The last test, as it leaves no scheduler to the others.
@pytest.mark.usefixtures("client")
def test_a_killed_scheduler(cluster, tmp_path, two_classes):
    scorer, journal = KillsTheScheduler(tmp_path), tmp_path / "journal"
    (tmp_path / "victim").write_text(str(cluster.scheduler.pid))
    with (
        # One cohort comes back before the next one begins.
        skhp.population(backend="dask", n_jobs=1),
        pytest.raises(WorkersError, match="connection to the Dask scheduler"),
    ):
        search(scoring=scorer, journal=journal).fit(*two_classes)
    first = (tmp_path / "calls").read_text().split()[:4]
    assert len(set(first)) == 1
    (tmp_path / "calls").write_text("")
    (tmp_path / "victim").unlink()
    found = search(scoring=scorer, journal=journal).fit(*two_classes)
    # The cohort that had come back is not scored again, and the other one is.
    again = (tmp_path / "calls").read_text().split()
    assert len(again) == 4
    assert set(again).isdisjoint(first)
    assert_same(found.cv_results_, search(scoring="accuracy").fit(*two_classes).cv_results_)
