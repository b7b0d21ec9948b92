import importlib
import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

import skhp

pytestmark = pytest.mark.slow

# joblib, which has to know the backend, loads NumPy.
HEAVY = {"tensorflow", "keras", "sklearn", "scikeras", "pandas", "scipy", "matplotlib"}


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def after_import():
    """What a process has after `import skhp` and after `skhp.cli`: modules and environment."""
    return run(
        "import json, os, sys\n"
        "before = dict(os.environ)\n"
        "import skhp\n"
        "loaded = sorted(name.split('.')[0] for name in sys.modules)\n"
        "import skhp.cli\n"
        "loaded_by_cli = sorted(name.split('.')[0] for name in sys.modules)\n"
        "print(json.dumps([loaded, loaded_by_cli, dict(os.environ) == before]))\n"
    )


def test_the_import_loads_no_library(after_import):
    loaded, loaded_by_cli, _ = after_import
    assert "skhp" in loaded
    assert not HEAVY & set(loaded)
    assert not HEAVY & set(loaded_by_cli)


def test_the_import_leaves_the_environment_as_it_is(after_import):
    _, _, same = after_import
    assert same


def test_the_estimators_leave_the_pickling_of_keras_as_it_is():
    # SciKeras patches these, for all users of Keras in the process.
    code = (
        "import json\n"
        "import keras\n"
        "names = '__reduce__', '__reduce_ex__', '__deepcopy__', '__copy__', '__getstate__',"
        " '__setstate__'\n"
        "classes = keras.Model, keras.Sequential, keras.layers.Layer, keras.optimizers.Optimizer,"
        " keras.optimizers.Adam, keras.losses.Loss, keras.metrics.Metric\n"
        "def found():\n"
        "    return [[getattr(c, name, None) for name in names] for c in classes]\n"
        "before = found()\n"
        "import skhp\n"
        "used = [getattr(skhp, name) for name in skhp.__all__]\n"
        "print(json.dumps([found() == before, len(used)]))\n"
    )
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(done.stdout) == [True, len(skhp.__all__)]


@pytest.mark.parametrize("name", skhp.__all__)
def test_every_public_name_can_be_had(name):
    value = getattr(skhp, name)
    if name != "__version__":
        assert value.__name__.rpartition(".")[2] == name
        assert value.__module__.split(".")[0] == "skhp"
        assert value.__doc__


def test_a_public_name_is_the_one_of_its_module():
    from skhp.estimators.mlp.classifier import KerasMLPClassifier

    assert skhp.KerasMLPClassifier is KerasMLPClassifier
    # A second time it is found without being looked for.
    assert vars(skhp)["KerasMLPClassifier"] is KerasMLPClassifier


@pytest.mark.parametrize("name", ["KerasMLPClassifer", "tensorflow", "_private", "__file_"])
def test_an_unknown_name_is_no_attribute(name):
    with pytest.raises(AttributeError, match=f"module 'skhp' has no attribute {name!r}"):
        getattr(skhp, name)
    assert not hasattr(skhp, name)


def test_an_unknown_name_cannot_be_imported():
    with pytest.raises(ImportError, match="cannot import name 'KerasMLP'"):
        exec("from skhp import KerasMLP")


def test_dir_lists_the_public_names():
    assert dir(skhp) == sorted(skhp.__all__)
    assert len(set(skhp.__all__)) == len(skhp.__all__)


def test_no_public_name_is_lost():
    assert set(skhp.__all__) >= {
        "InvalidParameterError",
        "KerasClassifier",
        "KerasMLPClassifier",
        "KerasMLPRegressor",
        "KerasRegressor",
        "NonFiniteLossWarning",
        "__version__",
    }


def test_everything_imported_by_star_is_public():
    namespace = {}
    exec("from skhp import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(skhp.__all__)


def test_the_version_is_that_of_the_installed_package():
    assert skhp.__version__ == importlib.metadata.version("skhp")


@pytest.mark.parametrize("package", ["losses", "networks.layers", "population", "scoring"])
def test_a_package_has_the_names_it_lists(package):
    module = importlib.import_module(f"skhp.{package}")
    assert module.__all__
    for name in module.__all__:
        assert hasattr(module, name), name


@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_a_mistaken_parameter_is_an_error_that_users_of_scikit_learn_catch(error):
    assert issubclass(skhp.InvalidParameterError, error)


def test_a_loss_that_is_not_finite_is_a_convergence_warning():
    from sklearn.exceptions import ConvergenceWarning

    assert issubclass(skhp.NonFiniteLossWarning, ConvergenceWarning)
