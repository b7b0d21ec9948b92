import contextlib
import errno
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from skhp.exceptions import OutputError
from skhp.study.files import check_directory, check_page, write_files, write_page
from skhp.study.text import render_report

try:
    import resource
except ImportError:
    resource = None

pytestmark = pytest.mark.slow

NAMES = ["pipeline.joblib", "search_results.csv", "training_curves.png"]
REPORT = "report.txt"
PAGE = "report.html"


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


def test_a_table_may_have_a_name_in_another_encoding(study, tmp_path):
    named = replace(study, table=replace(study.table, name="t\udce9.csv"))
    write_files(named, tmp_path / "out", render_report(named))
    assert "t\\udce9.csv" in (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    write_page(named, tmp_path / "page.html")
    assert "t\\udce9.csv" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_folder_without_permission_to_look_into_is_refused(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(OutputError, match=r"'.*closed' cannot be written to .Permission denied"):
        check_directory(tmp_path / "closed")
    with pytest.raises(OutputError, match=r"'.*closed' cannot be written to .Permission denied"):
        check_page(tmp_path / "closed")


def test_other_files_are_kept_and_our_own_replaced(study, tmp_path):
    for name in ("notes.txt", *NAMES, REPORT, PAGE):
        (tmp_path / name).write_text("old")
    paths = write_files(study, tmp_path, "new \xe4", overwrite=True)
    assert paths[-1] == tmp_path / PAGE
    assert "Against logistic regression" in paths[-1].read_text(encoding="utf-8")
    assert names_in(tmp_path) == sorted(["notes.txt", *NAMES, REPORT, PAGE])
    assert (tmp_path / REPORT).read_text(encoding="utf-8") == "new \xe4"
    assert (tmp_path / "notes.txt").read_text() == "old"
    assert all((tmp_path / name).read_bytes() != b"old" for name in NAMES)


def test_without_matplotlib_there_are_no_pictures_nor_old_ones(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for name in (NAMES[2], PAGE):
        (tmp_path / name).write_text("old")
    paths = write_files(study, tmp_path, "report", overwrite=True)
    assert paths == tuple(tmp_path / name for name in (*NAMES[:2], REPORT))
    assert names_in(tmp_path) == [*NAMES[:1], REPORT, NAMES[1]]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("exists", [True, False])
def test_nothing_is_half_written(error, exists, study, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    # The last file of the three.
    monkeypatch.setattr("skhp.study.files.draw_curves", fail)
    out = tmp_path / "out"
    if exists:
        out.mkdir()
        (out / NAMES[0]).write_text("old")
    with pytest.raises(error):
        write_files(study, out, overwrite=True)
    assert names_in(tmp_path) == (["out"] if exists else [])
    if exists:
        assert names_in(out) == NAMES[:1]
        assert (out / NAMES[0]).read_text() == "old"


def test_a_full_disk_is_an_error_of_ours(study, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skhp.study.files.draw_curves", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_files(study, tmp_path)
    assert names_in(tmp_path) == []


@contextlib.contextmanager
def files_may_grow_to(size):
    """Let the system refuse each write beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(resource is None, reason="limits the size of files as POSIX does")
def test_a_disk_that_is_full_at_any_byte_leaves_whole_files_or_none(study, tmp_path):
    whole = write_files(study, tmp_path / "whole", "report")
    sizes = sorted(path.stat().st_size for path in whole)
    write_page(study, tmp_path / "page.html")
    old = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    # Each file in turn is cut in its midst or by its last byte, the larger ones before it.
    for size in [0, *(size // 2 for size in sizes), *(size - 1 for size in sizes)]:
        with files_may_grow_to(size):
            with pytest.raises(OutputError, match=r"whole' cannot be written to .File too large"):
                write_files(study, tmp_path / "whole", "report", overwrite=True)
            with pytest.raises(OutputError, match=r"page.html' cannot be written .File too large"):
                write_page(study, tmp_path / "page.html", overwrite=True)
        assert old == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert names_in(tmp_path) == ["page.html", "page.joblib", "whole"]


def test_ctrl_c_waits_while_the_files_are_moved(study, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").touch()
    move = os.replace

    def press_and_move(*paths):
        signal.raise_signal(signal.SIGINT)
        move(*paths)

    monkeypatch.setattr(os, "replace", press_and_move)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        write_files(study, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert names_in(tmp_path) == ["notes.txt", *NAMES]


def test_files_that_came_while_the_study_ran_are_not_replaced(study, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / NAMES[1]).write_text("other")
    (tmp_path / "out-2").touch()
    assert write_files(study, out)[0] == tmp_path / "out-3" / NAMES[0]
    assert names_in(out) == NAMES[1:2]
    assert (out / NAMES[1]).read_text() == "other"
    assert names_in(tmp_path / "out-3") == NAMES
    monkeypatch.chdir(out)
    assert write_files(study, Path())[0] == tmp_path / "out-4" / NAMES[0]


def test_directories_that_can_be_written_to(tmp_path, monkeypatch):
    (tmp_path / NAMES[0]).touch()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "notes.txt").touch()
    check_directory(tmp_path, overwrite=True)
    check_directory(tmp_path / "a" / "b")
    check_directory(tmp_path / "ours")
    monkeypatch.chdir(tmp_path)
    check_directory(tmp_path.relative_to(tmp_path), overwrite=True)
    assert names_in(tmp_path) == ["ours", *NAMES[:1]]


@pytest.mark.parametrize("name", [*NAMES, REPORT, PAGE])
def test_what_an_earlier_study_has_left_is_refused(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(OutputError, match=f"holds {name} of an earlier run.*--overwrite"):
        check_directory(tmp_path)
    check_directory(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match=f"{name}' is an input or the journal"):
        check_directory(tmp_path, [None, tmp_path / name], overwrite=True)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file", "file' is a file, not a directory: choose another --out"),
        ("file/below", "file' is a file"),
        ("nowhere", "nowhere' is a link whose target does not exist"),
        ("taken", "taken/pipeline.joblib' is a directory"),
    ],
)
def test_directories_that_cannot_be_are_refused(out, message, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
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
