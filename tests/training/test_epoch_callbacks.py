import keras
import numpy as np
import pytest
from scipy.special import expit

from skhp.exceptions import InvalidParameterError
from skhp.networks.build import build_network, compile_network
from skhp.networks.description import multilayer_perceptron
from skhp.networks.predictions import logits
from skhp.objectives.metrics import CLASSIFICATION_METRICS, Metric
from skhp.training.keras_fit import (
    HeldOutEvaluation,
    LearningRatePath,
    ObservedEpochs,
    StopAtNonFiniteLoss,
    ready_callbacks,
)
from skhp.training.rate_schedules import OPTIMIZERS
from skhp.training.training_rows import ValidationRows


@pytest.fixture
def model():
    description = multilayer_perceptron(
        n_inputs=3,
        n_outputs=1,
        output="binary",
        hidden_layers=1,
        neurons=4,
        activation="tanh",
        batch_norm=True,
        dropout=0.5,
        l2=0.01,
    )
    made = build_network(description, 0)
    compile_network(made, description, "auto", OPTIMIZERS["sgd"](0.25), 1)
    return made


def held_out_rows(n_rows=40):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(n_rows, 3)).astype(np.float32)
    labels = generator.integers(0, 2, size=n_rows)
    return ValidationRows(
        X,
        labels.astype(np.float32)[:, None],
        generator.uniform(0.5, 2, size=n_rows).astype(np.float32),
        labels,
        generator.uniform(0.5, 2, size=n_rows),
    )


def arrays_equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def evaluated(model, rows, metric):
    evaluation = HeldOutEvaluation(rows, metric)
    evaluation.set_model(model)
    logs = {"loss": 1.0}
    evaluation.on_epoch_end(0, logs)
    return logs


class TestHeldOutEvaluation:
    def test_the_loss_is_the_weighted_mean_over_the_rows_and_the_penalty(self, model):
        rows = held_out_rows()
        logs = evaluated(model, rows, None)
        p = expit(logits(model, rows.X)[:, 0])
        crossentropy = -np.where(rows.metric_target == 1, np.log(p), np.log1p(-p))
        penalty = sum(
            0.01 * np.square(layer.kernel.numpy().astype(float)).sum()
            for layer in model.layers
            if isinstance(layer, keras.layers.Dense)
        )
        expected = np.average(crossentropy, weights=rows.weight) + penalty
        assert set(logs) == {"loss", "val_loss"}
        assert logs["val_loss"] == pytest.approx(expected, rel=1e-5)

    def test_the_loss_is_that_of_keras(self, model):
        rows = held_out_rows()
        logs = evaluated(model, rows, None)
        expected = model.evaluate(
            rows.X, rows.y, sample_weight=rows.weight, batch_size=len(rows.X), verbose=0
        )
        assert logs["val_loss"] == pytest.approx(expected, rel=1e-6)
        assert type(logs["val_loss"]) is float

    def test_the_metric_is_over_all_rows_with_their_own_weights(self, model):
        rows = held_out_rows()
        metric = CLASSIFICATION_METRICS["accuracy"]
        logs = evaluated(model, rows, metric)
        right = (np.array(model(rows.X))[:, 0] > 0.5) == (rows.metric_target == 1)
        expected = np.average(right, weights=rows.metric_weight)
        assert logs["val_accuracy"] == pytest.approx(expected)
        assert type(logs["val_accuracy"]) is float

    def test_a_metric_of_infinite_outputs_is_nan_and_no_error(self, model):
        model.set_weights([np.full_like(array, 3e38) for array in model.get_weights()])
        logs = evaluated(model, held_out_rows(), CLASSIFICATION_METRICS["roc_auc"])
        assert np.isnan(logs["val_roc_auc"])

    def test_the_network_is_left_as_it_is(self, model):
        before = [np.array(variable) for variable in model.variables]
        evaluated(model, held_out_rows(), CLASSIFICATION_METRICS["f1"])
        assert arrays_equal([np.array(variable) for variable in model.variables], before)

    def test_a_metric_is_logged_under_its_own_name(self, model):
        seen = []
        metric = Metric("mine", True, lambda y, outputs, weight: seen.append(outputs.shape) or 3)
        assert evaluated(model, held_out_rows(), metric)["val_mine"] == 3.0
        assert seen == [(40, 1)]


def started(callback, model):
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    return callback


class TestStopAtNonFiniteLoss:
    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("name", ["loss", "val_loss"])
    def test_a_loss_that_is_not_finite_ends_the_training_with_the_weights_before(
        self, model, name, wrong
    ):
        callback = started(StopAtNonFiniteLoss(), model)
        good = [array + 1 for array in model.get_weights()]
        model.set_weights(good)
        callback.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0})
        assert (callback.stopped, model.stop_training, callback.finite_epochs) == (False, False, 1)
        model.set_weights([array + 1 for array in good])
        callback.on_epoch_end(1, {"loss": 1.0, "val_loss": 1.0, name: wrong})
        assert (callback.stopped, model.stop_training, callback.finite_epochs) == (True, True, 1)
        assert arrays_equal(model.get_weights(), good)

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_one_weight_that_is_not_finite_is_enough(self, model, wrong):
        callback = started(StopAtNonFiniteLoss(), model)
        start = model.get_weights()
        spoilt = [array.copy() for array in start]
        spoilt[-1][0] = wrong
        model.set_weights(spoilt)
        callback.on_epoch_end(0, {"loss": 1.0})
        assert (callback.stopped, callback.finite_epochs) == (True, 0)
        assert arrays_equal(model.get_weights(), start)

    def test_other_values_may_be_anything(self, model):
        callback = started(StopAtNonFiniteLoss(), model)
        callback.on_epoch_end(0, {"loss": 1.0, "val_r2": np.nan, "mine": np.inf, "text": "abc"})
        assert not callback.stopped
        assert callback.finite_epochs == 1

    def test_every_finite_epoch_is_counted(self, model):
        callback = started(StopAtNonFiniteLoss(), model)
        for epoch in range(4):
            callback.on_epoch_end(epoch, {"loss": 1.0})
        assert callback.finite_epochs == 4
        assert not model.stop_training


class TestLearningRatePath:
    def test_the_rate_at_the_start_of_each_epoch_is_noted(self, model):
        callback = started(LearningRatePath(), model)
        for rate in (0.25, 0.125, 0.5):
            model.optimizer.learning_rate = rate
            callback.on_epoch_begin(0)
            model.optimizer.learning_rate = 99.0
        assert callback.rates == [0.25, 0.125, 0.5]


class Observer:
    def __init__(self, answers):
        self.told = []
        self.answers = iter(answers)

    def epoch_begins(self):
        self.told.append("begins")

    def epoch_ends(self):
        self.told.append("ends")
        return next(self.answers)


class TestObservedEpochs:
    def test_the_observer_is_told_and_obeyed(self, model):
        observer = Observer([False, True])
        callback = started(ObservedEpochs(observer), model)
        callback.on_epoch_begin(0)
        callback.on_epoch_end(0, {})
        assert not model.stop_training
        callback.on_epoch_begin(1)
        callback.on_epoch_end(1, {})
        assert model.stop_training
        assert observer.told == ["begins", "ends", "begins", "ends"]

    def test_a_stop_of_another_callback_stands(self, model):
        callback = started(ObservedEpochs(Observer([False])), model)
        model.stop_training = True
        callback.on_epoch_end(0, {})
        assert model.stop_training


class Noting(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.notes = []


class NeedsAnArgument(keras.callbacks.Callback):
    def __init__(self, needed):
        super().__init__()


class TestReadyCallbacks:
    def test_none_is_no_callback(self):
        assert ready_callbacks(None) == []
        assert ready_callbacks([]) == []
        assert ready_callbacks(()) == []

    def test_an_instance_is_copied_and_not_touched(self, model):
        given = Noting()
        state = dict(vars(given))
        (ready,) = ready_callbacks(given)
        assert type(ready) is Noting
        assert ready is not given
        ready.set_model(model)
        ready.set_params({"epochs": 3})
        assert vars(given) == state
        assert given.model is None

    def test_the_copy_is_shallow_so_that_a_list_of_notes_is_the_users(self):
        given = Noting()
        (ready,) = ready_callbacks(given)
        ready.notes.append("seen")
        assert given.notes == ["seen"]

    def test_a_class_is_called(self):
        one, other = ready_callbacks([Noting, Noting])
        assert type(one) is type(other) is Noting
        assert one is not other
        assert one.notes is not other.notes

    @pytest.mark.parametrize("container", [list, tuple])
    def test_lists_and_tuples_keep_their_order_and_stay_as_they_are(self, container):
        first, second = Noting(), keras.callbacks.TerminateOnNaN()
        given = container([first, Noting, second])
        ready = ready_callbacks(given)
        assert [type(callback) for callback in ready] == [
            Noting,
            Noting,
            keras.callbacks.TerminateOnNaN,
        ]
        assert given == container([first, Noting, second])

    @pytest.mark.parametrize(
        "wrong", ["early_stopping", 3, True, print, dict, object(), {"a": 1}, [Noting()]]
    )
    def test_anything_else_is_refused_by_name(self, wrong):
        with pytest.raises(InvalidParameterError, match="callbacks must be None") as error:
            ready_callbacks([Noting(), wrong])
        assert repr(wrong) in str(error.value)

    @pytest.mark.parametrize("wrong", ["early_stopping", 3, {"a": Noting()}, {Noting}, dict])
    def test_anything_else_alone_is_refused_by_name(self, wrong):
        with pytest.raises(InvalidParameterError, match="callbacks must be None") as error:
            ready_callbacks(wrong)
        assert repr(wrong) in str(error.value)

    def test_a_class_that_needs_an_argument_cannot_be_called(self):
        with pytest.raises(TypeError, match="needed"):
            ready_callbacks(NeedsAnArgument)
