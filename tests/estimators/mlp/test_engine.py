"""What trains a network: the population's program or Keras, with the same weights."""

import logging

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skhp import CannotJoinError, InvalidParameterError, KerasMLPClassifier, KerasMLPRegressor

pytestmark = pytest.mark.slow

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
ENGINES = ["population", "keras"]


def quick(estimator=KerasMLPClassifier, **parameters):
    own = {"epochs": 12, "random_state": 0, "neurons": 4, "learning_rate": 0.02}
    return estimator(**own | parameters)


def weights_of(fitted):
    return np.concatenate([weights.ravel() for weights in fitted.model_.get_weights()])


def assert_same_fit(one, other, X):
    np.testing.assert_allclose(weights_of(one), weights_of(other), **CLOSE)
    np.testing.assert_allclose(one.predict(X), other.predict(X), **CLOSE)
    assert list(one.history_) == list(other.history_)
    for name, values in other.history_.items():
        np.testing.assert_allclose(one.history_[name], values, **CLOSE)
    for name in ("n_iter_", "best_epoch_", "stop_reason_"):
        assert getattr(one, name) == getattr(other, name)


class Watch(keras.callbacks.Callback):
    """Counts epochs; by its class, since Keras' fit gets a copy of it."""

    epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        type(self).epochs += 1


@pytest.fixture
def trained_by(monkeypatch):
    """The engines that trained, in order."""
    import skhp.estimators.network.estimator as base

    engines = []

    class WatchedFit(base.LoneFit):
        def __init__(self, task):
            engines.append("population")
            super().__init__(task)

    def watched(*arguments):
        engines.append("keras")
        return base_train(*arguments)

    base_train = base.train_with_keras
    monkeypatch.setattr(base, "LoneFit", WatchedFit)
    monkeypatch.setattr(base, "train_with_keras", watched)
    return engines


class TestSameWeights:
    @pytest.mark.parametrize(
        "settings",
        [
            {"batch_size": "full", "early_stopping": False},
            {"batch_size": 32, "class_weight": "balanced", "monitor": "val_f1"},
            {"batch_size": 20, "learning_rate": 0.3, "epochs": 60, "patience": 3},
            {"hidden_layers": 2, "batch_norm": True, "l2": 0.01, "lr_schedule": "cosine"},
        ],
        ids=str,
    )
    def test_of_a_classifier(self, settings, two_classes, trained_by):
        fits = [quick(**settings, engine=engine).fit(*two_classes) for engine in ENGINES]
        assert trained_by == ENGINES
        assert_same_fit(*fits, two_classes[0])
        np.testing.assert_allclose(
            *(fit.predict_proba(two_classes[0]) for fit in fits), rtol=1e-3, atol=1e-5
        )

    def test_of_three_classes(self, three_classes):
        fits = [quick(engine=engine).fit(*three_classes) for engine in ENGINES]
        assert_same_fit(*fits, three_classes[0])

    @pytest.mark.parametrize(
        "settings",
        [{"batch_size": "full"}, {"batch_size": 17, "loss": "huber", "monitor": "val_r2"}],
        ids=str,
    )
    def test_of_a_regressor(self, settings, regression, trained_by):
        fits = [
            quick(KerasMLPRegressor, **settings, engine=engine).fit(*regression)
            for engine in ENGINES
        ]
        assert trained_by == ENGINES
        assert_same_fit(*fits, regression[0])

    def test_of_weighted_rows_and_given_ones_to_validate_on(self, two_classes):
        X, y = two_classes
        weight = np.random.default_rng(0).uniform(0, 3, len(y))
        fits = [
            quick(engine=engine).fit(X, y, sample_weight=weight, X_val=X[:31], y_val=y[:31])
            for engine in ENGINES
        ]
        assert_same_fit(*fits, X)


class TestChoice:
    def test_auto_is_the_population(self, two_classes, trained_by):
        fits = [quick(engine=engine).fit(*two_classes) for engine in ("auto", "population")]
        assert trained_by == ["population", "population"]
        np.testing.assert_array_equal(weights_of(fits[0]), weights_of(fits[1]))

    @pytest.mark.parametrize("engine", ["auto", "keras"])
    def test_callbacks_are_for_keras(self, engine, two_classes, trained_by, monkeypatch):
        monkeypatch.setattr(Watch, "epochs", 0)
        fitted = quick(engine=engine, callbacks=[Watch()]).fit(*two_classes)
        assert trained_by == ["keras"]
        assert Watch.epochs == fitted.n_iter_ == 12

    def test_a_population_refuses_callbacks(self, two_classes, trained_by):
        with pytest.raises(CannotJoinError, match=r"callbacks=\[.*engine='auto'"):
            quick(engine="population", callbacks=[Watch()]).fit(*two_classes)
        with pytest.raises(CannotJoinError, match="callbacks"):
            quick(engine="population", callbacks=Watch).partial_fit(*two_classes)
        assert trained_by == []

    @pytest.mark.parametrize(
        ("engine", "suggestion"), [("populaton", "population"), ("Keras", "keras")]
    )
    def test_an_unknown_engine_is_refused(self, engine, suggestion, two_classes):
        with pytest.raises(InvalidParameterError, match=f"'engine'.*'{suggestion}'[^,}}]*$"):
            quick(engine=engine).fit(*two_classes)

    def test_a_regressor_has_the_same_choice(self, regression, trained_by):
        for engine in ENGINES:
            quick(KerasMLPRegressor, engine=engine, epochs=1).fit(*regression)
        assert trained_by == ENGINES


class TestTrainingOn:
    @pytest.mark.parametrize("engines", [ENGINES, ENGINES[::-1]], ids=str)
    def test_partial_fit_goes_on_with_the_other_engine(self, engines, two_classes, trained_by):
        X, y = two_classes
        settings = {"optimizer": "adam", "batch_size": 13}
        mixed = quick(**settings, engine=engines[0])
        mixed.partial_fit(X, y).partial_fit(X, y)
        mixed.set_params(engine=engines[1]).partial_fit(X, y).partial_fit(X, y)
        mixed.set_params(engine=engines[0]).partial_fit(X, y)
        assert trained_by == [engines[0]] * 2 + [engines[1]] * 2 + [engines[0]]
        whole = quick(**settings, epochs=5, early_stopping=False).fit(X, y)
        np.testing.assert_allclose(weights_of(mixed), weights_of(whole), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(mixed.history_["loss"], whole.history_["loss"], rtol=1e-3)
        assert mixed.n_iter_ == 5

    def test_warm_start_goes_on_with_the_other_engine(self, two_classes, trained_by):
        X, y = two_classes
        engines = ENGINES[::-1]
        settings = {"warm_start": True, "batch_size": 13, "early_stopping": False, "epochs": 3}
        one = quick(**settings, engine=engines[0]).fit(X, y)
        mixed = quick(**settings, engine=engines[0]).fit(X, y)
        one.fit(X, y)
        mixed.set_params(engine=engines[1]).fit(X, y)
        assert trained_by == [engines[0]] * 3 + [engines[1]]
        assert_same_fit(mixed, one, X)
        assert mixed.history_["loss"][0] < quick(**settings).fit(X, y).history_["loss"][1]

    def test_a_fit_without_warm_start_begins_anew(self, two_classes):
        once = quick().fit(*two_classes)
        twice = quick().fit(*two_classes).fit(*two_classes)
        np.testing.assert_array_equal(weights_of(once), weights_of(twice))

    def test_keras_can_go_on_with_the_model(self, two_classes):
        X, y = two_classes
        fitted = quick(batch_size="full", early_stopping=False, optimizer="adam").fit(X, y)
        before = fitted.decision_function(X)
        rows = X.astype("float32"), y.astype("float32")
        fitted.model_.fit(*rows, batch_size=len(X), epochs=3, verbose=0)
        assert not np.allclose(fitted.decision_function(X), before)
        assert fitted.model_.optimizer.iterations.numpy() == 12 + 3


class TestModel:
    def test_is_built_when_it_is_asked_for(self, two_classes, monkeypatch):
        X, y = two_classes
        # The structure is known from here on, so that another build is that of the model.
        quick().fit(X, y)
        built = []

        def counted(description, seed):
            built.append(seed)
            return build_network(description, seed)

        from skhp.networks.build import build_network

        monkeypatch.setattr("skhp.training.trained_network.build_network", counted)
        fitted = quick().fit(X, y)
        fitted.predict(X)
        assert built == []
        model = fitted.model_
        assert len(built) == 1
        assert fitted.model_ is model

    @pytest.mark.parametrize("settings", [{}, {"batch_norm": True, "dropout": 0.3}], ids=str)
    def test_predicts_what_the_estimator_predicts(self, settings, two_classes):
        X, y = two_classes
        fitted = quick(**settings, hidden_layers=2).fit(X, y)
        before = fitted.predict_proba(X)
        by_model = fitted.model_.predict(X.astype("float32"), verbose=0)[:, 0]
        np.testing.assert_allclose(by_model, before[:, 1], rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(fitted.predict_proba(X), before)

    def test_evaluates_to_the_loss_that_was_watched(self, two_classes):
        X, y = two_classes
        fitted = quick(l2=0.01).fit(X, y, X_val=X[::3], y_val=y[::3])
        loss = fitted.model_.evaluate(
            X[::3].astype("float32"), y[::3].astype("float32")[:, None], verbose=0
        )
        best = fitted.history_["val_loss"][fitted.best_epoch_ - 1]
        np.testing.assert_allclose(loss, best, rtol=1e-4)

    def test_holds_the_weights_once_it_is_there(self, two_classes):
        X, y = two_classes
        fitted = quick().fit(X, y)
        fitted.model_.set_weights([0 * weights for weights in fitted.model_.get_weights()])
        np.testing.assert_array_equal(fitted.predict_proba(X), 0.5)

    def test_is_not_there_before_the_fit(self, two_classes):
        with pytest.raises(AttributeError, match="before it is fitted"):
            _ = quick().model_
        assert not hasattr(clone(quick().fit(*two_classes)), "model_")


class TestVerbose:
    @pytest.mark.parametrize("estimator", [KerasMLPClassifier, KerasMLPRegressor])
    def test_prints_one_line_an_epoch(self, estimator, two_classes, capsys):
        fitted = quick(estimator, verbose=2, epochs=4).fit(*two_classes)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(" - ")[0] for line in lines] == [f"Epoch {k}/4" for k in range(1, 5)]
        for number, line in enumerate(lines):
            for name in ("loss", "val_loss"):
                assert f" - {name}: {fitted.history_[name][number]:.4f}" in line

    def test_a_silent_fit_prints_nothing(self, two_classes, capfd):
        quick(epochs=2).fit(*two_classes)
        assert capfd.readouterr() == ("", "")

    def test_it_changes_no_weight(self, two_classes, capsys):
        loud, silent = (quick(verbose=verbose).fit(*two_classes) for verbose in (2, 0))
        np.testing.assert_array_equal(weights_of(loud), weights_of(silent))
        assert loud.history_ == silent.history_


def test_auto_tells_once_why_keras_trains(caplog):
    class Logged(KerasMLPRegressor):
        """A name of its own, so that nothing was logged of it before."""

    X = np.linspace(-1, 1, 40).reshape(20, 2)
    with caplog.at_level(logging.INFO, logger="skhp"):
        for _ in range(2):
            quick(Logged, epochs=1, callbacks=[Watch()]).fit(X, X[:, 0])
        quick(Logged, epochs=1, callbacks=[Watch()], engine="keras").fit(X, X[:, 0])
        quick(Logged, epochs=1).fit(X, X[:, 0])
    (told,) = (record.getMessage() for record in caplog.records)
    assert "Keras trains the model of Logged by itself" in told
    assert "callbacks" in told
