"""Programs that were read from the folder against programs that were traced."""

import dataclasses
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import KerasClassifier, KerasCNNClassifier, KerasMLPClassifier, KerasRNNClassifier
from skhp.compat import kept_compilations
from skhp.losses import FocalLoss
from skhp.networks import kept_programs
from skhp.networks.predictions import network_programs
from skhp.objectives.numbered_loss import NAMED_LOSSES
from skhp.training.cohort import packed_members
from skhp.training.cohort.compiled_programs import programs
from skhp.training.update_rules import UPDATE_RULES

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
y = (X[:, 0] > 0.5).astype(int)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of kept programs, as if TensorFlow had been imported with it."""
    monkeypatch.setattr(kept_compilations, "_folder", tmp_path)
    return tmp_path


def of_skhp(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("skhp_*.pb")}


def fitted_anew(estimator, rows=X):
    """Fit without the programs that this process has; the predictions."""
    programs.clear()
    network_programs.clear()
    return estimator.fit(rows, y).predict_proba(rows)


def built():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "gelu")])
    model.add(keras.layers.Dense(1, "sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def doubled(x):
    return 2.0 * x


@keras.saving.register_keras_serializable("tests")
class OwnLoss(FocalLoss):
    """A loss whose code may be another one tomorrow."""


small = {"epochs": 2, "random_state": 0}
KEPT = {
    "perceptron": (
        KerasMLPClassifier(**small, dropout=0.2, loss=FocalLoss(), monitor="val_f1"),
        X,
    ),
    "recurrent": (KerasRNNClassifier(**small, neurons=3, cell="gru"), X),
    "images": (KerasCNNClassifier(**small, filters=2, neurons=2), X.reshape(40, 2, 2)),
    "wrapped": (KerasClassifier(built, **small), X),
}


class TestBits:
    @pytest.mark.parametrize("name", KEPT)
    def test_a_program_that_was_read_has_the_bits_of_a_traced_one(self, folder, monkeypatch, name):
        estimator, rows = KEPT[name]
        with monkeypatch.context() as without:
            without.setattr(kept_compilations, "_folder", None)
            traced = fitted_anew(estimator, rows)
        assert not of_skhp(folder)
        np.testing.assert_array_equal(fitted_anew(estimator, rows), traced)
        kept = of_skhp(folder)
        assert kept
        monkeypatch.setattr(kept_programs, "named_function", None)
        np.testing.assert_array_equal(fitted_anew(estimator, rows), traced)
        assert of_skhp(folder) == kept

    def test_a_compiled_program(self, folder, monkeypatch):
        monkeypatch.setattr(packed_members, "pays_to_compile", lambda *_: True)
        estimator = KerasMLPClassifier(**small)
        with monkeypatch.context() as without:
            without.setattr(kept_compilations, "_folder", None)
            traced = fitted_anew(estimator)
        np.testing.assert_array_equal(fitted_anew(estimator), traced)
        monkeypatch.setattr(kept_programs, "named_function", None)
        np.testing.assert_array_equal(fitted_anew(estimator), traced)


class TestNames:
    def name(self, made_from, shape=(2,), compiled=False):
        return kept_programs._name(made_from, (tf.TensorSpec(shape), None), compiled)

    def test_all_that_a_program_is_made_from_is_in_its_name(self):
        names = {
            self.name(1),
            self.name(1.0),
            self.name("1"),
            self.name(True),
            self.name((1,)),
            self.name((1, None)),
            self.name(keras.activations.relu),
            self.name(keras.activations.gelu),
            self.name(FocalLoss),
            self.name(1, shape=(3,)),
            self.name(1, shape=(None,)),
            self.name(1, compiled=True),
        }
        assert len(names) == 12
        assert None not in names

    @pytest.mark.parametrize("code", [doubled, OwnLoss, lambda x: x, object(), np.float32(1), {1}])
    def test_nothing_is_kept_of_code_that_may_change(self, code):
        assert self.name(("loss", code)) is None

    def test_other_code_has_other_names(self, tmp_path, monkeypatch):
        rooms = [tmp_path / room for room in kept_programs._ROOMS]
        for room in rooms:
            room.mkdir()
        (rooms[0] / "a.py").write_text("1")
        monkeypatch.setattr(kept_programs, "__file__", str(tmp_path / "networks" / "here.py"))
        kept_programs._code.cache_clear()
        try:
            before = self.name(1)
            os.utime(rooms[0] / "a.py", ns=(1, 1))
            kept_programs._code.cache_clear()
            assert self.name(1) != before
        finally:
            kept_programs._code.cache_clear()


class TestNotKept:
    def test_a_loss_of_the_user(self, folder, monkeypatch):
        monkeypatch.setitem(NAMED_LOSSES, "own", OwnLoss)
        fitted_anew(KerasMLPClassifier(**small, loss=OwnLoss()))
        # The predictions do not depend on the loss.
        assert len(of_skhp(folder)) == 1

    def test_an_optimizer_that_the_user_added(self, folder, monkeypatch):
        same_name = dataclasses.replace(UPDATE_RULES["adam"])
        monkeypatch.setitem(UPDATE_RULES, "adam", same_name)
        fitted_anew(KerasMLPClassifier(**small))
        assert len(of_skhp(folder)) == 1

    @pytest.mark.parametrize("content", [b"", b"not a program"])
    def test_a_damaged_file_is_traced_and_written_again(self, folder, content):
        estimator = KerasMLPClassifier(**small)
        expected = fitted_anew(estimator)
        names = [path.stem for path in folder.glob("skhp_*.pb")]
        for name in names:
            (folder / f"{name}.pb").write_bytes(content)
            assert kept_compilations.kept(name) is None
        np.testing.assert_array_equal(fitted_anew(estimator), expected)
        assert all(kept_compilations.kept(name) for name in names)

    def test_a_folder_that_vanished(self, folder):
        estimator = KerasMLPClassifier(**small)
        expected = fitted_anew(estimator)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        np.testing.assert_array_equal(fitted_anew(estimator), expected)
        assert not folder.exists()
