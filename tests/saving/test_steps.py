import re
import subprocess
import sys

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import skhp
from skhp import CannotSaveError, FileRefusedError
from skhp.saving.steps import TRUSTED
from skhp.sequences import TokenSequencer
from tests.saving.networks_to_save import LABELS, QUICK, X

skops_io = pytest.importorskip("skops.io")
pytestmark = pytest.mark.slow

NETWORK = skhp.KerasMLPClassifier(**QUICK)
TEXTS = np.array(["a b c", "c d", "a a b"] * 8)


def table():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"size": X[:, 0], "kind": LABELS})


PIPELINES = {
    "pipeline": lambda: (make_pipeline(StandardScaler(), NETWORK), X, LABELS),
    "columns": lambda: (
        make_pipeline(
            make_column_transformer(
                (StandardScaler(), ["size"]), (OneHotEncoder(sparse_output=False), ["kind"])
            ),
            NETWORK,
        ),
        table(),
        LABELS,
    ),
    "target": lambda: (
        TransformedTargetRegressor(
            make_pipeline(StandardScaler(), skhp.KerasMLPRegressor(**QUICK)),
            func=np.log1p,
            inverse_func=np.expm1,
        ),
        X,
        np.abs(X[:, 0]),
    ),
    "stacking": lambda: (
        StackingClassifier(
            [("network", make_pipeline(StandardScaler(), NETWORK)), ("line", LogisticRegression())],
            cv=2,
        ),
        X,
        LABELS,
    ),
    "texts": lambda: (
        make_pipeline(TokenSequencer(), skhp.KerasRNNClassifier(embedding_dim=2, **QUICK)),
        TEXTS,
        LABELS,
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_loaded_pipeline_predicts_and_fits_to_the_same_bits(name, tmp_path):
    pipeline, rows, target = PIPELINES[name]()
    pipeline.fit(rows, target)
    skhp.save(pipeline, tmp_path / "pipeline.skhp")
    loaded = skhp.load(tmp_path / "pipeline.skhp")
    assert np.array_equal(loaded.predict(rows), pipeline.predict(rows))
    assert loaded.score(rows, target) == pipeline.score(rows, target)
    pipeline.fit(rows, target)
    assert np.array_equal(loaded.fit(rows, target).predict(rows), pipeline.predict(rows))


def test_what_skops_does_not_trust_is_loaded_only_if_the_user_lists_it(tmp_path):
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=0))
    skhp.save(pipeline.fit(X, LABELS), tmp_path / "pipeline.skhp")
    with pytest.raises(FileRefusedError, match=r"_tree\.Tree.*trusted=\[\.\.\.\]"):
        skhp.load(tmp_path / "pipeline.skhp")
    loaded = skhp.load(tmp_path / "pipeline.skhp", trusted=["sklearn.tree._tree.Tree"])
    assert np.array_equal(loaded.predict(X), pipeline.predict(X))
    for wrong in (True, "sklearn.tree._tree.Tree", [3]):
        with pytest.raises(TypeError, match="trusted"):
            skhp.load(tmp_path / "pipeline.skhp", trusted=wrong)


class Subclass(skhp.KerasMLPClassifier):
    pass


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (FunctionTransformer(lambda rows: rows), "lambda"),
        (Subclass(**QUICK), "subclass"),
        (skhp.GridSearchCV(NETWORK, {"neurons": [2]}, cv=2), "best_estimator_"),
        (skhp.KerasMLPClassifier(class_weight={"no": object()}), "class_weight"),
        (make_pipeline(NETWORK, memory="cache"), "memory"),
    ],
)
def test_code_in_a_pipeline_is_refused_by_its_name(step, told, tmp_path):
    with pytest.raises(CannotSaveError, match=told):
        skhp.save(make_pipeline(StandardScaler(), step), tmp_path / "pipeline.skhp")
    assert list(tmp_path.iterdir()) == []


def test_the_best_estimator_of_a_search_is_saved(tmp_path):
    search = skhp.GridSearchCV(NETWORK, {"neurons": [2, 3]}, cv=2).fit(X, LABELS)
    with pytest.raises(CannotSaveError, match="best_estimator_"):
        skhp.save(search, tmp_path / "search.skhp")
    skhp.save(search.best_estimator_, tmp_path / "search.skhp")
    assert np.array_equal(skhp.load(tmp_path / "search.skhp").predict(X), search.predict(X))


def test_skops_itself_writes_our_networks_as_before(tmp_path):
    skhp.save(make_pipeline(StandardScaler(), NETWORK), tmp_path / "pipeline.skhp")
    found = skops_io.get_untrusted_types(data=skops_io.dumps(skhp.KerasMLPClassifier()))
    assert found == ["skhp.estimators.mlp.classifier.KerasMLPClassifier"]


def test_without_skops_a_network_is_saved_and_a_pipeline_is_refused(tmp_path, monkeypatch):
    skhp.save(make_pipeline(StandardScaler(), NETWORK), tmp_path / "pipeline.skhp")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    skhp.save(NETWORK, tmp_path / "network.skhp")
    assert skhp.load(tmp_path / "network.skhp").get_params() == NETWORK.get_params()
    with pytest.raises(ImportError, match=re.escape("skhp[skops]")):
        skhp.save(make_pipeline(StandardScaler(), NETWORK), tmp_path / "other.skhp")
    with pytest.raises(ImportError, match=re.escape("skhp[skops]")):
        skhp.load(tmp_path / "pipeline.skhp")


def test_the_types_that_are_trusted_exist():
    for name in TRUSTED:
        module, _, kind = name.rpartition(".")
        __import__(module)
        assert isinstance(getattr(sys.modules[module], kind), type)


def test_a_network_is_saved_without_importing_skops():
    code = (
        "import sys, tempfile, skhp\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    skhp.save(skhp.KerasMLPClassifier(), folder + '/network.skhp')\n"
        "    skhp.load(folder + '/network.skhp')\n"
        "assert 'skops' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
