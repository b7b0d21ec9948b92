"""A process that was forked after TensorFlow was used refuses to wait without end."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# Each line of output is a case and what its child said. A child that hangs is killed.
CHILDREN = """
import multiprocessing, os, sys, time, warnings

import keras
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import skhp
from skhp import KerasClassifier, KerasMLPClassifier

warnings.simplefilter("ignore")
X, y = np.random.default_rng(0).normal(size=(60, 3)).astype("float32"), np.arange(60) % 2
network = KerasMLPClassifier(epochs=2, random_state=0)


def build():
    layers = [keras.layers.Input((3,)), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential(layers)
    model.compile(loss="binary_crossentropy")
    return model


def said_by_child(action):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = repr(action())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.replace(chr(10), " ").encode()[:4000])
        os._exit(0)
    os.close(writing)
    for _ in range(200):
        if os.waitpid(child, os.WNOHANG)[0]:
            return os.read(reading, 4000).decode()
        time.sleep(0.1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"


def fit_in_population():
    with skhp.population():
        return cross_val_score(network, X, y, cv=2, error_score="raise")


def fit(number):
    return clone(network).fit(X, y).n_iter_


def fit_in_pool():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.map_async(fit, [0]).get(20)


def fit_by_joblib():
    return Parallel(n_jobs=2, backend="multiprocessing", timeout=20)(map(delayed(fit), range(2)))


def said(action):
    try:
        return repr(action())
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


print("fork before the first fit |", said_by_child(lambda: clone(network).fit(X, y).n_iter_))
fitted = clone(network).fit(X, y)
wrapped = KerasClassifier(build, epochs=1, random_state=0).fit(X, y)
cases = {
    "fit": lambda: clone(network).fit(X, y),
    "partial_fit": lambda: clone(network).partial_fit(X, y),
    "predict": lambda: fitted.predict(X),
    "predict_proba": lambda: fitted.predict_proba(X),
    "engine": lambda: KerasMLPClassifier(engine="keras").fit(X, y),
    "fit of a wrapped model": lambda: clone(wrapped).fit(X, y),
    "partial_fit of a wrapped model": lambda: clone(wrapped).partial_fit(X, y),
    "predict of a wrapped model": lambda: wrapped.predict(X),
    "population": fit_in_population,
    "fit_together": lambda: skhp.population.fit_together([(clone(network), X, y)]),
    "search": lambda: skhp.GridSearchCV(network, {"neurons": [2]}, cv=2).fit(X, y),
    "grandchild": lambda: said_by_child(lambda: clone(network).fit(X, y)),
}
for name, action in cases.items():
    print(name, "|", said_by_child(action))
print("pool |", said(fit_in_pool))
print("joblib |", said(fit_by_joblib))
print("parent |", clone(network).fit(X, y).n_iter_)
"""


@pytest.fixture(scope="module")
def said():
    done = subprocess.run(
        [sys.executable, "-c", CHILDREN], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" | ", 1) for line in done.stdout.splitlines() if " | " in line)


@pytest.mark.slow
def test_a_forked_process_is_told_to_use_spawn(said):
    expected = {
        *("fit", "partial_fit", "predict", "predict_proba", "engine", "population"),
        *("fit of a wrapped model", "partial_fit of a wrapped model"),
        *("predict of a wrapped model", "fit_together", "search", "grandchild", "pool", "joblib"),
    }
    assert {name for name, text in said.items() if "spawn" in text and "loky" in text} == expected
    # A search of which all fits fail has an error of its own, with theirs in it.
    assert [name for name in expected if "RuntimeError" not in said[name]] == []


@pytest.mark.slow
def test_other_processes_fit(said):
    assert said["fork before the first fit"] == said["parent"] == "2"
