"""Settings that must hold before anything is imported, and data that many tests share."""

import os

# scikit-learn checks its estimators with array API dispatch only where SciPy was told to before it
# is first imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import make_blobs, make_regression

# No test asserts a time, and a deadline for each example would.
settings.register_profile("skhp", deadline=None)
settings.load_profile("skhp")


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
