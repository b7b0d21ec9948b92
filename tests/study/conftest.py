"""Studies that several tests share."""

from __future__ import annotations

import numpy as np
import pytest

from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.tables.table import make_table
from tests.study.quick_networks import QuickNetwork


@pytest.fixture(scope="session")
def make_network():
    """Makes such a network."""
    return QuickNetwork


@pytest.fixture
def network(make_network):
    """A network that the test may change."""
    return make_network()


@pytest.fixture(scope="session")
def study(make_patients):
    """A study of the patients that no test changes."""
    settings = Settings(folds=2, repeats=3, verdict_repeats=1)
    return run_study(make_table(make_patients()), settings, network=QuickNetwork())


@pytest.fixture(scope="session")
def study_of_known_states(make_patients):
    """The same with another seed, where the state of the first patient is not known."""
    patients = make_patients()
    patients.loc[0, "state"] = np.nan
    settings = Settings(folds=2, repeats=3, verdict_repeats=1, seed=4)
    return run_study(make_table(patients), settings, network=QuickNetwork())
