import importlib.util

import keras
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import CannotSaveError
from tests.saving.networks_to_save import fitted

pytestmark = pytest.mark.slow

needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None or importlib.util.find_spec("tf2onnx") is None,
    reason="needs the extra skhp[onnx]",
)
KINDS = ["mlp classifier", "mlp regressor", "rnn regressor", "cnn classifier", "keras classifier"]


def expected_of(estimator, rows):
    """What the network alone returns, by way of the estimator."""
    if not hasattr(estimator, "predict_proba"):
        return estimator.predict(rows)
    probabilities = estimator.predict_proba(rows)
    return probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities


def rows_of(estimator, rows):
    shape = estimator.model_.input_shape[1:]
    return np.asarray(rows, np.float32).reshape(len(rows), *shape)


@pytest.mark.parametrize("kind", KINDS)
def test_a_keras_file_holds_the_network(kind, tmp_path):
    estimator, rows, _ = fitted(kind)
    skhp.export(estimator, tmp_path / "network.keras")
    model = keras.saving.load_model(tmp_path / "network.keras")
    outputs = model.predict(rows_of(estimator, rows), verbose=0)
    expected = expected_of(estimator, rows).reshape(outputs.shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-6)
    assert [found.name for found in tmp_path.iterdir()] == ["network.keras"]


@needs_onnx
@pytest.mark.parametrize("kind", [*KINDS, "rnn classifier"])
def test_an_onnx_file_computes_the_same(kind, tmp_path):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    estimator, rows, _ = fitted(kind)
    skhp.export(estimator, tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(model)
    (name,) = [given.name for given in model.graph.input]
    inputs = rows_of(estimator, rows)
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    (outputs,) = session.run(None, {name: inputs})
    expected = expected_of(estimator, rows).reshape(outputs.shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_exported_is_told(tmp_path, monkeypatch):
    estimator, *_ = fitted("mlp classifier")
    with pytest.raises(CannotSaveError, match=r"'\.h5'"):
        skhp.export(estimator, tmp_path / "network.h5")
    with pytest.raises(CannotSaveError, match=r"pipeline\[-1\]"):
        skhp.export(make_pipeline(StandardScaler(), estimator), tmp_path / "network.keras")
    with pytest.raises(NotFittedError):
        skhp.export(skhp.KerasMLPClassifier(), tmp_path / "network.keras")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"skhp\[onnx\]"):
        skhp.export(estimator, tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []
