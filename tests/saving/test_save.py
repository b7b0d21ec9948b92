import copy
import os
import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone

import skhp
from skhp import CannotSaveError, FileRefusedError, InvalidParameterError
from skhp.losses import FocalLoss
from tests.saving.networks_to_save import FITS, LABELS, QUICK, X, build, built, fitted

pytestmark = pytest.mark.slow


def weights(estimator):
    return estimator.model_.get_weights()


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def plain(parameters):
    return {
        name: repr(value)
        for name, value in parameters.items()
        if " at 0x" not in repr(value).lower() and not isinstance(value, keras.Model)
    }


@pytest.fixture(params=FITS, scope="module")
def case(request, tmp_path_factory):
    estimator, rows, target = fitted(request.param)
    path = tmp_path_factory.mktemp("saved") / "network.skhp"
    # A fit or a look at `model_` below must not change what other tests get.
    original = copy.deepcopy(estimator)
    skhp.save(original, path)
    return original, rows, target, path


def test_a_loaded_estimator_predicts_the_same_bits_and_has_the_same_attributes(case):
    original, rows, target, path = case
    loaded = skhp.load(path)
    assert type(loaded) is type(original)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(original, method):
            assert np.array_equal(getattr(loaded, method)(rows), getattr(original, method)(rows))
    assert plain(loaded.get_params()) == plain(original.get_params())
    assert loaded.score(rows, target) == original.score(rows, target)
    assert vars(loaded).keys() == vars(original).keys()
    for name, value in vars(original).items():
        if name.endswith("_") and isinstance(value, (np.ndarray, str, int, list, dict)):
            np.testing.assert_array_equal(vars(loaded)[name], value, err_msg=name)


def test_a_second_file_has_the_same_bytes(case, tmp_path):
    *_, path = case
    skhp.save(skhp.load(path), tmp_path / "again.skhp")
    assert (tmp_path / "again.skhp").read_bytes() == path.read_bytes()


def test_a_loaded_estimator_trains_on_and_fits_anew_to_the_same_bits(case):
    original, rows, target, path = case
    expected, loaded = copy.deepcopy(original), skhp.load(path)
    for estimator in (expected, loaded):
        estimator.partial_fit(rows, target)
    assert same(weights(loaded), weights(expected))
    assert loaded.history_ == expected.history_
    for estimator in (expected, loaded):
        estimator.set_params(epochs=1).fit(rows, target)
    assert same(weights(loaded), weights(expected))
    assert len(clone(loaded).fit(rows, target).history_["loss"]) == 1


def test_an_estimator_that_is_not_fitted_keeps_its_parameters(tmp_path):
    path = tmp_path / "network.skhp"
    skhp.save(skhp.KerasMLPRegressor(neurons=(3, 2), l2=0.1), path)
    loaded = skhp.load(path)
    assert loaded.get_params() == skhp.KerasMLPRegressor(neurons=(3, 2), l2=0.1).get_params()
    assert not loaded.__sklearn_is_fitted__()


def test_without_its_build_function_a_model_predicts_trains_on_and_says_what_a_fit_needs(tmp_path):
    path = tmp_path / "network.skhp"
    original = skhp.KerasClassifier(
        build, model__neurons=4, loss="binary_crossentropy", optimizer="adam", **QUICK
    ).fit(X, LABELS)
    skhp.save(original, path)
    loaded = skhp.load(path)
    assert np.array_equal(loaded.predict_proba(X), original.predict_proba(X))
    assert loaded.get_params()["model__neurons"] == 4
    for estimator in (original, loaded):
        estimator.partial_fit(X, LABELS)
    assert same(weights(loaded), weights(original))
    with pytest.raises(ValueError, match=r"set_params\(model=build\)"):
        loaded.fit(X, LABELS)
    assert same(
        weights(loaded.set_params(model=build).fit(X, LABELS)),
        weights(original.fit(X, LABELS)),
    )
    with pytest.raises(InvalidParameterError, match="model__neuron"):
        skhp.load(path).set_params(model__neuron=3)


def test_a_base_model_in_a_file_travels_with_the_estimator(tmp_path):
    base = tmp_path / "base.keras"
    built().save(base)
    network = skhp.KerasClassifier(base_model=str(base), **QUICK).fit(X, LABELS)
    skhp.save(network, tmp_path / "network.skhp")
    base.unlink()
    loaded = skhp.load(tmp_path / "network.skhp")
    assert same(weights(loaded.fit(X, LABELS)), weights(network))


# ---------------------------------------------------------------- what is refused


class Subclass(skhp.KerasMLPClassifier):
    pass


class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred - y_true, axis=-1)


class OwnFocalLoss(FocalLoss):
    pass


class OwnLayer(keras.layers.Dense):
    pass


def model_with(layer):
    return keras.Sequential([keras.Input((3,)), layer])


def own_function(y_true, y_pred):
    return keras.ops.mean(y_pred - y_true, axis=-1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Subclass(), "subclass"),
        (lambda: skhp.KerasMLPClassifier(callbacks=keras.callbacks.Callback()), "callbacks"),
        (lambda: skhp.KerasMLPClassifier(loss=OwnFocalLoss()), "'loss'"),
        (lambda: skhp.KerasMLPClassifier(class_weight={"a": object()}), "'class_weight'"),
        (lambda: skhp.KerasMLPClassifier(neurons=2**70), "'neurons'"),
        (lambda: skhp.KerasClassifier(build, loss=own_function), "'loss'"),
        (lambda: skhp.KerasClassifier(build, loss=OwnLoss()), "'loss'"),
        (lambda: skhp.KerasClassifier(build, loss=keras.losses.Huber(delta=3.0)), "delta"),
        (lambda: skhp.KerasClassifier(build, metrics=[own_function]), "'metrics'"),
        (lambda: skhp.KerasClassifier(build, callbacks=[keras.callbacks.Callback]), "callbacks"),
        (lambda: skhp.KerasClassifier(model_with(OwnLayer(2))), "OwnLayer"),
        (lambda: skhp.KerasClassifier(model_with(keras.layers.Lambda(abs))), "Lambda"),
        (
            lambda: skhp.KerasClassifier(model_with(keras.layers.Dense(2, own_function))),
            "own_function|function",
        ),
        (lambda: skhp.GridSearchCV(skhp.KerasMLPClassifier(), {}), "best_estimator_"),
        (lambda: skhp.KerasMLPClassifier, "estimators"),
        (lambda: [skhp.KerasMLPClassifier()], "estimators"),
        (lambda: "network", "estimators"),
    ],
)
def test_code_is_refused_by_its_name_and_nothing_is_written(make, told, tmp_path):
    with pytest.raises(CannotSaveError, match=told):
        skhp.save(make(), tmp_path / "network.skhp")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_parameter_is_refused_as_in_fit(tmp_path):
    with pytest.raises(InvalidParameterError, match="epochs"):
        skhp.save(skhp.KerasMLPClassifier(epochs=-1), tmp_path / "network.skhp")


def test_an_attribute_of_the_users_is_not_lost_silently(tmp_path):
    network = copy.deepcopy(fitted("mlp classifier")[0])
    network.note_ = "mine"
    with pytest.raises(CannotSaveError, match="note_"):
        skhp.save(network, tmp_path / "network.skhp")


# ---------------------------------------------------------------- the file


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    network, *_ = fitted("mlp classifier")
    path = tmp_path / "network.skhp"
    path.write_text("earlier")
    with monkeypatch.context() as broken:

        def full(descriptor):
            raise OSError(28, "No space left on device")

        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            skhp.save(network, path)
    assert [found.name for found in tmp_path.iterdir()] == ["network.skhp"]
    assert path.read_text() == "earlier"
    skhp.save(network, path)
    assert np.array_equal(skhp.load(path).predict(X), network.predict(X))
    assert [found.name for found in tmp_path.iterdir()] == ["network.skhp"]


def test_a_new_file_has_the_rights_of_any_new_file_and_an_old_one_keeps_its_own(tmp_path):
    network, *_ = fitted("mlp classifier")
    (tmp_path / "other").write_text("x")
    path, link = tmp_path / "network.skhp", tmp_path / "link.skhp"
    skhp.save(network, path)
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    path.chmod(0o600)
    link.symlink_to(path)
    skhp.save(skhp.KerasMLPRegressor(), link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert isinstance(skhp.load(path), skhp.KerasMLPRegressor)


def test_places_that_no_file_can_have_are_told(tmp_path):
    network, *_ = fitted("mlp classifier")
    with pytest.raises(IsADirectoryError, match="folder"):
        skhp.save(network, tmp_path)
    with pytest.raises(FileNotFoundError, match="not a folder"):
        skhp.save(network, tmp_path / "none" / "network.skhp")
    with pytest.raises(FileNotFoundError):
        skhp.load(tmp_path / "none.skhp")
    with pytest.raises(FileRefusedError, match="folder"):
        skhp.load(tmp_path)


def test_saving_and_loading_use_no_pickle(tmp_path, monkeypatch):
    network = copy.deepcopy(fitted("keras classifier")[0])

    def refused(*arguments, **keywords):
        raise AssertionError("pickle")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refused)
    skhp.save(network, tmp_path / "network.skhp")
    assert np.array_equal(skhp.load(tmp_path / "network.skhp").predict(X), network.predict(X))
