import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def last_line(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "imports",
    ["import joblib, skhp", "import skhp, joblib", "from skhp import population; import joblib"],
)
def test_joblib_knows_the_backend_by_name(imports):
    code = (
        f"{imports}\n"
        "with joblib.parallel_config(backend='skhp'):\n"
        "    print(joblib.Parallel()(joblib.delayed(abs)(-n) for n in range(5)))\n"
    )
    assert last_line(code) == "[0, 1, 2, 3, 4]"


def test_neither_the_import_nor_the_backend_loads_tensorflow():
    code = (
        "import sys, skhp\n"
        "import joblib\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from sklearn.datasets import load_iris\n"
        "with skhp.population():\n"
        "    search = GridSearchCV(LogisticRegression(max_iter=1000), {'C': [1, 2]})\n"
        "    search.fit(*load_iris(return_X_y=True))\n"
        "print(['tensorflow' in sys.modules, bool(search.best_score_ > 0.9)])\n"
    )
    assert last_line(code) == "[False, True]"


def test_the_package_is_the_context():
    code = (
        "import skhp, joblib\n"
        "import skhp.population.options\n"
        "with skhp.population(chunk=3):\n"
        "    backend, _ = joblib.parallel.get_active_backend()\n"
        "print(backend.options.chunk)\n"
    )
    assert last_line(code) == "3"
