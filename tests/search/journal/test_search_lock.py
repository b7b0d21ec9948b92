"""Two runs of one search never train the same fits."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier

import skhp
from skhp import GridSearchCV, KerasMLPClassifier
from skhp.search.journal import search_lock
from skhp.search.journal.file import JournalPlace
from skhp.search.journal.reading import read_journal_file
from skhp.search.journal.search_lock import SearchLock
from tests.search.journals import processes
from tests.search.simultaneous_searches import N_FITS, X, Y, search, search_and_tell

pytestmark = pytest.mark.slow

WAITS = "is in use by another run of the same search: this one waits"


class Running:
    """A search in a process of its own, and what it tells."""

    def __init__(self, folder, **settings):
        context = processes()
        self._told, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=search_and_tell, args=(folder, sender, settings))
        self.process.start()
        sender.close()

    def tells(self):
        assert self._told.poll(120)
        return self._told.recv()


@contextmanager
def held(folder):
    """A run that has the journal, and is held after it has scored three fits."""
    first = Running(folder)
    try:
        while len(scored(folder)) < 3:
            assert first.process.is_alive()
            time.sleep(0.01)
        yield first
    finally:
        (folder / "go").touch()
        first.process.join()


def scored(folder):
    path = folder / "scored"
    return path.read_text().splitlines() if path.exists() else []


def assert_same(one, other, times):
    for name in one:
        if times or "time" not in name:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_second_run_waits_and_takes_the_results(tmp_path):
    with held(tmp_path) as first:
        second = Running(tmp_path)
        assert WAITS in second.tells()
        # Somebody who looks meanwhile does not wait.
        assert len(read_journal_file(tmp_path / "j").finished) == 2
        (tmp_path / "go").touch()
        assert_same(first.tells(), second.tells(), times=True)
        second.process.join()
    assert {line.split()[0] for line in scored(tmp_path)} == {str(first.process.pid)}
    assert len(scored(tmp_path)) == N_FITS
    assert names_in(tmp_path) == ["go", "j", "scored"]


def test_a_run_that_waits_goes_on_where_the_first_was_killed(tmp_path):
    with held(tmp_path) as first:
        second = Running(tmp_path)
        assert WAITS in second.tells()
        first.process.kill()
        (tmp_path / "go").touch()
        found = second.tells()
        second.process.join()
    pids, fits = zip(*(line.split(maxsplit=1) for line in scored(tmp_path)), strict=True)
    assert Counter(map(int, pids)) == {first.process.pid: 3, second.process.pid: N_FITS - 2}
    # The third fit was scored, and the process killed before it could write that down.
    assert sorted(Counter(fits).values()) == [1] * (N_FITS - 1) + [2]
    assert names_in(tmp_path) == ["go", "j", "scored"]
    again = search(tmp_path).fit(X, Y).cv_results_
    assert len(scored(tmp_path)) == N_FITS + 1
    assert_same(found, again, times=True)


def test_a_run_that_may_not_wait_and_another_search_are_refused(tmp_path):
    with held(tmp_path):
        kind, message = Running(tmp_path, seed=1).tells()
        assert kind == "JournalMismatchError"
        second = Running(tmp_path, time_budget=0.5)
        assert WAITS in second.tells()
        kind, message = second.tells()
        assert kind == "JournalError"
        assert "the time budget of this one has passed while it waited: start it again" in message
    assert len(scored(tmp_path)) == N_FITS


def test_two_threads_wait_for_one_another(tmp_path):
    (tmp_path / "go").touch()
    searches = [search(tmp_path) for _ in range(3)]
    threads = [threading.Thread(target=one.fit, args=(X, Y)) for one in searches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scored(tmp_path)) == N_FITS
    assert_same(searches[0].cv_results_, searches[1].cv_results_, times=True)
    assert_same(searches[0].cv_results_, searches[2].cv_results_, times=True)


def test_equal_searches_within_a_population_do_not_wait_for_ever(tmp_path):
    network = KerasMLPClassifier(epochs=3, random_state=0)
    inner = GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=2, journal=tmp_path / "j")
    with skhp.population():
        # The tasks are threads, of which one runs at a time.
        voting = VotingClassifier([("one", inner), ("other", inner)], n_jobs=2).fit(X, Y)
    one, other = (fitted.cv_results_ for fitted in voting.estimators_)
    assert_same(one, other, times=True)


def test_the_lock_is_free_before_the_refit(tmp_path, monkeypatch):
    (tmp_path / "go").touch()
    seen = []
    found = search_lock.SearchLock.release

    def release(lock):
        seen.append((tmp_path / "j-lock").exists())
        found(lock)
        seen.append((tmp_path / "j-lock").exists())

    monkeypatch.setattr(search_lock.SearchLock, "release", release)
    searching = search(tmp_path)
    monkeypatch.setattr(
        type(searching), "_select_best_index", staticmethod(lambda *_: seen.append("chosen") or 0)
    )
    searching.fit(X, Y)
    assert seen[:3] == [True, False, "chosen"]


@pytest.mark.parametrize("left", ["a lock of a killed run", "no file can be made"])
def test_what_is_left_beside_a_journal_holds_nobody_up(left, tmp_path):
    lock = tmp_path / "j-lock"
    if left == "no file can be made":
        lock.mkdir()
    else:
        lock.touch()
    (tmp_path / "go").touch()
    search(tmp_path).fit(X, Y)
    assert len(scored(tmp_path)) == N_FITS
    assert lock.exists() == lock.is_dir()


def test_a_thread_does_not_wait_for_itself(tmp_path):
    place = JournalPlace.of(tmp_path / "j")
    one, other, third = SearchLock(place), SearchLock(place), SearchLock(place)
    one.wait(lambda: pytest.fail("it is free"))
    other.wait(lambda: pytest.fail("this thread holds it"))
    other.release()
    one.release()
    third.wait(lambda: pytest.fail("it is free again"))
    third.release()
    assert names_in(tmp_path) == []
