import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple

import pytest

from skhp.compat import kept_compilations
from skhp.compat.kept_compilations import VARIABLE

pytestmark = pytest.mark.slow

# Trains two members in a compiled program, and tells what it did.
FIT = """
import hashlib, json, os, sys
import numpy as np
from skhp import KerasMLPClassifier
from skhp.compat import kept_compilations
from skhp.population import fit_together
from skhp.training.cohort import compiled_programs, packed_members
packed_members.pays_to_compile = lambda *_: True
anew = []
run_anew = compiled_programs.CompiledProgram._run_anew
def run_anew_and_tell(*arguments):
    anew.append(1)
    return run_anew(*arguments)
compiled_programs.CompiledProgram._run_anew = run_anew_and_tell
after_import()
X = [[float(i % 7), float(i % 3)] for i in range(40)]
y = [int(i % 7 > 3) for i in range(40)]
networks = [KerasMLPClassifier(epochs=3, learning_rate=r, early_stopping=False, random_state=0)
            for r in (0.1, 0.01)]
fitted = fit_together([(network, X, y) for network in networks])
bits = hashlib.sha1(b"".join(one.predict_proba(X).tobytes() for one in fitted)).hexdigest()
flags, used = os.environ.get("TF_XLA_FLAGS"), str(kept_compilations.kept_in())
print(json.dumps([bits, len(anew), flags, used]))
"""
NOTHING = "def after_import(): pass\n"
DAMAGE = """
def after_import():
    for path in kept_compilations.kept_in().glob("*.pb"):
        path.write_bytes(path.read_bytes()[:1000])
"""
# Another network is traced and compiled first.
OTHER_ORDER = """
def after_import():
    KerasMLPClassifier(neurons=3, epochs=1, early_stopping=False).fit(np.eye(4), [0, 1, 0, 1])
"""
# Files of this process may not grow beyond a kilobyte, as on a disk that is full.
NO_ROOM = """
def after_import():
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
"""


def started(folder, after_import=NOTHING, **variables):
    environment = {**os.environ, VARIABLE: str(folder), **variables}
    return subprocess.Popen(
        [sys.executable, "-c", after_import + FIT],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return (*json.loads(out), err)


def programs_in(folder):
    """What XLA compiled, by its file."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/xla*.pb")}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder in which a process has kept its program, and what the process printed."""
    folder = tmp_path_factory.mktemp("compiled")
    return folder, ended(started(folder))


@pytest.fixture
def kept(first, tmp_path):
    """A copy of the folder of the first process."""
    shutil.copytree(first[0], tmp_path / "kept")
    return tmp_path / "kept"


class TestProcesses:
    def test_the_program_is_kept_with_its_digest(self, first):
        folder, (_, anew, flags, used, err) = first
        (program,) = programs_in(folder)
        assert (anew, flags, err) == (0, None, "")
        assert str(program.parent) == used
        digest = hashlib.sha256(program.read_bytes()).hexdigest()
        assert (program.parent / f"{program.name}.sha256").read_text() == digest

    def test_two_processes_at_once_read_it_and_get_the_same_bits(self, first, kept):
        before = programs_in(kept)
        for bits, anew, _, _, err in map(ended, [started(kept), started(kept)]):
            assert (bits, anew, err) == (first[1][0], 0, "")
        # TensorFlow would have replaced the file.
        assert programs_in(kept) == before

    def test_a_process_that_traces_in_another_order_reads_it(self, first, kept):
        before = programs_in(kept)
        bits, anew, _, _, err = ended(started(kept, OTHER_ORDER))
        assert (bits, anew, err) == (first[1][0], 0, "")
        after = programs_in(kept)
        assert {path: after[path] for path in before} == before
        assert len(after) == len(before) + 1

    def test_a_file_that_was_damaged_before_is_made_anew(self, first, kept):
        (program,) = programs_in(kept)
        content = bytearray(program.read_bytes())
        content[len(content) // 2] ^= 255
        content[len(content) // 3] ^= 255
        program.write_bytes(content)
        bits, anew, _, _, err = ended(started(kept))
        assert (bits, anew, err) == (first[1][0], 0, "")
        assert program.read_bytes() != bytes(content)

    def test_a_file_that_is_damaged_meanwhile_is_made_anew(self, first, kept):
        """If TensorFlow mends this by itself, nothing runs anew, and this can go."""
        bits, anew, _, _, err = ended(started(kept, DAMAGE))
        assert (bits, anew, err) == (first[1][0], 1, "")

    def test_a_full_disk_costs_time_only(self, tmp_path):
        bits, anew, _, _, err = ended(started(tmp_path, NO_ROOM))
        assert (len(bits), anew) == (40, 1)
        assert "runs without compilation" in err
        assert VARIABLE in err
        assert not programs_in(tmp_path)

    def test_flags_of_the_user_stay(self, tmp_path):
        flag = f"--tf_xla_persistent_cache_directory={tmp_path / 'own'}"
        _, anew, flags, used, err = ended(started(tmp_path / "ours", TF_XLA_FLAGS=flag))
        assert (anew, flags, used, err) == (0, flag, "None", "")
        assert list((tmp_path / "own").glob("*.pb"))
        assert not (tmp_path / "ours").exists()


class TestFolder:
    @pytest.fixture(autouse=True)
    def base(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path / "base"))
        return tmp_path / "base"

    def test_by_default_it_is_the_users(self, tmp_path, monkeypatch):
        monkeypatch.delenv(VARIABLE)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        folder = kept_compilations._usable_folder()
        assert folder.is_relative_to(tmp_path / "cache")
        assert folder.stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("off", ["off", "OFF", " off "])
    def test_it_can_be_switched_off(self, monkeypatch, base, off):
        monkeypatch.setenv(VARIABLE, off)
        assert kept_compilations._usable_folder() is None
        assert not base.exists()

    def test_a_path_through_a_file(self, monkeypatch, tmp_path):
        (tmp_path / "file").touch()
        monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "folder"))
        assert kept_compilations._usable_folder() is None

    def test_a_path_with_a_blank(self, monkeypatch, tmp_path):
        monkeypatch.setenv(VARIABLE, str(tmp_path / "a folder"))
        assert kept_compilations._usable_folder() is None

    def test_a_relative_path_from_a_folder_with_a_blank(self, monkeypatch, tmp_path):
        (tmp_path / "a folder").mkdir()
        monkeypatch.chdir(tmp_path / "a folder")
        monkeypatch.setenv(VARIABLE, "compiled")
        assert kept_compilations._usable_folder() is None

    def test_a_digest_that_is_not_text(self):
        folder = kept_compilations._usable_folder()
        (folder / "a.pb").write_bytes(b"1")
        (folder / "a.pb.sha256").write_bytes(b"\xff\xfe\x00")
        assert kept_compilations._usable_folder() == folder
        assert not list(folder.iterdir())

    def test_a_folder_that_cannot_be_written(self, monkeypatch):
        def refuse(self, *_, **__):
            raise PermissionError

        kept_compilations._usable_folder()
        monkeypatch.setattr("pathlib.Path.touch", refuse)
        assert kept_compilations._usable_folder() is None

    def test_a_folder_that_others_can_write(self):
        folder = kept_compilations._usable_folder()
        folder.chmod(0o770)
        assert kept_compilations._usable_folder() is None

    def test_a_disk_with_little_room(self, monkeypatch):
        usage = namedtuple("Usage", "free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1024**3 - 1))
        assert kept_compilations._usable_folder() is None

    def test_other_processors_versions_and_flags_have_other_folders(self, monkeypatch):
        folders = {kept_compilations._usable_folder()}
        monkeypatch.setattr(kept_compilations, "_processor", lambda: "another")
        folders.add(kept_compilations._usable_folder())
        monkeypatch.setattr("importlib.metadata.version", lambda _: "2.99")
        folders.add(kept_compilations._usable_folder())
        monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
        folders.add(kept_compilations._usable_folder())
        assert len(folders) == 4

    def test_it_is_bounded(self, monkeypatch):
        folder = kept_compilations._usable_folder()
        for number in range(4):
            path = folder / f"{number}.pb"
            path.write_bytes(b"0" * 100)
            (folder / f"{number}.pb.sha256").write_text(
                hashlib.sha256(path.read_bytes()).hexdigest()
            )
            os.utime(path, (number, number))
        monkeypatch.setattr(kept_compilations, "LIMIT", 250)
        assert kept_compilations._usable_folder() == folder
        assert {path.name for path in folder.iterdir()} == {
            *("2.pb", "3.pb", "2.pb.sha256", "3.pb.sha256")
        }

    def test_what_has_no_digest_is_dropped_but_not_what_is_being_written(self):
        folder = kept_compilations._usable_folder()
        (folder / "a.pb").write_bytes(b"1")
        (folder / "b.pb.sha256").write_text("0")
        for name, age in (("new.tmp", 60), ("old.tmp", 7200)):
            (folder / name).write_bytes(b"1")
            os.utime(folder / name, (time.time() - age,) * 2)
        kept_compilations._usable_folder()
        assert [path.name for path in folder.iterdir()] == ["new.tmp"]
