import os
import sys

import joblib
import numpy as np
import pandas as pd
import pytest

from skhp.comparison import OutputError, check_directory, write_files

NAMES = ["pipeline.joblib", "search_results.csv", "training_curves.png"]


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


def test_the_files_hold_what_was_found(study, patients, tmp_path):
    out = tmp_path / "new" / "out"
    assert write_files(study, out) == tuple(out / name for name in NAMES)
    assert names_in(tmp_path) == ["new"]
    assert names_in(out) == NAMES
    loaded = joblib.load(out / "pipeline.joblib")
    np.testing.assert_array_equal(loaded.predict(patients), study.pipeline.predict(patients))
    assert set(loaded.predict(patients)) == {"sick", "well"}
    results = pd.read_csv(out / "search_results.csv")
    np.testing.assert_allclose(
        results["mean_test_score"], study.search.cv_results_["mean_test_score"]
    )
    assert (out / "training_curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_other_files_are_kept_and_our_own_replaced(study, tmp_path):
    for name in ("notes.txt", *NAMES):
        (tmp_path / name).write_text("old")
    write_files(study, tmp_path)
    assert names_in(tmp_path) == sorted(["notes.txt", *NAMES])
    assert (tmp_path / "notes.txt").read_text() == "old"
    assert all((tmp_path / name).read_bytes() != b"old" for name in NAMES)


def test_without_matplotlib_there_are_no_curves_nor_old_ones(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (tmp_path / NAMES[2]).write_text("old")
    assert write_files(study, tmp_path) == tuple(tmp_path / name for name in NAMES[:2])
    assert names_in(tmp_path) == NAMES[:2]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("exists", [True, False])
def test_nothing_is_half_written(error, exists, study, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    # The last file of the three.
    monkeypatch.setattr("skhp.comparison.files.draw_curves", fail)
    out = tmp_path / "out"
    if exists:
        out.mkdir()
        (out / NAMES[0]).write_text("old")
    with pytest.raises(error):
        write_files(study, out)
    assert names_in(tmp_path) == (["out"] if exists else [])
    if exists:
        assert names_in(out) == NAMES[:1]
        assert (out / NAMES[0]).read_text() == "old"


def test_a_full_disk_is_an_error_of_ours(study, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skhp.comparison.files.draw_curves", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_files(study, tmp_path)
    assert names_in(tmp_path) == []


def test_directories_that_can_be_written_to(tmp_path, monkeypatch):
    (tmp_path / NAMES[0]).touch()
    check_directory(tmp_path)
    check_directory(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path)
    check_directory(tmp_path.relative_to(tmp_path))
    assert names_in(tmp_path) == NAMES[:1]


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file", "file' is a file, not a directory: choose another --out"),
        ("file/below", "file' is a file"),
        ("taken", "taken/pipeline.joblib' is a directory"),
    ],
)
def test_directories_that_cannot_be_are_refused(out, message, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "taken" / NAMES[0]).mkdir(parents=True)
    with pytest.raises(OutputError, match=message):
        check_directory(tmp_path / out)


def test_a_directory_without_permission_is_refused(tmp_path, monkeypatch):
    # Asked of the system rather than tried with chmod, which does not bind the root user.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(OutputError, match="cannot be written to"):
        check_directory(tmp_path / "new" / "out")
    (tmp_path / "ours").mkdir()
    check_directory(tmp_path / "ours")
