"""A `.keras` file for `base_model` is refused if it holds code or asks for too much memory."""

import io
import json
import resource
import zipfile

import h5py
import keras
import numpy as np
import pytest

from skhp import InvalidParameterError, KerasClassifier

pytestmark = pytest.mark.slow

X = np.ones((8, 3), np.float32)
Y = np.array([0, 1] * 4)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "good.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_layer(members, **changes):
    config = json.loads(members["config.json"])
    config["config"]["layers"][1].update(changes)
    return {**members, "config.json": json.dumps(config).encode()}


def with_units(members, units):
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["units"] = units
    del config["config"]["layers"][2]["build_config"], config["config"]["layers"][1]["build_config"]
    return {**members, "config.json": json.dumps(config).encode()}


def huge_dataset(members):
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        place = file["layers/dense/vars"]
        del place["0"]
        place.create_dataset("0", shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))
    return {**members, "model.weights.h5": buffer.getvalue()}


HOSTILE = {
    "a Lambda layer": lambda good: with_layer(
        good,
        class_name="Lambda",
        config={
            "name": "l",
            "function": {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}},
        },
    ),
    "a foreign module": lambda good: with_layer(good, module="antigravity", class_name="fly"),
    "a function of os": lambda good: with_layer(
        good, module="os", class_name="system", registered_name="system", config={"a": 1}
    ),
    "a download": lambda good: with_layer(
        good, module="keras.utils", class_name="get_file", config={"origin": "http://localhost"}
    ),
    "a class that nobody registered": lambda good: with_layer(
        good, module=None, class_name="Evil", registered_name="evil>Evil"
    ),
    "a layer that reads a model": lambda good: with_layer(
        good, class_name="TFSMLayer", config={"filepath": "/tmp/evil"}
    ),
    "a layer that reads a vocabulary": lambda good: with_layer(
        good, class_name="StringLookup", config={"vocabulary": "/etc/passwd"}
    ),
    "huge units": lambda good: with_units(good, 10**9),
    "units beyond all bounds": lambda good: with_units(good, 10**15),
    "a huge dataset": huge_dataset,
    "path traversal": lambda good: {**good, "../../evil.py": b"x"},
    "an absolute name": lambda good: {**good, "/tmp/evil.py": b"x"},
    "no configuration": lambda good: {"model.weights.h5": good["model.weights.h5"]},
    "no weights": lambda good: {"config.json": good["config.json"]},
    "a pickle as weights": lambda good: {
        "config.json": good["config.json"],
        "metadata.json": good["metadata.json"],
        "model.weights.npz": b"\x80\x04K\x01.",
    },
    "no JSON": lambda good: {**good, "config.json": b"import os"},
    "nested deeply": lambda good: {**good, "config.json": b"[" * 10**6},
}


@pytest.mark.parametrize("name", [*HOSTILE, "a bomb", "cut", "a text", "a pickle"])
def test_a_hostile_file_is_refused_with_its_name_and_the_reason(name, good, tmp_path):
    buffer = io.BytesIO()
    compression = zipfile.ZIP_DEFLATED if name == "a bomb" else zipfile.ZIP_STORED
    members = {**good, "assets/a": b" " * 10**8} if name == "a bomb" else good
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for member, content in HOSTILE.get(name, lambda good: members)(good).items():
            archive.writestr(member, content)
    content = {
        "cut": buffer.getvalue()[:-200],
        "a text": b"network",
        "a pickle": b"\x80\x04K\x01.",
    }.get(name, buffer.getvalue())
    path = tmp_path / "hostile.keras"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidParameterError, match=r"hostile\.keras"):
        KerasClassifier(base_model=str(path)).fit(X, Y)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    assert [found.name for found in tmp_path.iterdir()] == ["hostile.keras"]


def test_a_registered_layer_that_looks_at_its_values_is_still_a_base(tmp_path):
    @keras.saving.register_keras_serializable("test_hostile_base_files")
    class Looking(keras.layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            assert np.asarray(self.kernel.numpy()).shape == self.kernel.shape

    path = tmp_path / "base.keras"
    keras.Sequential([keras.Input((3,)), Looking(4), keras.layers.Dense(1)]).save(path)
    network = KerasClassifier(base_model=str(path), random_state=0).fit(X, Y)
    assert network.predict(X).shape == (8,)
