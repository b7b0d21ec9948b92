"""A real Ctrl-C, sent to a search whose tasks wait in threads of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.programs import start_program

pytestmark = pytest.mark.slow

SECONDS = 2

PREPARE = """
import sys, threading, time
import joblib
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from skhp import KerasMLPClassifier
import skhp.population.cohorts.population_training as cohorts
import skhp.training.cohort.cohort as cohort

X, y = make_classification(400, 20, random_state=0)
network = KerasMLPClassifier(neurons=8, epochs=100_000, early_stopping=False, random_state=0)
advance = cohort.Cohort.advance

def told(self, most_epochs):
    count = advance(self, most_epochs)
    if self.epochs > 2:  # compiled, and under way
        print("training", flush=True)
    return count

cohort.Cohort.advance = told
try:
    {call}
except KeyboardInterrupt:
    ended = time.time()
    left = [one.name for one in threading.enumerate() if one.name.startswith("skhp")]
    print("interrupted", ended, left, flush=True)
"""

CALLS = {
    "a search with a progress bar": (
        "from sklearn.callback import ProgressBar\n"
        "    with joblib.parallel_config(backend='skhp'):"
        " GridSearchCV(network, {'learning_rate': [1e-3, 1e-4, 1e-5]}, cv=2)"
        ".set_callbacks(ProgressBar()).fit(X, y)"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CALLS)
def test_ctrl_c_ends_the_training_at_once_and_leaves_no_thread(what):
    if "progress bar" in what:
        pytest.importorskip("sklearn.callback")
    process = start_program(
        [sys.executable, "-c", PREPARE.replace("{call}", CALLS[what])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("training") for line in lines)
        sent = time.time()
        os.kill(process.pid, signal.SIGINT)
        (found,) = [line for line in lines if line.startswith("interrupted")]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    _, ended, left = found.split(maxsplit=2)
    assert float(ended) - sent < SECONDS
    assert left.strip() == "[]"
