import pytest
from sklearn.datasets import make_classification

from tests.population.closed_form import COUNTS, CountingTrainer


@pytest.fixture(autouse=True)
def counts():
    COUNTS.clear()
    return COUNTS


@pytest.fixture
def trainer():
    return CountingTrainer()


@pytest.fixture(scope="session")
def data():
    return make_classification(120, 6, flip_y=0.2, random_state=3)
