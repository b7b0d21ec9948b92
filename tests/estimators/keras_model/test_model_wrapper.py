"""SciKeras' faults: each is still there in SciKeras, and not in skhp.

A test of the first kind that fails tells that a repair in skhp is no longer needed.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import skhp
from skhp.estimators.keras_model.model_wrapper import BaseWrapper
from tests.estimators.keras_model.scikeras_faults import PROBES, REPLACED_IN_KERAS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments):
    finished = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def faults_of_scikeras():
    return json.loads(run("-m", "tests.estimators.keras_model.scikeras_faults").splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("fault", PROBES)
def test_scikeras_has_the_fault(fault, faults_of_scikeras):
    assert faults_of_scikeras[fault]


@pytest.mark.parametrize("fault", PROBES)
def test_skhp_does_not_have_the_fault(fault):
    assert not PROBES[fault](skhp)


@pytest.mark.parametrize("wrapper", [skhp.KerasClassifier, skhp.KerasRegressor])
def test_is_a_wrapper_of_scikeras(wrapper):
    assert isinstance(wrapper(), BaseWrapper)


STATE_OF_KERAS = """
import keras
replaced = [(keras.Model, "__reduce__"), (keras.Model, "__deepcopy__"),
            (keras.losses.Loss, "__reduce__"), (keras.metrics.Metric, "__reduce__"),
            (keras.optimizers.Optimizer, "__reduce__")]
print([name in vars(changed) for changed, name in replaced])
"""


@pytest.mark.slow
def test_keras_is_not_changed_by_skhp_nor_by_scikeras_after_it():
    imports = ["import skhp.estimators", "from skhp import KerasClassifier"]
    imports.append("import scikeras.wrappers")
    printed = run("-c", "".join(line + STATE_OF_KERAS for line in imports))
    states = [json.loads(line.lower()) for line in printed.splitlines()[-len(imports) :]]
    assert states == [[False] * len(REPLACED_IN_KERAS)] * len(imports)


@pytest.mark.slow
def test_what_a_user_who_imports_scikeras_first_has_asked_for_stays(faults_of_scikeras):
    assert faults_of_scikeras["replaced_after_skhp"] == [True] * len(REPLACED_IN_KERAS)
