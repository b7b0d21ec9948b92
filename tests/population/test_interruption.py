"""Ctrl-C ends a search or a fit within two seconds, and leaves no thread behind."""

import importlib.util
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import pytest

from tests.programs import start_program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C"),
]

SECONDS_PROMISED = 2.0

PRELUDE = """
import sys, threading, traceback

import joblib
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import KerasMLPClassifier
from skhp.training.cohort.cohort import Cohort

X, y = make_classification(300, 10, random_state=0)
endless = dict(epochs=10**7, early_stopping=False, random_state=0)
network = KerasMLPClassifier(**endless)
advance = Cohort.advance
under_way = []


def say(line):
    print(line, flush=True)


def told(cohort, most_epochs):
    count = advance(cohort, most_epochs)
    # The first epochs may wait for the program to be built.
    if cohort.epochs > 2 and cohort not in under_way:
        under_way.append(cohort)
        say(f"under way: {len(under_way)}")
    return count


Cohort.advance = told


def interrupted(train):
    under_way.clear()
    try:
        train()
    except KeyboardInterrupt as error:
        ours = [thread.name for thread in threading.enumerate() if "skhp" in thread.name]
        say(f"ended by {type(error).__name__}, threads of ours: {ours}")
        say(traceback.format_exc())
        say("goes on")


def search_in_a_population():
    grid = {"learning_rate": [1e-5, 1e-6], "activation": ["tanh", "relu"]}
    with skhp.population(n_jobs=2, verbose=1):
        GridSearchCV(network, grid, cv=3).fit(X, y)
"""

# Each trains until Ctrl-C.
TWO_COHORTS = ("search", "another search")
SCENARIOS = {
    "search": "interrupted(search_in_a_population)",
    "another search": "interrupted(search_in_a_population)",
    # Somebody is told of every epoch.
    "watched fit": "interrupted(lambda: KerasMLPClassifier(**endless, verbose=2).fit(X, y))",
    # Nobody is told, so it runs in chunks.
    "fit": "interrupted(lambda: network.fit(X, y))",
    "search without population": """
search = GridSearchCV(KerasMLPClassifier(**endless, verbose=2), {"l2": [0.0, 0.1]}, cv=3)
interrupted(lambda: search.fit(X, y))
""",
}
if importlib.util.find_spec("sklearn.callback"):
    SCENARIOS["search with a progress bar"] = """
from sklearn.callback import ProgressBar

search = GridSearchCV(network, {"learning_rate": [1e-5, 1e-6]}, cv=2)
search.set_callbacks(ProgressBar())
with joblib.parallel_config(backend="skhp"):
    interrupted(lambda: search.fit(X, y))
"""

END = """
with skhp.population():
    found = GridSearchCV(network.set_params(epochs=3), {"l2": [0.0, 0.1]}, cv=3).fit(X, y)
say(f"searched after all: {len(found.cv_results_['params'])}")
network.set_params(**endless)
under_way.clear()
search_in_a_population()
"""


class Running:
    """A program that runs, with its lines as they come."""

    def __init__(self, program):
        self.process = start_program(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._arriving = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._arriving.put(line)
        self._arriving.put(None)

    def wait_for(self, text, seconds=120):
        """The lines up to the first that has this text."""
        lines = []
        until = time.monotonic() + seconds
        while not lines or text not in lines[-1]:
            line = self._arriving.get(timeout=max(0, until - time.monotonic()))
            assert line is not None, "".join(lines)
            lines.append(line)
        return "".join(lines)

    def rest(self):
        lines = []
        while (line := self._arriving.get(timeout=60)) is not None:
            lines.append(line)
        return "".join(lines)

    def interrupt(self):
        os.kill(self.process.pid, signal.SIGINT)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


@dataclass
class Interruption:
    """How a scenario ended."""

    seconds: float
    ending: str
    traceback: str


@pytest.fixture(scope="module")
def running():
    """A session that has gone through all scenarios, and trains once more."""
    running = Running("\n".join([PRELUDE, *SCENARIOS.values(), END]))
    running.interruptions = {}
    try:
        for scenario in SCENARIOS:
            running.wait_for(f"under way: {2 if scenario in TWO_COHORTS else 1}")
            time.sleep(0.3)
            sent = time.monotonic()
            running.interrupt()
            ending = running.wait_for("ended by", seconds=60)
            seconds = time.monotonic() - sent
            running.interruptions[scenario] = Interruption(
                seconds, ending, running.wait_for("goes on")
            )
        running.end = running.wait_for("searched after all")
        running.end += running.wait_for("under way: 2")
        running.interrupt()
        running.interrupt()
        running.end += running.rest()
        running.exit_code = running.process.wait(60)
        yield running
    finally:
        running.kill()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_ends_the_training_in_time(scenario, running):
    found = running.interruptions[scenario]
    print(f"Ctrl-C to the end: {found.seconds:.2f} s")
    assert found.seconds < SECONDS_PROMISED
    assert "ended by KeyboardInterrupt, threads of ours: []" in found.ending
    assert found.traceback.split()[-3:] == ["KeyboardInterrupt", "goes", "on"]
    assert "During handling of the above exception" not in found.traceback


def test_the_session_goes_on(running):
    assert "searched after all: 2" in running.end


def test_a_program_ends_as_python_ends_what_it_interrupts(running):
    # A second Ctrl-C changes nothing.
    assert running.exit_code == -signal.SIGINT
    assert running.end.rstrip().endswith("KeyboardInterrupt")
