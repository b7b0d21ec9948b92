"""scikit-learn's own tests of its searchers, with skhp's in their place."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MODULES = (
    "sklearn.model_selection.tests.test_search",
    "sklearn.model_selection.tests.test_successive_halving",
)


def counted(output, what):
    found = re.search(rf"(\d+) {what}", output)
    return int(found[1]) if found else 0


def run(tmp_path, *options):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider"),
            *options,
            *("--rootdir", str(tmp_path), "--pyargs", *MODULES),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    return done.returncode, done.stdout


@pytest.mark.slow
def test_all_pass_and_ran_through_ours(tmp_path, pytestconfig, monkeypatch):
    code, unmodified = run(tmp_path, "--collect-only")
    assert code == 0
    assert "searches through skhp" not in unmodified
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    code, output = run(tmp_path, "-rs", "-p", "tests.search.stand_in")
    assert code == 0, output[-3000:]
    outcomes = ("passed", "skipped", "xfailed")
    assert sum(counted(output, what) for what in outcomes) == counted(unmodified, "tests collected")
    # What scikit-learn skips, it skips for reasons of its own.
    reasons = [line.rpartition(": ")[2] for line in output.splitlines() if line.startswith("SKIP")]
    assert not [reason for reason in reasons if "skhp" in reason]
    # "All pass" must not mean that nothing was replaced.
    through_ours = output[output.index("searches through skhp") :]
    least = {"GridSearchCV": 100, "RandomizedSearchCV": 30}
    least |= {"HalvingGridSearchCV": 40, "HalvingRandomSearchCV": 40}
    for name, fewest in least.items():
        assert int(re.search(rf"\b{name} (\d+)", through_ours)[1]) >= fewest
