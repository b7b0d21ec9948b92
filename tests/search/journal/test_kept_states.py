"""The state of a cohort under way is kept beside the journal; a killed search goes on from it."""

import errno
import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from skhp.exceptions import JournalWarning
from skhp.population.cohorts import kept_states, state_files
from skhp.search.journal.report import report_of_file
from skhp.training.cohort import packed_members
from skhp.training.cohort.cohort import Cohort
from tests.search.journal.killed_search import EPOCHS, X, Y, search

pytestmark = pytest.mark.slow

TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


class Killed(BaseException):
    """Ends a search as a kill would, between two epochs."""


@pytest.fixture(autouse=True)
def written_after_each_chunk(monkeypatch):
    monkeypatch.setattr(kept_states, "SECONDS_APART", 0.0)
    monkeypatch.setattr(kept_states, "SHARE_OF_TIME", 1e9)


@pytest.fixture(scope="module")
def undisturbed():
    return search().fit(X, Y).cv_results_


@pytest.fixture
def kill(monkeypatch, tmp_path):
    """Runs a search with a journal until a state was written after so many epochs."""

    def kill_at(epochs, **settings):
        write = kept_states.CohortFile.write

        def killed(file, checkpoint):
            write(file, checkpoint)
            if checkpoint.epochs >= epochs:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(kept_states.CohortFile, "write", killed)
            with pytest.raises(Killed):
                search(tmp_path / "journal", **settings).fit(X, Y)
        return tmp_path / "journal"

    return kill_at


@pytest.fixture
def begun_at(monkeypatch):
    """The first epoch that each cohort ran."""
    begun = {}
    advance = Cohort.advance

    def noted(cohort, most):
        begun.setdefault(cohort, cohort.epochs)
        return advance(cohort, most)

    monkeypatch.setattr(Cohort, "advance", noted)
    return begun.values()


def states(journal):
    return sorted(journal.parent.glob("*-cohort-*"))


def assert_same(results, expected):
    assert results.keys() == expected.keys()
    for name, column in expected.items():
        if name not in TIMES:
            np.testing.assert_array_equal(results[name], column, err_msg=name)


@pytest.mark.parametrize("epochs", [1, 20, 60])
@pytest.mark.parametrize("moves", [False, True])
def test_it_goes_on_from_the_state_to_the_same_bits(
    epochs, moves, kill, begun_at, undisturbed, monkeypatch
):
    # Whether members move to a smaller program depends on the members alone.
    monkeypatch.setattr(packed_members, "pays_to_move", lambda *_: moves)
    journal = kill(epochs)
    assert len(states(journal)) == 1
    assert_same(search(journal).fit(X, Y).cv_results_, undisturbed)
    assert min(list(begun_at)[1:]) >= epochs
    assert states(journal) == []


def test_a_pruned_search_ranks_as_before(kill, begun_at):
    pruning = {"prune": {"rungs": (6, 14), "factor": 2}}
    expected = search(**pruning).fit(X, Y).cv_results_
    assert set(expected["pruned_at_epoch"]) >= {6.0, 14.0}
    journal = kill(16, **pruning)
    assert_same(search(journal, **pruning).fit(X, Y).cv_results_, expected)
    assert list(begun_at)[-1] >= 16


def test_a_search_that_is_not_disturbed_leaves_nothing(tmp_path, undisturbed):
    assert_same(search(tmp_path / "journal").fit(X, Y).cv_results_, undisturbed)
    assert os.listdir(tmp_path) == ["journal"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


def change(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by_text(path):
    path.write_text("no state")


def replace_by_objects(path):
    np.savez(path, about=np.array([{"a": 1}], object))


def compress(path):
    with np.load(path) as file:
        arrays = dict(file)
    np.savez_compressed(path, **arrays)


def take_out_an_array(path):
    with np.load(path) as file:
        arrays = {name: array for name, array in file.items() if name != "pack0/state/best"}
    with path.open("wb") as file:
        np.savez(file, **arrays)


def widen_the_weights(path):
    with np.load(path) as file:
        arrays = {
            name: np.pad(array, [(0, 0), (0, 0), (0, 1)]) if name.endswith("/weights") else array
            for name, array in file.items()
        }
    with path.open("wb") as file:
        np.savez(file, **arrays)


def belong_to_another_search(path):
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes()) | {"search": "another"}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        change,
        replace_by_text,
        replace_by_objects,
        compress,
        take_out_an_array,
        widen_the_weights,
        belong_to_another_search,
    ],
)
def test_a_state_that_cannot_be_used_is_told_of_once(damage, kill, begun_at, undisturbed):
    journal = kill(20)
    damage(*states(journal))
    with pytest.warns(JournalWarning, match="cannot be used") as told:
        results = search(journal).fit(X, Y).cv_results_
    assert len(told) == 1
    assert_same(results, undisturbed)
    assert list(begun_at)[-1] == 0
    assert states(journal) == []


def test_the_state_of_other_rows_is_never_found(kill, begun_at, tmp_path):
    (state,) = states(kill(20))
    other = tmp_path / "other"
    state.rename(other.with_name(state.name.replace("journal", "other")))
    expected = search().fit(X[:, ::-1], Y).cv_results_
    assert_same(search(other).fit(X[:, ::-1], Y).cv_results_, expected)
    assert list(begun_at)[-1] == 0


def test_a_full_disk_is_told_of_once(monkeypatch, tmp_path, undisturbed):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_files.os, "fsync", full)
    with pytest.warns(JournalWarning, match="No space left on device") as told:
        results = search(tmp_path / "journal").fit(X, Y).cv_results_
    assert len(told) == 1
    assert_same(results, undisturbed)
    assert states(tmp_path / "journal") == []


def test_a_state_above_the_limit_is_not_written(monkeypatch, tmp_path, undisturbed):
    monkeypatch.setattr(kept_states, "MOST_BYTES", 1000)
    with pytest.warns(JournalWarning, match="more than the 1,000 that are kept") as told:
        results = search(tmp_path / "journal").fit(X, Y).cv_results_
    assert len(told) == 1
    assert_same(results, undisturbed)


def test_the_report_tells_of_states(kill):
    journal = kill(20)
    (state,) = states(journal)
    report = report_of_file(journal)
    with np.load(state) as file:
        epochs = int(file["epochs"])
    assert f"a cohort of 12 fits at epoch {epochs} of {EPOCHS}" in report
    state.write_text("no state")
    assert "cannot be read" in report_of_file(journal)


def test_a_state_holds_arrays_alone(kill):
    (state,) = states(kill(1))
    with zipfile.ZipFile(state) as parts:
        assert all(part.filename.endswith(".npy") for part in parts.infolist())
    with np.load(state, allow_pickle=False) as file:
        assert all(array.dtype.kind in "fiub" for array in file.values())


def test_a_search_that_is_killed(tmp_path, begun_at, undisturbed):
    """The real thing: SIGKILL, while the cohort trains."""
    journal = tmp_path / "journal"
    command = [sys.executable, "-m", "tests.search.journal.killed_search", str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        told = 0
        for line in process.stdout:
            told = int(line)
            if told >= 20:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.wait() == -signal.SIGKILL
    results = search(journal).fit(X, Y).cv_results_
    assert_same(results, undisturbed)
    assert next(iter(begun_at)) >= told
