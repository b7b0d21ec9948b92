import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def lines(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    return done.stdout.splitlines()


BY_NAME = (
    "with joblib.parallel_config(backend='skhp'):\n"
    "    print(joblib.Parallel()(joblib.delayed(abs)(-n) for n in range(5)))\n"
)


def test_joblib_that_was_imported_before_knows_the_backend_by_name():
    assert lines(f"import joblib, skhp\n{BY_NAME}") == ["[0, 1, 2, 3, 4]"]


def test_joblib_that_is_imported_later_knows_the_backend_and_nothing_loads_tensorflow():
    code = (
        f"import skhp, sys, joblib\n{BY_NAME}"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from sklearn.datasets import load_iris\n"
        "with skhp.population():\n"
        "    search = GridSearchCV(LogisticRegression(max_iter=1000), {'C': [1, 2]})\n"
        "    search.fit(*load_iris(return_X_y=True))\n"
        "print(['tensorflow' in sys.modules, bool(search.best_score_ > 0.9)])\n"
    )
    assert lines(code) == ["[0, 1, 2, 3, 4]", "[False, True]"]


def test_the_package_is_the_context():
    code = (
        f"from skhp import population; import joblib\n{BY_NAME}"
        "import skhp, skhp.population.options\n"
        "with skhp.population(chunk=3):\n"
        "    backend, _ = joblib.parallel.get_active_backend()\n"
        "print(backend.options.chunk)\n"
    )
    assert lines(code) == ["[0, 1, 2, 3, 4]", "3"]
