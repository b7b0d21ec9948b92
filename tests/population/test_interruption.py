"""Ctrl-C ends a search or a fit within two seconds, and leaves no thread behind."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.programs import run_program, start_program

pytestmark = pytest.mark.slow

SECONDS_PROMISED = 2.0

PRELUDE = """
import sys, threading, time

import joblib
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import KerasMLPClassifier

X, y = make_classification(300, 10, random_state=0)
endless = dict(epochs=10**7, early_stopping=False, random_state=0)


def say(line):
    print(line, flush=True)


def report(error):
    ours = [thread.name for thread in threading.enumerate() if "skhp" in thread.name]
    say(f"ended by {type(error).__name__}, threads of ours: {ours}")
"""

SEARCH = """
grid = {"learning_rate": [1e-5, 1e-6], "activation": ["tanh", "relu"]}
search = GridSearchCV(KerasMLPClassifier(**endless), grid, cv=3)
try:
    with skhp.population(n_jobs=2, verbose=1):
        search.fit(X, y)
except KeyboardInterrupt as error:
    report(error)
    raise
"""

FIT = """
# A handler of epochs says that training began, and is told of every one.
classifier = KerasMLPClassifier(**endless, verbose=2)
try:
    classifier.fit(X, y)
except KeyboardInterrupt as error:
    report(error)
    raise
"""

SILENT_FIT = """
# Nobody watches it, so it runs in chunks; a program that is there begins at once.
short = KerasMLPClassifier(**endless | {"epochs": 2000}).fit(X, y)
say("Epoch 1 is about to begin")
try:
    KerasMLPClassifier(**endless).fit(X, y)
except KeyboardInterrupt as error:
    report(error)
    raise
"""

NO_POPULATION = """
search = GridSearchCV(KerasMLPClassifier(**endless, verbose=2), {"l2": [0.0, 0.1]}, cv=3)
try:
    search.fit(X, y)
except KeyboardInterrupt as error:
    report(error)
    raise
"""

# A program, and what a line says when its training has begun.
PROGRAMS = {
    "search": (SEARCH, "epochs: "),
    "watched fit": (FIT, "Epoch "),
    "fit": (SILENT_FIT, "Epoch 1 is about to begin"),
    "search without population": (NO_POPULATION, "Epoch "),
}


class Running:
    """A program that runs, with its lines as they come."""

    def __init__(self, program):
        self.process = start_program(
            [sys.executable, "-c", PRELUDE + program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self._arriving = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._arriving.put(line)
        self._arriving.put(None)

    def wait_for(self, text, seconds=120, times=1):
        until = time.monotonic() + seconds
        while times:
            line = self._arriving.get(timeout=until - time.monotonic())
            assert line is not None, "".join(self.lines)
            self.lines.append(line)
            times -= text in line

    def rest(self):
        while (line := self._arriving.get(timeout=60)) is not None:
            self.lines.append(line)
        return "".join(self.lines)

    def interrupt(self):
        sent = time.monotonic()
        os.kill(self.process.pid, signal.SIGINT)
        return sent

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


@pytest.fixture
def running(request):
    program, began = PROGRAMS[request.param]
    running = Running(program)
    try:
        # The first line of progress may come before the programs are compiled.
        running.wait_for(began, times=10 if began.endswith(" ") else 1)
        yield running
    finally:
        running.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
class TestCtrlC:
    @pytest.mark.parametrize("running", PROGRAMS, indirect=True)
    def test_ends_the_program_in_time(self, running):
        time.sleep(0.5)
        sent = running.interrupt()
        running.wait_for("ended by KeyboardInterrupt", seconds=60)
        seconds = time.monotonic() - sent
        print(f"Ctrl-C to the end: {seconds:.2f} s")
        assert seconds < SECONDS_PROMISED
        output = running.rest()
        assert "ended by KeyboardInterrupt, threads of ours: []" in output
        # Ended as Python ends what Ctrl-C interrupts, with a traceback that says so.
        assert running.process.wait(60) == -signal.SIGINT
        assert output.rstrip().endswith("KeyboardInterrupt")
        assert "During handling of the above exception" not in output

    @pytest.mark.parametrize("running", ["search"], indirect=True)
    def test_a_second_one_changes_nothing(self, running):
        running.interrupt()
        running.interrupt()
        running.rest()
        assert running.process.wait(60) == -signal.SIGINT


AGAIN = """
search = GridSearchCV(KerasMLPClassifier(**endless), {"learning_rate": [1e-5, 1e-6]}, cv=3)


def interrupted_search():
    import _thread

    timer = threading.Timer(1.0, _thread.interrupt_main)
    timer.start()
    try:
        with skhp.population():
            search.fit(X, y)
    except KeyboardInterrupt as error:
        report(error)


interrupted_search()
interrupted_search()
with skhp.population():
    found = search.set_params(estimator__epochs=3).fit(X, y)
say(f"searched after all: {len(found.cv_results_['params'])}")
"""


@pytest.mark.slow
def test_the_session_goes_on_after_ctrl_c():
    done = run_program([sys.executable, "-c", PRELUDE + AGAIN], timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *["ended by KeyboardInterrupt, threads of ours: []"] * 2,
        "searched after all: 2",
    ]
