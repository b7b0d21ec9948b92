"""What the tests of Ctrl-C rest on."""

import os
import signal
import subprocess
import sys

import pytest

from tests.programs import run_program, start_program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")

WAITING = "import time; print('waits', flush=True); time.sleep(60)"
INTERRUPTED_FROM_WITHIN = "import _thread, time; _thread.interrupt_main(); time.sleep(60)"


@pytest.fixture
def ignored_ctrl_c():
    """As in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored_ctrl_c")
class TestAProgramStartedWhereCtrlCIsIgnored:
    def test_is_ended_by_the_signal(self):
        process = start_program(
            [sys.executable, "-c", WAITING],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout.readline() == "waits\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_is_ended_by_an_interruption_from_within(self):
        done = run_program([sys.executable, "-c", INTERRUPTED_FROM_WITHIN], timeout=20)
        assert done.returncode == -signal.SIGINT
        assert "KeyboardInterrupt" in done.stderr
