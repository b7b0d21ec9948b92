"""Settings that must hold before anything is imported, and data that many tests share."""

import contextlib
import gc
import os

# scikit-learn checks its estimators with array API dispatch only where SciPy was told to before it
# is first imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# The workers of a parallel run share the cores. Threads of BLAS wait for one another by spinning:
# with them, the fits of LogisticRegression in a check of a searcher take six times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The processes that tests start leave nothing in the user's cache folder.
os.environ["SKHP_COMPILED"] = "off"

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from sklearn.datasets import make_blobs, make_regression

# No test asserts a time, and a deadline for each example would.
settings.register_profile("skhp", deadline=None)
settings.load_profile("skhp")

# Keras compiles each training step by XLA (`jit_compile="auto"`), which takes a second and saves
# milliseconds in a test. The fixture `compiled_steps` gives it back.
_resolve_auto_jit_compile = keras.Model._resolve_auto_jit_compile
keras.Model._resolve_auto_jit_compile = lambda model: False


def pytest_collection_finish():
    """What was imported and collected stays until the end.

    The garbage collector need not walk through half a million objects again and again while
    programs are traced, which took a twentieth of the time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def compiled_steps(monkeypatch):
    """Keras compiles training steps by its own default."""
    monkeypatch.setattr(keras.Model, "_resolve_auto_jit_compile", _resolve_auto_jit_compile)


@pytest.fixture(scope="session")
def two_classes():
    """120 rows of two classes that any network tells apart, 1 in 4 of the second."""
    X, y = make_blobs([90, 30], centers=[[-1.5, 0, 0, 0], [1.5, 1, 0, 0]], random_state=0)
    return _read_only(X, y)


@pytest.fixture(scope="session")
def three_classes():
    """120 rows of three classes that any network tells apart."""
    X, y = make_blobs(120, centers=[[-3, 0, 0, 0], [3, 0, 0, 0], [0, 4, 0, 0]], random_state=0)
    return _read_only(X, y)


@pytest.fixture(scope="session")
def regression():
    """120 rows of an almost linear function with unit variance."""
    X, y = make_regression(120, 4, n_informative=4, noise=1.0, random_state=0)
    return _read_only(X, (y - y.mean()) / y.std())


def _read_only(*arrays):
    for array in arrays:
        array.setflags(write=False)
    return tuple(np.asarray(array) for array in arrays)


@pytest.fixture(scope="session")
def make_patients():
    """Makes a table of 80 patients, 20 of them "sick"; text, truth values, missing cells."""
    return _patients


@pytest.fixture
def patients(make_patients):
    """A table of patients that the test may change."""
    return make_patients()


@pytest.fixture
def trained_together(monkeypatch):
    """A context that gives the sizes of the populations trained in it, and allows no lone fit."""

    @contextlib.contextmanager
    def watching():
        from skhp.population.cohorts import population_training as cohorts
        from skhp.training.cohort.cohort import LoneFit

        sizes = []
        train_population = cohorts.train_population

        def noting(tasks, *arguments):
            sizes.append(len(tasks))
            return train_population(tasks, *arguments)

        def refuse(*_):
            raise AssertionError("a network was trained by itself")

        with monkeypatch.context() as patched:
            patched.setattr(cohorts, "train_population", noting)
            patched.setattr(LoneFit, "trained", refuse)
            yield sizes

    return watching


def _patients():
    random = np.random.default_rng(0)
    age = random.normal(50, 10, 80).round(1)
    frame = pd.DataFrame(
        {
            "age": age,
            "ward": random.choice(["north", "south", "east"], 80),
            "smoker": random.choice([True, False], 80).astype(object),
            "state": np.where(age.argsort().argsort() >= 60, "sick", "well"),
        }
    )
    frame.loc[[3, 40], "age"] = np.nan
    frame.loc[7, "ward"] = np.nan
    frame.loc[[9, 10, 11], "smoker"] = np.nan
    return frame
