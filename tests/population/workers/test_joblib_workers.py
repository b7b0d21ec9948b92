"""A backend that skhp does not know is reached through joblib's interface for backends."""

import joblib
import keras
import numpy as np
import pytest
from joblib.parallel import BACKENDS, ThreadingBackend

import skhp
from skhp import KerasClassifier
from skhp.exceptions import WorkersError
from skhp.population.cohorts import running_cohort
from skhp.population.workers import work
from tests.population.workers.contract import WorkersContract, assert_same, search


class OfSomebodyElse(ThreadingBackend):
    """Registered with joblib; its workers are threads, and shipments are pickled all the same."""


@pytest.fixture(scope="module", autouse=True)
def registered():
    joblib.register_parallel_backend("of_somebody_else", OfSomebodyElse)
    yield
    del BACKENDS["of_somebody_else"]


class TestABackendOfSomebodyElse(WorkersContract):
    backend = "of_somebody_else"
    options = {"n_jobs": 2}  # noqa: RUF012
    in_other_processes = False


def of_layers(hidden=3):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(hidden, "tanh"), keras.layers.Dense(1, "sigmoid")]
    )
    model.compile("sgd", "binary_crossentropy")
    return model


def of_branches(hidden=3):
    inputs = keras.Input((4,))
    branches = [keras.layers.Dense(hidden, kind)(inputs) for kind in ("tanh", "relu")]
    model = keras.Model(
        inputs, keras.layers.Dense(1, "sigmoid")(keras.layers.Concatenate()(branches))
    )
    model.compile("sgd", "binary_crossentropy")
    return model


@pytest.mark.parametrize("build", [of_layers, of_branches])
def test_models_of_the_user_travel(build, two_classes):
    model = KerasClassifier(build, epochs=2, verbose=0, random_state=0)

    def run():
        return search(model, {"model__hidden": [2, 3]}).fit(*two_classes).cv_results_

    with skhp.population():
        here = run()
    with skhp.population(backend="of_somebody_else", n_jobs=2):
        assert_same(run(), here)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"skhp": "0.0"}, "skhp 0.0 there, .* here"),
        ({"Python": "2.7"}, r"Python 2.7 there, 3.\d+ here"),
    ],
)
def test_a_worker_with_other_versions_is_refused(theirs, told):
    ours = work.versions()
    with pytest.raises(WorkersError, match=f"the worker there has .*{told}"):
        work.refuse_other_versions(ours, ours | theirs, "there")
    work.refuse_other_versions(ours, dict(ours), "there")


def test_a_cohort_that_cannot_be_trained_is_fitted_one_by_one(two_classes, monkeypatch):
    def fails(self, *_):
        raise MemoryError("no room for a cohort")

    with monkeypatch.context() as patched:
        patched.setattr(running_cohort.RunningCohort, "train", fails)
        with skhp.population(backend="of_somebody_else", n_jobs=2):
            found = search().fit(*two_classes)
    assert found.population_report_.alone == {"MemoryError: no room for a cohort": 8}
    np.testing.assert_allclose(
        found.cv_results_["mean_test_score"],
        search().fit(*two_classes).cv_results_["mean_test_score"],
        rtol=1e-5,
    )
