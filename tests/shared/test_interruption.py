"""Signals that end the command, in its imports and at its work."""

import json
import os
import signal
import subprocess
import sys

import pytest

from skhp.shared import interruption
from tests.programs import run_program

posix = pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")

# A module of another library, which keeps what is raised in it for itself.
SENDS_A_SIGNAL = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.{})
    time.sleep(5)
except BaseException:
    pass
raise RuntimeError("the signal was lost")
"""


def run(folder, *arguments, ignored=None):
    def prepare():
        # A test run in the background of a shell passes on that it ignores Ctrl-C.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    return subprocess.run(
        [sys.executable, "-m", "skhp", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        preexec_fn=prepare,
    )


@posix
@pytest.mark.parametrize(
    ("module", "sent", "code", "cause"),
    [
        ("joblib", "SIGTERM", 143, "SIGTERM"),
        ("pandas", "SIGHUP", 129, "SIGHUP"),
        ("keras", "SIGINT", 130, "Ctrl-C"),
    ],
)
def test_a_signal_during_the_imports_is_one_line(module, sent, code, cause, tmp_path):
    rows = [f"{n * 7 % 24}.5,{n % 3 // 2}" for n in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["age,sick", *rows, ""]))
    (tmp_path / f"{module}.py").write_text(SENDS_A_SIGNAL.format(sent))
    process = run(tmp_path, "tune", "t.csv")
    assert process.stderr == f"skhp tune: stopped by {cause}, no files were written\n"
    assert process.returncode == code
    assert process.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} <= {"t.csv", f"{module}.py", "__pycache__"}


@posix
@pytest.mark.parametrize("ignored", ["SIGINT", "SIGHUP"])
def test_a_command_that_ignores_a_signal_goes_on(ignored, tmp_path):
    (tmp_path / "joblib.py").write_text(SENDS_A_SIGNAL.format(ignored).replace("time.sleep(5)", ""))
    process = run(tmp_path, "--version", ignored=getattr(signal, ignored))
    assert "RuntimeError: the signal was lost" in process.stderr


# The stage of the work, the signals that are sent, and the exit code.
AT_WORK = {
    ("training", "SIGINT"): 130,
    ("training", "SIGTERM"): 143,
    ("training", "SIGHUP"): 129,
    # Python would wait for the thread at its end.
    ("training with a thread", "SIGTERM"): 143,
    ("training that is slow to end", "SIGINT", "SIGINT"): 130,
    ("training that is slow to end", "SIGINT", "SIGTERM"): 143,
    ("writing", "SIGTERM"): 143,
    ("writing, and slow to remove", "SIGINT", "SIGINT"): 130,
    ("moving", "SIGTERM"): 0,
}


WRITTEN = ["pipeline.joblib", "report.txt", "search_results.csv", "training_curves.png"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of each command, from one process that forks them."""
    process = run_program(
        [sys.executable, "-m", "tests.signalled_commands"],
        input=json.dumps([{"stage": stage, "signals": sent} for stage, *sent in AT_WORK]),
        cwd=tmp_path_factory.mktemp("commands"),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return dict(zip(AT_WORK, json.loads(process.stdout), strict=True))


@posix
@pytest.mark.parametrize("case", AT_WORK, ids=", ".join)
def test_a_signal_at_work_leaves_nothing_half_written(case, outcomes):
    found = outcomes[case]
    assert found["code"] == AT_WORK[case]
    if not AT_WORK[case]:
        assert found["said"] == []
        written = ("", "/pipeline.joblib", "/report.txt", "/search_results.csv")
        assert found["files"] == [
            *(f"out{name}" for name in written),
            "out/training_curves.png",
            "t.csv",
        ]
        return
    cause = {"SIGINT": "Ctrl-C"}.get(case[-1], case[-1])
    assert found["said"] == [f"skhp tune: stopped by {cause}, no files were written"]
    assert found["files"] == ["t.csv"]


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


HANDLED = [signal.SIGINT, signal.SIGTERM]


def test_other_programs_keep_their_signals(tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "_command", interruption._Command())
    before = list(map(signal.getsignal, HANDLED))
    interruption.end_command_on_signals()
    interruption.let_signals_interrupt(after=lambda: pytest.fail("nothing to import"))
    with interruption.unfinished(tmp_path), interruption.undisturbed():
        assert signal.getsignal(signal.SIGTERM) is before[1]
    interruption.leave_now(130)
    assert interruption.exit_code_of(KeyboardInterrupt()) == 130
    assert list(map(signal.getsignal, HANDLED)) == before


def test_threads_do_not_set_signals(monkeypatch):
    monkeypatch.setattr(interruption, "is_command", lambda *_: True)
    monkeypatch.setattr(interruption.threading, "current_thread", lambda: None)
    before = list(map(signal.getsignal, HANDLED))
    interruption.end_command_on_signals()
    assert list(map(signal.getsignal, HANDLED)) == before
