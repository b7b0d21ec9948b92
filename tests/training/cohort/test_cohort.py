"""A cohort trains its members as Keras would, each as if it were alone."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.objectives.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS
from skhp.training.cohort.cohort import Cohort, train_cohort
from skhp.training.cohort.compiled_programs import programs
from tests.training.fits import example, training_rows, validation_rows, with_plan

pytestmark = pytest.mark.slow

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def assert_as_keras(fit):
    (found,) = train_cohort([fit.task])
    outcome, weights, state = fit.by_keras()
    np.testing.assert_allclose(found.trained.weights, weights, **CLOSE)
    np.testing.assert_allclose(found.trained.state, state, **CLOSE)
    assert list(found.outcome.history) == list(outcome.history)
    for name, values in outcome.history.items():
        np.testing.assert_allclose(found.outcome.history[name], values, **CLOSE)
    np.testing.assert_allclose(found.outcome.learning_rates, outcome.learning_rates, rtol=1e-5)
    for name in ("n_epochs", "best_epoch", "stop_reason"):
        assert getattr(found.outcome, name) == getattr(outcome, name)
    return found


def assert_same_result(one, other, **tolerance):
    for name in ("weights", "state"):
        np.testing.assert_allclose(
            getattr(one.trained, name), getattr(other.trained, name), **tolerance
        )
    assert one.outcome.n_epochs == other.outcome.n_epochs
    assert one.outcome.best_epoch == other.outcome.best_epoch
    assert one.outcome.stop_reason == other.outcome.stop_reason


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one.trained.weights, other.trained.weights)
    np.testing.assert_array_equal(one.trained.state, other.trained.state)
    for mine, theirs in zip(one.trained.slots, other.trained.slots, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.trained.step == other.trained.step
    np.testing.assert_equal(one.outcome, other.outcome)


class TestAsKeras:
    """The first promise of the design: weights and history equal those of Keras' own fit."""

    # Each rule is held to its optimizer in tests/training/test_update_rules.py.
    @pytest.mark.parametrize("optimizer", ["adagrad", "adamw", "nadam", "nesterov"])
    def test_kinds_of_optimizers(self, optimizer):
        assert_as_keras(example(optimizer=optimizer))

    @pytest.mark.parametrize(
        "schedule", ["step", "exponential", "cosine", {"kind": "plateau", "patience": 2}], ids=str
    )
    def test_every_schedule(self, schedule):
        found = assert_as_keras(example(schedule=schedule, rate=0.1))
        assert len(set(found.outcome.learning_rates)) > 1

    @pytest.mark.parametrize(
        "settings",
        [
            {"batch_norm": True, "l2": 0.05},
            {"hidden_layers": 0},
            {"activation": "gelu", "neurons": (7, 3)},
            {"output": "multiclass"},
            {"output": "regression"},
            {"output": "regression", "loss": "absolute_error", "optimizer": "sgd"},
            {"batch_size": 103},
            {"batch_size": 1, "epochs": 2},
            {"validation": None},
        ],
        ids=str,
    )
    def test_every_kind_of_network_and_batch(self, settings):
        assert_as_keras(example(**settings))

    @pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.01), (3, 0.0)])
    def test_early_stopping_on_the_loss(self, patience, min_delta):
        found = assert_as_keras(
            example(rate=0.1, patience=patience, min_delta=min_delta, epochs=60)
        )
        assert found.outcome.stop_reason == "patience"
        assert found.outcome.best_epoch == found.outcome.n_epochs - patience

    # Each metric is held to that of the host in tests/objectives/test_graph_metrics.py.
    @pytest.mark.parametrize("name", ["average_precision", "f1"])
    def test_early_stopping_on_a_metric_of_classes(self, name):
        metric = CLASSIFICATION_METRICS[name]
        assert_as_keras(example(rate=0.05, patience=3, metric=metric, epochs=40))

    def test_early_stopping_on_a_metric_of_three_classes(self):
        metric = CLASSIFICATION_METRICS["roc_auc"]
        assert_as_keras(example(output="multiclass", rate=0.05, patience=3, metric=metric))

    def test_early_stopping_on_a_metric_of_numbers(self):
        metric = REGRESSION_METRICS["r2"]
        assert_as_keras(example(output="regression", rate=0.1, patience=3, metric=metric))

    def test_a_loss_that_explodes_leaves_the_last_finite_weights(self):
        fit = example(optimizer="sgd", rate=1e30, output="regression", loss="squared_error")
        (found,) = train_cohort([fit.task])
        assert found.outcome.stop_reason == "non_finite_loss"
        assert found.outcome.best_epoch == 0
        np.testing.assert_array_equal(found.trained.weights, fit.task.start.weights)
        assert_as_keras(fit)

    def test_a_second_training_goes_on_where_the_first_stood(self):
        fit = example(epochs=4, optimizer="nadam", batch_size=13)
        (half,) = train_cohort([fit.task])
        rest = with_plan(fit.task, first_epoch=4)
        (whole,) = train_cohort([with_plan(fit.task, epochs=8)])
        (found,) = train_cohort([replace(rest, start=half.trained)])
        np.testing.assert_allclose(found.trained.weights, whole.trained.weights, **CLOSE)
        assert found.trained.step == whole.trained.step


def grid(largest_rate=0.1, **fixed):
    """Candidates on three folds of other sizes, that share their rows."""
    folds = [(training_rows(n, seed=n), validation_rows(20 + n % 7, seed=n)) for n in (60, 61, 67)]
    return [
        example(training=training, validation=validation, rate=rate, batch_size=batch, **fixed).task
        for (training, validation), rate, batch in itertools.product(
            folds, (largest_rate, 0.01, 0.001), (8, 20, 60)
        )
    ]


class TestAMemberAmongOthers:
    """The second promise: a member of a cohort equals the same fit alone."""

    @pytest.mark.parametrize(
        "fixed",
        [
            {"optimizer": "adam", "patience": 4},
            {"optimizer": "momentum", "activation": "relu", "l2": 0.01},
            {"optimizer": "rmsprop", "schedule": "exponential"},
            # With noise, Adam at 0.1 makes 1e-3 out of a difference in the last bit by itself.
            {"dropout": 0.3, "largest_rate": 0.03},
        ],
        ids=str,
    )
    def test_equals_the_same_fit_alone(self, fixed):
        tasks = grid(epochs=20, **fixed)
        together = train_cohort(tasks)
        for task, found in zip(tasks, together, strict=True):
            (alone,) = train_cohort([task])
            assert_same_result(found, alone, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(
                found.outcome.history["loss"], alone.outcome.history["loss"], rtol=1e-3, atol=1e-4
            )

    def test_compiled_and_plain_programs_agree(self, monkeypatch):
        tasks = grid(epochs=10, patience=4)
        plain = train_cohort(tasks)
        monkeypatch.setattr("skhp.training.cohort.compiled_programs._COMPILE_SECONDS", 0.0)
        before = programs.counts
        compiled = train_cohort(tasks)
        assert programs.counts.built == before.built + 1
        for one, other in zip(compiled, plain, strict=True):
            assert_same_result(one, other, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("settings", [{}, {"schedule": "cosine"}], ids=str)
    def test_the_size_of_a_cohort_changes_no_bit_of_a_plain_graph(self, settings):
        # With other sizes of a batch, the last values of a cohort are computed by other functions.
        shared = {"training": training_rows(), "validation": validation_rows()}
        tasks = [
            example(epochs=5, batch_size=32, rate=rate, **shared, **settings).task
            for rate in np.geomspace(0.001, 0.1, 9)
        ]
        whole = train_cohort(tasks)
        for size in (1, 2, 7, 8):
            for found, expected in zip(train_cohort(tasks[:size]), whole, strict=False):
                np.testing.assert_array_equal(found.trained.weights, expected.trained.weights)
        (last,) = train_cohort(tasks[-1:])
        np.testing.assert_array_equal(last.trained.weights, whole[-1].trained.weights)

    def test_numbers_of_every_kind_vary_within_one_program(self):
        settings = [
            {},
            {"rate": 0.1},
            {"l2": 0.01},
            {"schedule": "step"},
            {"schedule": {"kind": "plateau", "patience": 1}},
            {"patience": 2},
            {"epochs": 5},
            {"batch_size": 30},
            {"min_delta": 0.5, "patience": 2},
            {"network_seed": 3},
            {"seed": 9},
        ]
        rows = training_rows(), validation_rows()
        tasks = [example(training=rows[0], validation=rows[1], **own).task for own in settings]
        assert len({task.program for task in tasks}) == 1
        for task, found in zip(tasks, train_cohort(tasks), strict=True):
            (alone,) = train_cohort([task])
            assert_same_result(found, alone, rtol=1e-3, atol=1e-4)

    def test_neighbours_of_a_member_that_explodes_keep_their_bits(self):
        tasks = grid(optimizer="sgd", output="binary", activation="relu")
        exploding = example(
            optimizer="sgd",
            activation="relu",
            rate=1e38,
            batch_size=8,
            training=tasks[0].rows,
            validation=tasks[0].validation,
        ).task
        calm = train_cohort(tasks)
        troubled = train_cohort([exploding, *tasks[1:]])
        assert troubled[0].outcome.stop_reason == "non_finite_loss"
        assert np.isfinite(troubled[0].trained.weights).all()
        for one, other in zip(troubled[1:], calm[1:], strict=True):
            assert_same_bits(one, other)

    def test_the_size_of_a_chunk_changes_no_bit(self):
        tasks = grid(patience=3)
        for one, other in zip(
            train_cohort(tasks, chunk=1), train_cohort(tasks, chunk=5), strict=True
        ):
            assert_same_bits(one, other)

    def test_free_places_change_nothing(self):
        tasks = grid()
        for one, other in zip(train_cohort(tasks), train_cohort(tasks, candidates=12), strict=True):
            assert_same_result(one, other, rtol=1e-4, atol=1e-5)

    @settings(max_examples=10, deadline=None)
    @given(
        batch_sizes=st.lists(st.integers(1, 70), min_size=1, max_size=4),
        n_rows=st.integers(2, 60),
    )
    def test_any_batch_sizes_share_an_epoch(self, batch_sizes, n_rows):
        rows = training_rows(n_rows), validation_rows(10)
        tasks = [
            example(
                training=rows[0], validation=rows[1], batch_size=size, epochs=2, optimizer="sgd"
            ).task
            for size in batch_sizes
        ]
        for task, found in zip(tasks, train_cohort(tasks), strict=True):
            (alone,) = train_cohort([task])
            assert found.trained.step == 2 * -(-n_rows // min(task.plan.batch_size, n_rows))
            np.testing.assert_allclose(found.trained.weights, alone.trained.weights, atol=1e-5)

    def test_a_stream_with_a_batch_less_keeps_its_statistics(self):
        tasks = [
            example(batch_norm=True, training=training_rows(n, seed=n), validation=None).task
            for n in (40, 41)
        ]
        for task, found in zip(tasks, train_cohort(tasks), strict=True):
            (alone,) = train_cohort([task])
            np.testing.assert_allclose(found.trained.state, alone.trained.state, atol=1e-5)


class TestOneTrainingForSeveralMembers:
    def test_equal_members_are_trained_once(self):
        task = example().task
        cohort = Cohort([task, with_plan(task), task])
        assert cohort.running == 1
        first, *others = cohort.trained()
        for other in others:
            assert_same_bits(first, other)

    @pytest.mark.parametrize("patience", [None, 3])
    def test_members_that_differ_in_epochs_are_one_training_seen_several_times(self, patience):
        rows = training_rows(), validation_rows()
        tasks = [
            with_plan(example(rate=0.1, patience=patience).task, epochs=epochs)
            for epochs in (7, 2, 30, 1)
        ]
        tasks = [
            replace(task, rows=rows[0], validation=rows[1], start=tasks[0].start) for task in tasks
        ]
        cohort = Cohort(tasks)
        assert cohort.running == 1
        for task, found in zip(tasks, cohort.trained(), strict=True):
            (alone,) = train_cohort([task])
            assert_same_bits(found, alone)

    def test_a_cosine_over_other_epochs_is_another_training(self):
        rows = training_rows(), validation_rows()
        tasks = [
            example(schedule="cosine", epochs=epochs, training=rows[0], validation=rows[1]).task
            for epochs in (4, 8)
        ]
        assert Cohort(tasks).running == 2


class TestDropout:
    def test_noise_depends_neither_on_batches_nor_on_rates_of_others(self):
        rows = training_rows(), validation_rows()
        tasks = [
            example(
                dropout=rate, batch_size=size, training=rows[0], validation=rows[1], epochs=6
            ).task
            for rate, size in ((0.5, 20), (0.2, 20), (0.5, 7))
        ]
        assert len({task.program for task in tasks}) == 1
        for task, found in zip(tasks, train_cohort(tasks), strict=True):
            (alone,) = train_cohort([task])
            assert_same_result(found, alone, rtol=1e-3, atol=1e-4)

    def test_it_drops_the_share_that_it_says_and_scales_the_rest(self):
        # A linear network without hidden noise, whose gradient shows the units that were kept.
        rate, units, n_rows = 0.3, 50, 400
        fit = example(
            hidden_layers=1,
            neurons=units,
            activation="linear",
            dropout=rate,
            optimizer="sgd",
            output="regression",
            batch_size=n_rows,
            training=training_rows(n_rows, "regression"),
            epochs=1,
        )
        losses = {
            seed: train_cohort([example_with_noise(fit.task, seed)])[0].outcome.history["loss"][0]
            for seed in range(5)
        }
        assert len(set(losses.values())) == 5
        (still,) = train_cohort([without_dropout(fit.task)])
        # Dropout adds variance, so the loss of the same weights is larger with it.
        assert min(losses.values()) > still.outcome.history["loss"][0]


def example_with_noise(task, seed):
    return replace(task, noise_seed=seed)


def without_dropout(task):
    return replace(task, numbers=replace(task.numbers, dropout=(0.0,)))


class TestPrograms:
    def test_other_rows_splits_and_batches_need_no_other_plain_program(self):
        train_cohort([example(epochs=1).task])
        before = programs.counts
        for n in (30, 57, 104):
            task = example(
                training=training_rows(n), validation=validation_rows(n // 3), epochs=1, rate=n / 99
            ).task
            train_cohort([with_plan(task, batch_size=n // 2)])
        assert programs.counts.built - before.built <= 1
        before = programs.counts
        train_cohort([example(epochs=3, training=training_rows(77)).task])
        assert programs.counts.built == before.built

    def test_folds_of_nearly_the_same_size_share_a_compiled_program(self, monkeypatch):
        monkeypatch.setattr("skhp.training.cohort.compiled_programs._COMPILE_SECONDS", 0.0)
        train_cohort([example(training=training_rows(240), epochs=1).task])
        before = programs.counts
        train_cohort([example(training=training_rows(239), epochs=1).task])
        assert programs.counts.built == before.built
