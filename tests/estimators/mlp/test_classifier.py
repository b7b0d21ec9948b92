"""The classifier: its parameters, what it learns and what it leaves."""

import keras
import numpy as np
import pytest
import sklearn
from scipy.special import expit, logsumexp, softmax
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhp import InvalidParameterError, KerasMLPClassifier, NonFiniteLossWarning

pytestmark = pytest.mark.slow


def quick(**parameters):
    return KerasMLPClassifier(**{"epochs": 6, "random_state": 0, "neurons": 4} | parameters)


class TestNetwork:
    @pytest.mark.parametrize(
        ("parameters", "sizes"),
        [
            ({"hidden_layers": 0}, []),
            ({"neurons": "auto"}, [2]),
            ({"hidden_layers": 3, "neurons": 5}, [5, 5, 5]),
            ({"hidden_layers": 2, "neurons": (7, 3)}, [7, 3]),
            ({"hidden_layers": 2, "neurons": np.array([7, 3])}, [7, 3]),
        ],
    )
    def test_hidden_layers_and_neurons(self, parameters, sizes, two_classes):
        fitted = quick(epochs=1, **parameters).fit(*two_classes)
        assert isinstance(fitted.model_, keras.Model)
        dense = [layer for layer in fitted.model_.layers if isinstance(layer, keras.layers.Dense)]
        assert [layer.units for layer in dense] == [*sizes, 1]

    def test_no_hidden_layer_is_a_linear_model(self, two_classes):
        X, y = two_classes
        fitted = quick(hidden_layers=0).fit(X, y)
        kernel, bias = fitted.model_.get_weights()
        np.testing.assert_allclose(
            fitted.decision_function(X), X @ kernel[:, 0] + bias[0], rtol=1e-4, atol=1e-5
        )

    def test_neurons_of_another_length_are_refused(self, two_classes):
        with pytest.raises(InvalidParameterError, match=r"hidden_layers=1"):
            quick(hidden_layers=1, neurons=[4, 4]).fit(*two_classes)

    def test_dropout_and_batch_norm_train(self, two_classes):
        fitted = quick(
            dropout=0.2, batch_norm=True, hidden_layers=2, epochs=40, learning_rate=0.02
        ).fit(*two_classes)
        assert fitted.score(*two_classes) > 0.9

    def test_l2_shrinks_the_kernels(self, two_classes):
        norms = [
            np.linalg.norm(
                quick(l2=l2, epochs=40, learning_rate=0.05)
                .fit(*two_classes)
                .model_.get_weights()[0]
            )
            for l2 in (0.0, 1.0)
        ]
        assert norms[1] < 0.5 * norms[0]

    @pytest.mark.parametrize(
        ("activation", "optimizer"),
        [("tanh", "sgd"), ("elu", "adamw"), ("gelu", "sgd"), ("sigmoid", "adamw")],
    )
    def test_activations_and_optimizers(self, activation, optimizer, two_classes):
        rate = 0.5 if optimizer == "sgd" else 0.05
        fitted = quick(
            activation=activation, optimizer=optimizer, learning_rate=rate, epochs=30
        ).fit(*two_classes)
        assert fitted.score(*two_classes) > 0.9


class TestOutputs:
    def test_two_classes(self, two_classes):
        X, y = two_classes
        fitted = quick().fit(X, y)
        decision = fitted.decision_function(X)
        assert decision.shape == (len(X),)
        np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], expit(decision), rtol=1e-12)
        np.testing.assert_array_equal(fitted.predict(X), (decision > 0).astype(int))
        np.testing.assert_allclose(
            fitted.predict_proba(X)[:, 1],
            fitted.model_.predict(X, verbose=0)[:, 0],
            rtol=1e-4,
            atol=1e-6,
        )

    def test_three_classes(self, three_classes):
        X, y = three_classes
        fitted = quick().fit(X, np.array(["x", "y", "z"])[y])
        decision = fitted.decision_function(X)
        assert decision.shape == (len(X), 3)
        np.testing.assert_allclose(
            fitted.predict_proba(X), softmax(decision, axis=1), rtol=1e-12, atol=1e-300
        )
        np.testing.assert_allclose(
            fitted.predict_proba(X),
            fitted.model_.predict(X, verbose=0),
            rtol=1e-4,
            atol=1e-6,
        )

    def test_sparse_rows_are_the_same_as_dense_ones(self, two_classes):
        from scipy.sparse import csr_array

        X, y = two_classes
        dense, sparse = quick().fit(X, y), quick().fit(csr_array(X), y)
        np.testing.assert_array_equal(dense.predict_proba(X), sparse.predict_proba(csr_array(X)))


class TestEarlyStopping:
    def test_stops_after_patience_and_keeps_the_best_weights(self, two_classes):
        X, y = two_classes
        fitted = quick(epochs=500, learning_rate=0.2, patience=3).fit(X, y)
        losses = fitted.history_["val_loss"]
        assert fitted.stop_reason_ == "patience"
        assert fitted.n_iter_ == len(losses) == len(fitted.history_["loss"]) < 500
        assert fitted.best_epoch_ == np.argmin(losses) + 1 == fitted.n_iter_ - 3

    def test_kept_weights_are_those_of_the_best_epoch(self, two_classes):
        X, y = two_classes
        held = {"X_val": X[::3], "y_val": y[::3]}
        fitted = quick(epochs=500, learning_rate=0.2, patience=3).fit(X, y, **held)
        kept = fitted.model_.evaluate(
            X[::3].astype("float32"), y[::3].astype("float32")[:, None], verbose=0
        )
        np.testing.assert_allclose(kept, min(fitted.history_["val_loss"]), rtol=1e-5)
        stopped_there = quick(epochs=fitted.best_epoch_, learning_rate=0.2, patience=500)
        stopped_there.fit(X, y, **held)
        np.testing.assert_array_equal(fitted.predict_proba(X), stopped_there.predict_proba(X))

    def test_min_delta_stops_earlier(self, two_classes):
        demanding = quick(epochs=60, min_delta=0.05, patience=2).fit(*two_classes)
        lenient = quick(epochs=60, patience=2).fit(*two_classes)
        assert demanding.n_iter_ < lenient.n_iter_

    @pytest.mark.parametrize(
        ("monitor", "score"),
        [("val_f1", f1_score), ("val_balanced_accuracy", balanced_accuracy_score)],
    )
    def test_a_full_epoch_metric_is_monitored(self, monitor, score, two_classes):
        X, y = two_classes
        fitted = quick(monitor=monitor, epochs=40, patience=5, batch_size=16)
        fitted.fit(X, y, X_val=X[::2], y_val=y[::2])
        values = fitted.history_[monitor]
        assert fitted.best_epoch_ == np.argmax(values) + 1
        np.testing.assert_allclose(max(values), score(y[::2], fitted.predict(X[::2])), rtol=1e-12)

    def test_a_rare_class_is_on_both_sides(self):
        X = np.random.default_rng(0).normal(size=(200, 3))
        y = np.zeros(200, dtype=int)
        y[:2] = 1
        X[:2] += 5
        for seed in range(5):
            fitted = quick(
                monitor="val_recall",
                class_weight="balanced",
                epochs=60,
                patience=60,
                learning_rate=0.1,
                random_state=seed,
            ).fit(X, y)
            assert max(fitted.history_["val_recall"]) == 1
            assert fitted.predict(X)[:2].sum() >= 1

    def test_without_it_all_epochs_run_and_nothing_is_held_out(self, two_classes):
        fitted = quick(early_stopping=False).fit(*two_classes)
        assert fitted.stop_reason_ == "epochs"
        assert fitted.n_iter_ == fitted.best_epoch_ == 6
        assert set(fitted.history_) == {"loss"}

    def test_validation_rows_need_both_parts(self, two_classes):
        with pytest.raises(ValueError, match="y_val"):
            quick().fit(*two_classes, X_val=two_classes[0])

    def test_validation_rows_pass_through_the_steps_of_a_pipeline(self, two_classes):
        X, y = two_classes
        with sklearn.config_context(enable_metadata_routing=True):
            network = quick().set_fit_request(X_val=True, y_val=True)
            pipeline = Pipeline(
                [("scale", StandardScaler()), ("network", network)], transform_input=["X_val"]
            )
            pipeline.fit(100 * X, y, X_val=100 * X[::2], y_val=y[::2])
        scaled = StandardScaler().fit(100 * X).transform(100 * X)
        by_hand = quick().fit(scaled, y, X_val=scaled[::2], y_val=y[::2])
        assert pipeline[-1].history_ == by_hand.history_

    def test_labels_to_validate_on_must_be_known(self, two_classes):
        X, y = two_classes
        with pytest.raises(ValueError, match=r"\[2\]"):
            quick().fit(X, y, X_val=X[:4], y_val=[0, 1, 2, 0])


class TestWeights:
    def test_whole_number_weights_repetition_and_order_are_the_same(self, two_classes):
        X, y = two_classes
        weight = np.random.default_rng(0).integers(0, 4, len(y))
        order = np.random.default_rng(1).permutation(len(y))
        whole = quick(batch_size="full", early_stopping=False, dropout=0.2)
        weighted = whole.fit(X[order], y[order], sample_weight=weight[order]).predict_proba(X)
        repeated = whole.fit(X.repeat(weight, axis=0), y.repeat(weight)).predict_proba(X)
        np.testing.assert_array_equal(weighted, repeated)

    def test_class_weight_is_sample_weight_by_class(self, two_classes):
        X, y = two_classes
        by_class = quick(class_weight={0: 1, 1: 5}, early_stopping=False).fit(X, y)
        by_row = quick(early_stopping=False).fit(X, y, sample_weight=np.where(y == 1, 5, 1))
        np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))

    def test_balanced_is_the_inverse_frequency(self, two_classes):
        X, y = two_classes
        balanced = quick(class_weight="balanced").fit(X, y)
        frequency = np.bincount(y) / len(y)
        by_hand = quick(class_weight={c: 0.5 / frequency[c] for c in (0, 1)}).fit(X, y)
        np.testing.assert_array_equal(balanced.predict_proba(X), by_hand.predict_proba(X))

    def test_a_heavier_class_is_predicted_more(self, two_classes):
        X, y = two_classes
        noisy = X + np.random.default_rng(0).normal(scale=3, size=X.shape)
        shares = [
            quick(class_weight={0: 1, 1: w}, epochs=30).fit(noisy, y).predict(noisy).mean()
            for w in (0.05, 1, 20)
        ]
        assert shares[0] < shares[1] < shares[2]

    def test_weights_of_unknown_classes_are_refused(self, two_classes):
        with pytest.raises(ValueError, match="class_weight"):
            quick(class_weight={"yes": 1, "no": 2}).fit(*two_classes)

    def test_rows_of_zero_weight_do_not_make_a_class(self, two_classes):
        X, y = two_classes
        with pytest.raises(ValueError, match="2 classes"):
            quick().fit(X, y, sample_weight=y)


class TestSchedules:
    def test_path_of_a_step_schedule(self, two_classes):
        schedule = {"kind": "step", "every": 2, "factor": 0.1}
        fitted = quick(lr_schedule=schedule, early_stopping=False).fit(*two_classes)
        np.testing.assert_allclose(
            fitted.learning_rate_, [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5], rtol=1e-5
        )
        assert schedule == {"kind": "step", "every": 2, "factor": 0.1}

    def test_no_path_without_a_schedule(self, two_classes):
        fitted = quick(lr_schedule="cosine").fit(*two_classes)
        assert len(fitted.learning_rate_) == fitted.n_iter_
        assert not hasattr(fitted.set_params(lr_schedule=None).fit(*two_classes), "learning_rate_")

    def test_plateau_lowers_the_rate(self, two_classes):
        fitted = quick(
            lr_schedule={"kind": "plateau", "patience": 1, "factor": 0.5},
            learning_rate=0.5,
            epochs=30,
            patience=30,
        ).fit(*two_classes)
        rates = np.array(fitted.learning_rate_)
        assert rates[-1] < 0.5
        steps = rates[1:] / rates[:-1]
        assert set(steps.round(6)) <= {0.5, 1.0}


class TestTrainingOn:
    def test_partial_fit_is_one_epoch(self, two_classes):
        X, y = two_classes
        model = quick()
        for epoch in range(1, 4):
            model.partial_fit(X, y, classes=[0, 1])
            assert model.n_iter_ == len(model.history_["loss"]) == epoch
        whole = quick(epochs=3, early_stopping=False).fit(X, y)
        np.testing.assert_allclose(
            model.predict_proba(X), whole.predict_proba(X), rtol=1e-4, atol=1e-6
        )

    def test_partial_fit_with_other_rows_each_time(self, two_classes):
        X, y = two_classes
        model = quick(learning_rate=0.05)
        for start in range(0, 100, 25):
            for _ in range(4):
                model.partial_fit(
                    X[start : start + 20 + start], y[start : start + 20 + start], [0, 1]
                )
        assert model.score(X, y) > 0.9

    def test_partial_fit_refuses_unknown_labels_and_balanced(self, two_classes):
        X, y = two_classes
        with pytest.raises(ValueError, match=r"\[5\]"):
            quick().partial_fit(X[:2], [0, 5], classes=[0, 1])
        with pytest.raises(InvalidParameterError, match="balanced"):
            quick(class_weight="balanced").partial_fit(X, y)

    def test_warm_start_goes_on_from_the_weights(self, two_classes):
        X, y = two_classes
        model = quick(warm_start=True, early_stopping=False, epochs=15).fit(X, y)
        first = model.history_["loss"]
        model.fit(X, y)
        assert model.history_["loss"][0] < first[1]
        assert len(model.history_["loss"]) == 15

    def test_warm_start_refuses_another_network(self, two_classes):
        model = quick(warm_start=True).fit(*two_classes)
        with pytest.raises(InvalidParameterError, match="warm_start"):
            model.set_params(neurons=9).fit(*two_classes)

    def test_a_failed_fit_leaves_the_fitted_model(self, two_classes):
        X, y = two_classes
        model = quick().fit(X, y)
        before = model.predict_proba(X)

        class Broken(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                raise RuntimeError("the user's own exception")

        with pytest.raises(RuntimeError, match="the user's own"):
            model.set_params(callbacks=[Broken()]).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), before)


class TestKerasCallbacks:
    def test_instances_and_classes_are_called_and_not_changed(self, two_classes):
        seen = []

        class Watch(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                seen.append(sorted(logs))

        instance = Watch()
        before = dict(vars(instance))
        quick(callbacks=[instance, Watch], monitor="val_f1", epochs=2).fit(*two_classes)
        assert seen == [["loss", "val_f1", "val_loss"]] * 4
        assert vars(instance) == before

    def test_a_callback_that_stops(self, two_classes):
        class Stop(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = epoch == 1

        fitted = quick(callbacks=Stop()).fit(*two_classes)
        assert (fitted.n_iter_, fitted.stop_reason_) == (2, "callback")

    def test_anything_else_is_refused(self, two_classes):
        with pytest.raises(InvalidParameterError, match=r"keras\.callbacks\.Callback"):
            quick(callbacks=["early"]).fit(*two_classes)


class TestNonFiniteLoss:
    @pytest.mark.parametrize("early_stopping", [True, False])
    def test_stops_warns_and_keeps_finite_weights(self, early_stopping, two_classes):
        X, y = two_classes
        exploding = quick(
            optimizer="sgd", learning_rate=1e30, hidden_layers=2, early_stopping=early_stopping
        )
        with pytest.warns(NonFiniteLossWarning, match="learning_rate"):
            exploding.fit(X, y)
        assert exploding.stop_reason_ == "non_finite_loss"
        assert np.isfinite(exploding.predict_proba(X)).all()
        assert exploding.n_iter_ == len(exploding.history_["loss"])
        assert exploding.best_epoch_ < exploding.n_iter_


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logarithms_are_those_of_the_logits_where_probabilities_round_to_zero(n_classes):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(60, 3))
    y = np.digitize(rows[:, 0], [0.0] if n_classes == 2 else [-0.5, 0.5])
    fitted = KerasMLPClassifier(epochs=5, learning_rate=0.1, random_state=0).fit(rows, y)
    far = 1e5 * rows
    assert (fitted.predict_proba(far) == 0).any()
    logits = fitted.decision_function(far)
    if n_classes == 2:
        logits = np.column_stack([np.zeros(60), logits])
    expected = logits - logsumexp(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_log_proba(far), expected, rtol=1e-9, atol=1e-12)
