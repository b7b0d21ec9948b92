"""Training against plain Keras, which is given the same start, rows and order by hand."""

import itertools
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.networks.build import build_network, compile_network
from skhp.networks.description import multilayer_perceptron
from skhp.objectives.metrics import CLASSIFICATION_METRICS, Metric
from skhp.training.fit_task import TrainingPlan
from skhp.training.keras_fit import train_with_keras
from skhp.training.rate_schedules import OPTIMIZERS, PlateauSchedule, schedule_from
from skhp.training.training_rows import TrainingRows, ValidationRows, row_order, steps_in_epoch

pytestmark = pytest.mark.slow

KERAS_OPTIMIZERS = {
    "sgd": lambda rate: keras.optimizers.SGD(rate),
    "nesterov": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate),
    "adam": lambda rate: keras.optimizers.Adam(rate),
}


class Observer:
    """Lets the training run, but for `epochs` epochs at most."""

    def __init__(self, epochs=math.inf):
        self.epochs = epochs
        self.told = []

    def epoch_begins(self):
        self.told.append("begins")

    def epoch_ends(self):
        self.told.append("ends")
        return self.told.count("ends") >= self.epochs


def described(**changes):
    parameters = {
        "n_inputs": 3,
        "n_outputs": 1,
        "output": "binary",
        "hidden_layers": 1,
        "neurons": 8,
        "activation": "tanh",
        "batch_norm": False,
        "dropout": 0.0,
        "l2": 0.0,
    }
    return multilayer_perceptron(**parameters | changes)


def compiled(description, optimizer="sgd", rate=0.1, steps=1, loss="auto"):
    model = build_network(description, 5)
    compile_network(model, description, loss, OPTIMIZERS[optimizer](rate), steps)
    return model


def plain_keras(description, optimizer, rate, loss):
    """The same network, compiled with Keras' own loss and optimizer."""
    model = build_network(description, 5)
    model.compile(KERAS_OPTIMIZERS[optimizer](rate), loss)
    return model


def some_rows(n_rows, seed=0, weighted=False):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n_rows, 3)).astype(np.float32)
    y = (X[:, :1] + generator.normal(size=(n_rows, 1)) > 0).astype(np.float32)
    weight = np.ones(n_rows, dtype=np.float32)
    if weighted:
        weight = generator.uniform(0.2, 3, size=n_rows).astype(np.float32)
    return TrainingRows(X, y, weight)


def held_out(rows):
    return ValidationRows(rows.X, rows.y, rows.weight, rows.y[:, 0].astype(int), None)


def close(one, other, tolerance=1e-5):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


class Snapshots(keras.callbacks.Callback):
    """Keeps the weights and the logs of every epoch."""

    def __init__(self):
        super().__init__()
        self.weights = []
        self.logs = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())
        self.logs.append(dict(logs))


# ---------------------------------------------------------------- the same as Keras alone


@pytest.mark.parametrize("optimizer", ["nesterov", "rmsprop"])
def test_a_training_on_all_rows_at_once_is_that_of_keras(optimizer):
    rows, description = some_rows(20), described(l2=0.01)
    model = compiled(description, optimizer, 0.05)
    plan = TrainingPlan(batch_size=20, epochs=6, seed=0)
    outcome = train_with_keras(model, rows, None, plan, Observer())

    plain = plain_keras(description, optimizer, 0.05, "binary_crossentropy")
    history = plain.fit(rows.X, rows.y, batch_size=20, epochs=6, shuffle=False, verbose=0).history
    close(model.get_weights(), plain.get_weights())
    assert set(outcome.history) == {"loss"}
    assert outcome.history["loss"] == pytest.approx(history["loss"], rel=1e-5)
    assert outcome.learning_rates == pytest.approx([0.05] * 6)
    assert (outcome.n_epochs, outcome.best_epoch, outcome.stop_reason) == (6, 6, "epochs")


def fit_in_order(plain, rows, batch_size, seed, epochs):
    """Plain Keras, fed epoch by epoch in the order of the rows."""
    losses = []
    for epoch in range(epochs):
        order = row_order(seed, epoch, len(rows.X))
        losses += plain.fit(
            rows.X[order], rows.y[order], batch_size=batch_size, shuffle=False, verbose=0
        ).history["loss"]
    return losses


@pytest.mark.parametrize(
    ("description", "loss"),
    [
        (described(l2=0.01), "binary_crossentropy"),
        (described(batch_norm=True, dropout=0.3), "binary_crossentropy"),
        (
            described(output="multiclass", n_outputs=2, hidden_layers=0, neurons=()),
            "sparse_categorical_crossentropy",
        ),
        (described(output="regression"), "mean_squared_error"),
    ],
    ids=["l2", "batch norm and dropout", "multiclass", "regression"],
)
def test_a_training_in_batches_is_that_of_keras_fed_in_the_same_order(description, loss):
    # 22 rows in batches of 8: the last one of an epoch has 6.
    rows = some_rows(22)
    if description.output == "multiclass":
        rows = TrainingRows(rows.X, rows.y[:, 0].astype(np.int32), rows.weight)
    model = compiled(description, "adam", 0.05, steps=3)
    plan = TrainingPlan(batch_size=8, epochs=4, seed=11)
    outcome = train_with_keras(model, rows, None, plan, Observer())

    plain = plain_keras(description, "adam", 0.05, loss)
    losses = fit_in_order(plain, rows, batch_size=8, seed=11, epochs=4)
    close(model.get_weights(), plain.get_weights())
    assert outcome.history["loss"] == pytest.approx(losses, rel=1e-5)


def test_weights_of_rows_are_those_of_keras_with_a_mean_of_one_in_each_batch():
    # Keras divides the loss of a batch by its number of rows; scaled to a mean of one, its weights
    # mean the same as a weighted average.
    rows = some_rows(22, weighted=True)
    model = compiled(described(), "sgd", 0.3, steps=3)
    plan = TrainingPlan(batch_size=8, epochs=3, seed=2)
    train_with_keras(model, rows, None, plan, Observer())

    plain = plain_keras(described(), "sgd", 0.3, "binary_crossentropy")
    for epoch in range(3):
        order = row_order(2, epoch, 22)
        for batch in (order[:8], order[8:16], order[16:]):
            weight = rows.weight[batch] / rows.weight[batch].mean()
            plain.train_on_batch(rows.X[batch], rows.y[batch], sample_weight=weight)
    close(model.get_weights(), plain.get_weights())


def test_another_seed_gives_another_order_and_so_other_weights():
    def trained(seed, batch_size):
        model = compiled(described(), rate=0.5, steps=steps_in_epoch(12, batch_size))
        plan = TrainingPlan(batch_size=batch_size, epochs=2, seed=seed)
        train_with_keras(model, some_rows(12), None, plan, Observer())
        return model.get_weights()

    def same(one, other):
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    assert same(trained(0, 5), trained(0, 5))
    assert not same(trained(0, 5), trained(1, 5))
    assert same(trained(0, 12), trained(1, 12))


@pytest.fixture(scope="module")
def shared():
    """A compiled network whose training program is traced once, and how to start it anew."""
    model = compiled(described(), "sgd", 0.1)
    start = model.get_weights()

    def fresh(rate=0.1):
        model.set_weights(start)
        model.optimizer.learning_rate = rate
        return model

    return fresh


def test_a_training_in_two_parts_is_that_in_one(shared):
    rows = some_rows(12)

    def trained(*parts):
        model, done, losses = shared(), 0, []
        for epochs in parts:
            plan = TrainingPlan(batch_size=5, epochs=epochs, seed=7, first_epoch=done)
            losses += train_with_keras(model, rows, None, plan, Observer()).history["loss"]
            done += epochs
        return model.get_weights(), losses

    (one, losses), (other, other_losses) = trained(5), trained(2, 3)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert losses == other_losses


def test_a_single_epoch_takes_any_number_of_batches():
    # As partial_fit: compiled for five steps at once, then given fewer, and more.
    model = compiled(described(), "sgd", 0.3, steps=5)
    plain = plain_keras(described(), "sgd", 0.3, "binary_crossentropy")
    for n_rows in (8, 20, 27):
        rows = some_rows(n_rows, seed=n_rows)
        plan = TrainingPlan(batch_size=4, epochs=1, seed=3)
        outcome = train_with_keras(model, rows, None, plan, Observer())
        losses = fit_in_order(plain, rows, batch_size=4, seed=3, epochs=1)
        close(model.get_weights(), plain.get_weights())
        assert outcome.history["loss"] == pytest.approx(losses, rel=1e-5)


def test_the_rows_are_left_as_they_are(shared):
    rows, validation = some_rows(12), held_out(some_rows(6, seed=1))
    for array in (rows.X, rows.y, rows.weight, validation.X, validation.y, validation.weight):
        array.setflags(write=False)
    plan = TrainingPlan(batch_size=5, epochs=2, seed=0, patience=1)
    assert train_with_keras(shared(), rows, validation, plan, Observer()).n_epochs == 2


# ---------------------------------------------------------------- validation and early stopping


class Evaluation(keras.callbacks.Callback):
    """Evaluates the network as Keras does, after every epoch."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.losses = []

    def on_epoch_end(self, epoch, logs=None):
        rows = self.rows
        loss = self.model.evaluate(
            rows.X, rows.y, len(rows.X), sample_weight=rows.weight, verbose=0
        )
        self.losses.append(loss)


def test_the_held_out_loss_is_that_of_evaluate_after_every_epoch():
    validation = held_out(some_rows(15, seed=1, weighted=True))
    model = compiled(described(l2=0.02, dropout=0.3, batch_norm=True), "adam", 0.05)
    evaluation = Evaluation(validation)
    plan = TrainingPlan(batch_size=20, epochs=3, seed=0)
    outcome = train_with_keras(model, some_rows(20), validation, plan, Observer(), [evaluation])
    assert set(outcome.history) == {"loss", "val_loss"}
    assert outcome.history["val_loss"] == pytest.approx(evaluation.losses, rel=1e-5)


@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (4, 0.01)])
def test_early_stopping_is_that_of_keras(shared, patience, min_delta):
    # The rows teach nothing of those held out, which soon get worse.
    rows, validation = some_rows(12, seed=5), held_out(some_rows(200, seed=6))
    model = shared(rate=0.5)
    plan = TrainingPlan(batch_size=12, epochs=60, seed=0, patience=patience, min_delta=min_delta)
    outcome = train_with_keras(model, rows, validation, plan, Observer())

    plain = plain_keras(described(), "sgd", 0.5, "binary_crossentropy")
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True
    )
    history = plain.fit(
        rows.X,
        rows.y,
        batch_size=12,
        epochs=60,
        shuffle=False,
        verbose=0,
        validation_data=(validation.X, validation.y),
        validation_batch_size=200,
        callbacks=[stopping],
    ).history
    assert 1 < len(history["val_loss"]) < 60
    assert outcome.history["val_loss"] == pytest.approx(history["val_loss"], rel=1e-5)
    assert outcome.n_epochs == len(history["val_loss"])
    assert outcome.best_epoch == stopping.best_epoch + 1
    assert outcome.stop_reason == "patience"
    close(model.get_weights(), plain.get_weights())


def dictated(values, greater_is_better):
    """A metric that has the given values one after the other."""
    values = iter(values)
    return Metric("dictated", greater_is_better, lambda y, outputs, weight: next(values))


def stopped_by_patience(values, patience, min_delta, sign):
    """Epochs run and best epoch, counted from 1, where `sign` times the value is to rise."""
    best, best_epoch = -math.inf, 0
    for epoch, value in enumerate(values, start=1):
        if sign * value > best + min_delta:
            best, best_epoch = sign * value, epoch
        elif epoch - best_epoch >= patience:
            return epoch, best_epoch, "patience"
    return len(values), best_epoch, "epochs"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=8),
    st.integers(1, 4),
    st.sampled_from([0.0, 1.5]),
    st.booleans(),
)
def test_the_best_weights_by_any_metric_are_kept(
    shared, values, patience, min_delta, greater_is_better
):
    model, snapshots = shared(), Snapshots()
    plan = TrainingPlan(
        batch_size=12,
        epochs=len(values),
        seed=0,
        patience=patience,
        min_delta=min_delta,
        metric=dictated(values, greater_is_better),
    )
    validation = held_out(some_rows(6, seed=1))
    outcome = train_with_keras(model, some_rows(12), validation, plan, Observer(), [snapshots])
    expected = stopped_by_patience(values, patience, min_delta, 1 if greater_is_better else -1)
    assert (outcome.n_epochs, outcome.best_epoch, outcome.stop_reason) == expected
    assert outcome.history["val_dictated"] == values[: outcome.n_epochs]
    best = snapshots.weights[outcome.best_epoch - 1]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), best, strict=True))


@pytest.mark.parametrize("name", ["accuracy", "roc_auc"])
def test_the_metric_in_the_history_is_over_all_rows_held_out(shared, name):
    validation = held_out(some_rows(30, seed=1))
    metric, snapshots = CLASSIFICATION_METRICS[name], Snapshots()
    plan = TrainingPlan(batch_size=12, epochs=3, seed=0, metric=metric)
    model = shared(rate=2.0)
    outcome = train_with_keras(model, some_rows(12), validation, plan, Observer(), [snapshots])
    expected = []
    for weights in snapshots.weights:
        model.set_weights(weights)
        p = np.array(model(validation.X), dtype=np.float64)
        outputs = np.log(p) - np.log1p(-p)
        expected.append(metric.score(validation.metric_target, outputs, None))
    assert outcome.history[f"val_{name}"] == pytest.approx(expected)


def test_without_patience_the_last_weights_are_kept_however_bad(shared):
    model, snapshots = shared(), Snapshots()
    metric = dictated([3, 2, 1], greater_is_better=True)
    plan = TrainingPlan(batch_size=12, epochs=3, seed=0, metric=metric)
    validation = held_out(some_rows(6, seed=1))
    outcome = train_with_keras(model, some_rows(12), validation, plan, Observer(), [snapshots])
    assert (outcome.n_epochs, outcome.best_epoch, outcome.stop_reason) == (3, 3, "epochs")
    close(model.get_weights(), snapshots.weights[-1], tolerance=0)


# ---------------------------------------------------------------- learning rates


@pytest.mark.parametrize(
    ("schedule", "rate_of_epoch"),
    [
        ({"kind": "step", "every": 2, "factor": 0.5}, lambda k: 0.4 * 0.5 ** (k // 2)),
        ({"kind": "exponential", "factor": 0.5}, lambda k: 0.4 * 0.5**k),
        ("cosine", lambda k: 0.4 * (1 + math.cos(math.pi * k / 5)) / 2),
    ],
)
def test_a_schedule_is_counted_in_epochs(schedule, rate_of_epoch):
    made = schedule_from(schedule)
    model = compiled(described(), "sgd", made.for_keras(0.4, 3, 5), steps=3)
    plan = TrainingPlan(batch_size=5, epochs=5, seed=0, schedule=made)
    outcome = train_with_keras(model, some_rows(12), None, plan, Observer())
    assert outcome.learning_rates == pytest.approx([rate_of_epoch(k) for k in range(5)])
    assert set(outcome.history) == {"loss"}


@pytest.mark.parametrize("validated", [True, False])
def test_plateau_multiplies_the_rate_after_its_patience(shared, validated):
    # With a min_delta this large only the first epoch is an improvement: the second and the third
    # are not, so the fourth starts with the first reduction, and every second one from there.
    plan = TrainingPlan(
        batch_size=12, epochs=9, seed=0, schedule=PlateauSchedule(2, 0.5), min_delta=1e9
    )
    validation = held_out(some_rows(6, seed=1)) if validated else None
    outcome = train_with_keras(shared(rate=0.4), some_rows(12), validation, plan, Observer())
    expected = [0.4 * 0.5 ** max(0, k // 2 - 1) for k in range(1, 10)]
    assert outcome.learning_rates == pytest.approx(expected)
    assert "learning_rate" not in outcome.history
    assert outcome.n_epochs == 9


@pytest.mark.parametrize("greater_is_better", [True, False])
@pytest.mark.parametrize("rising", [True, False])
def test_plateau_follows_the_direction_of_the_metric(shared, greater_is_better, rising):
    values = range(5) if rising else range(5, 0, -1)
    plan = TrainingPlan(
        batch_size=12,
        epochs=5,
        seed=0,
        schedule=PlateauSchedule(1, 0.5),
        metric=dictated(values, greater_is_better),
    )
    validation = held_out(some_rows(6, seed=1))
    outcome = train_with_keras(shared(rate=0.4), some_rows(12), validation, plan, Observer())
    better = rising == greater_is_better
    expected = [0.4] * 5 if better else [0.4, 0.4, 0.2, 0.1, 0.05]
    assert outcome.learning_rates == pytest.approx(expected)


def test_the_lowered_rate_is_what_the_training_uses(shared):
    rows = some_rows(12)
    plan = TrainingPlan(
        batch_size=12, epochs=3, seed=0, schedule=PlateauSchedule(1, 0.1), min_delta=1e9
    )
    model = shared(rate=0.4)
    train_with_keras(model, rows, None, plan, Observer())
    plain = plain_keras(described(), "sgd", 0.4, "binary_crossentropy")
    for rate in (0.4, 0.4, 0.04):
        plain.optimizer.learning_rate = rate
        plain.train_on_batch(rows.X, rows.y)
    close(model.get_weights(), plain.get_weights())


# ---------------------------------------------------------------- non-finite losses


def test_an_infinite_target_stops_at_once_and_keeps_the_initial_weights():
    model = compiled(described(output="regression"), "sgd", 0.1)
    start = model.get_weights()
    rows = some_rows(12)
    rows.y[4] = np.inf
    plan = TrainingPlan(batch_size=5, epochs=4, seed=0, patience=2)
    outcome = train_with_keras(model, rows, held_out(some_rows(6)), plan, Observer())
    assert (outcome.n_epochs, outcome.best_epoch) == (1, 0)
    assert outcome.stop_reason == "non_finite_loss"
    assert not math.isfinite(outcome.history["loss"][0])
    close(model.get_weights(), start, tolerance=0)


@pytest.mark.parametrize("patience", [None, 3])
def test_a_training_that_explodes_keeps_the_last_finite_weights(patience):
    rows, validation = some_rows(12), held_out(some_rows(6, seed=1))
    description = described(output="regression", hidden_layers=0, neurons=())
    model = compiled(description, "sgd", 1e12)
    plan = TrainingPlan(batch_size=12, epochs=20, seed=0, patience=patience)
    outcome = train_with_keras(model, rows, validation, plan, Observer())
    assert outcome.stop_reason == "non_finite_loss"
    assert 1 < outcome.n_epochs < 20
    losses = outcome.history["loss"], outcome.history["val_loss"]
    assert np.isfinite(np.array(losses)[:, :-1]).all()
    assert not np.isfinite(np.array(losses)[:, -1]).all()
    # Exploding, the first epoch is the best one; without early stopping the last finite counts.
    assert outcome.best_epoch == (outcome.n_epochs - 1 if patience is None else 1)

    plain = plain_keras(description, "sgd", 1e12, "mean_squared_error")
    for _ in range(outcome.best_epoch):
        plain.train_on_batch(rows.X, rows.y)
    assert all(np.isfinite(array).all() for array in model.get_weights())
    for mine, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4)


def test_a_held_out_loss_that_is_not_finite_stops_too(shared):
    validation = held_out(some_rows(6, seed=1))
    validation.X[0, 0] = np.nan
    plan = TrainingPlan(batch_size=12, epochs=3, seed=0)
    model = shared()
    start = model.get_weights()
    outcome = train_with_keras(model, some_rows(12), validation, plan, Observer())
    assert (outcome.n_epochs, outcome.stop_reason) == (1, "non_finite_loss")
    assert math.isfinite(outcome.history["loss"][0])
    assert math.isnan(outcome.history["val_loss"][0])
    close(model.get_weights(), start, tolerance=0)


def test_a_network_learns_on_after_a_loss_that_was_not_finite():
    # As partial_fit does after a bad chunk of rows.
    model = compiled(described(output="regression"), "adam", 0.01)
    bad, good = some_rows(12), some_rows(12, seed=1)
    bad.y[4] = np.inf
    plan = TrainingPlan(batch_size=12, epochs=1, seed=0)
    assert train_with_keras(model, bad, None, plan, Observer()).stop_reason == "non_finite_loss"
    outcome = train_with_keras(model, good, None, plan, Observer())
    assert outcome.stop_reason == "epochs"
    assert math.isfinite(outcome.history["loss"][0])


# ---------------------------------------------------------------- observers and callbacks


def test_an_observer_may_end_the_training(shared):
    observer = Observer(epochs=2)
    plan = TrainingPlan(batch_size=12, epochs=5, seed=0)
    outcome = train_with_keras(shared(), some_rows(12), None, plan, observer)
    assert (outcome.n_epochs, outcome.best_epoch, outcome.stop_reason) == (2, 2, "callback")
    assert observer.told == ["begins", "ends", "begins", "ends"]
    assert len(outcome.history["loss"]) == len(outcome.learning_rates) == 2


def test_an_end_that_was_due_anyway_is_no_stop(shared):
    plan = TrainingPlan(batch_size=12, epochs=2, seed=0)
    outcome = train_with_keras(shared(), some_rows(12), None, plan, Observer(epochs=2))
    assert (outcome.n_epochs, outcome.stop_reason) == (2, "epochs")


def test_an_observer_that_stops_does_not_keep_the_best_weights_from_being_kept(shared):
    model, snapshots = shared(), Snapshots()
    plan = TrainingPlan(
        batch_size=12,
        epochs=6,
        seed=0,
        patience=5,
        metric=dictated([1, 4, 2, 3], greater_is_better=True),
    )
    validation = held_out(some_rows(6, seed=1))
    outcome = train_with_keras(
        model, some_rows(12), validation, plan, Observer(epochs=4), [snapshots]
    )
    assert (outcome.n_epochs, outcome.best_epoch, outcome.stop_reason) == (4, 2, "callback")
    close(model.get_weights(), snapshots.weights[1], tolerance=0)


class StopsAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 >= self.epochs


def test_a_callback_of_the_user_may_end_the_training(shared):
    plan = TrainingPlan(batch_size=12, epochs=5, seed=0)
    outcome = train_with_keras(shared(), some_rows(12), None, plan, Observer(), [StopsAfter(3)])
    assert (outcome.n_epochs, outcome.stop_reason) == (3, "callback")


def test_callbacks_find_the_held_out_values_in_their_logs(shared):
    snapshots = Snapshots()
    metric = dictated([0.5, 0.25], greater_is_better=True)
    plan = TrainingPlan(batch_size=12, epochs=2, seed=0, metric=metric)
    validation = held_out(some_rows(6, seed=1))
    outcome = train_with_keras(shared(), some_rows(12), validation, plan, Observer(), [snapshots])
    assert [set(logs) for logs in snapshots.logs] == 2 * [{"loss", "val_loss", "val_dictated"}]
    for name in ("loss", "val_loss", "val_dictated"):
        assert [logs[name] for logs in snapshots.logs] == outcome.history[name]


def test_values_that_a_callback_logs_are_in_the_history(shared):
    class Logging(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = np.float32(epoch)

    plan = TrainingPlan(batch_size=12, epochs=2, seed=0)
    outcome = train_with_keras(shared(), some_rows(12), None, plan, Observer(), [Logging()])
    assert outcome.history["mine"] == [0.0, 1.0]
    everything = itertools.chain(*outcome.history.values(), outcome.learning_rates)
    assert {type(value) for value in everything} == {float}


def test_an_error_in_a_callback_passes_through(shared):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("mine")

    plan = TrainingPlan(batch_size=12, epochs=2, seed=0)
    with pytest.raises(RuntimeError, match=r"^mine$"):
        train_with_keras(shared(), some_rows(12), None, plan, Observer(), [Failing()])


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (2, 3)])
def test_verbose_is_that_of_keras(shared, capfd, verbose, lines):
    plan = TrainingPlan(batch_size=12, epochs=3, seed=0, verbose=verbose)
    train_with_keras(shared(), some_rows(12), None, plan, Observer())
    captured = capfd.readouterr()
    assert captured.out.count("Epoch ") == lines
    assert captured.err == ""
