"""Ctrl-C in each of the imports of the command."""

import os
import signal
import subprocess
import sys

import pytest

from skhp.shared import interruption

# A module of another library, which keeps what is raised in it for itself.
PRESSES_CTRL_C = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except BaseException:
    pass
raise RuntimeError("Ctrl-C was lost")
"""


def run(folder, *arguments, before=signal.SIG_DFL):
    return subprocess.run(
        [sys.executable, "-m", "skhp", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        # A test run in the background of a shell passes on that it ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, before),
    )


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.parametrize("module", ["joblib", "pandas", "keras"])
def test_ctrl_c_during_the_imports_is_one_line(module, tmp_path):
    rows = [f"{n * 7 % 24}.5,{n % 3 // 2}" for n in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["age,sick", *rows, ""]))
    (tmp_path / f"{module}.py").write_text(PRESSES_CTRL_C)
    process = run(tmp_path, "tune", "t.csv")
    assert process.stderr == "skhp tune: stopped by Ctrl-C, no files were written\n"
    assert process.returncode == 130
    assert process.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} <= {"t.csv", f"{module}.py", "__pycache__"}


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_a_command_that_ignores_ctrl_c_goes_on(tmp_path):
    (tmp_path / "joblib.py").write_text(PRESSES_CTRL_C.replace("time.sleep(5)", ""))
    process = run(tmp_path, "--version", before=signal.SIG_IGN)
    assert "RuntimeError: Ctrl-C was lost" in process.stderr


@pytest.mark.parametrize(
    ("argv", "original", "expected"),
    [
        (["/usr/bin/skhp", "tune"], ["python", "/usr/bin/skhp", "tune"], True),
        (["C:\\skhp".replace("\\", os.sep)], ["python"], True),
        (["-m", "tune"], ["python", "-I", "-m", "skhp", "tune"], True),
        (["-m", "tune"], ["python", "-mskhp", "tune"], True),
        (["-m", "x", "-m", "skhp"], ["python", "-m", "pytest", "x", "-m", "skhp"], False),
        (["-c"], ["python", "-c", "import skhp"], False),
        (["train.py", "skhp"], ["python", "train.py", "skhp"], False),
        ([], ["python"], False),
    ],
)
def test_only_the_command_is_one(argv, original, expected):
    assert interruption.is_command(argv, original) is expected


def test_other_programs_keep_their_ctrl_c():
    before = signal.getsignal(signal.SIGINT)
    interruption.end_command_on_ctrl_c()
    interruption.let_ctrl_c_kill()
    interruption.let_ctrl_c_interrupt(after=lambda: pytest.fail("nothing to import"))
    assert signal.getsignal(signal.SIGINT) is before


def test_threads_do_not_set_signals(monkeypatch):
    monkeypatch.setattr(interruption, "is_command", lambda *_: True)
    monkeypatch.setattr(interruption.threading, "current_thread", lambda: None)
    before = signal.getsignal(signal.SIGINT)
    interruption.end_command_on_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before
