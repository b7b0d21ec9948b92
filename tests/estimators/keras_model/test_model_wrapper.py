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
@pytest.mark.parametrize(
    ("imports", "replaced"),
    [
        ("import skhp.estimators", False),
        ("from skhp import KerasClassifier", False),
        ("from skhp import KerasClassifier; import scikeras.wrappers", False),
        # What the user asked for stays.
        ("import scikeras; from skhp import KerasClassifier", True),
    ],
)
def test_keras_is_changed_only_if_the_user_imports_scikeras_first(imports, replaced):
    printed = run("-c", imports + STATE_OF_KERAS)
    assert json.loads(printed.splitlines()[-1].lower()) == [replaced] * len(REPLACED_IN_KERAS)
