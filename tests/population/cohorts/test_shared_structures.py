"""Members of nearly the same structure share a program, and train as in their own."""

import itertools

import numpy as np
import pytest

from skhp.networks.layers import zero_at_zero
from skhp.networks.layers.activation import ACTIVATIONS
from skhp.population.cohorts.cohort_plan import seconds_of, share_structures
from skhp.population.cohorts.population_training import train_population
from skhp.population.options import PopulationOptions
from skhp.population.report import SilentProgress
from skhp.training.cohort.cohort import train_cohort
from tests.training.fits import example, training_rows, validation_rows

pytestmark = pytest.mark.slow


def always(own, shared):
    return True


def fits(**settings):
    """Every combination of the settings, on the same rows."""
    rows = {"training": training_rows(), "validation": validation_rows(), "epochs": 10}
    return [
        example(**rows, **dict(zip(settings, values, strict=True))).task
        for values in itertools.product(*settings.values())
    ]


def structures(tasks):
    return len({task.program for task in tasks})


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "rmsprop", "adagrad", "adamw", "nadam"])
def test_other_widths_and_dropout_train_in_one_program_as_alone(optimizer):
    settings = {"l2": [0.01], "optimizer": [optimizer], "rate": [0.01]}
    tasks = fits(neurons=[3], dropout=[0.3], **settings)
    tasks += fits(neurons=[(5, 2)], dropout=[0.0], **settings)
    if optimizer == "nadam":
        tasks += fits(neurons=[6], dropout=[0.0, 0.3], **settings)
    shared = share_structures(tasks, always)
    structures_before_and_after = (structures(tasks), structures([one.task for one in shared]))
    assert structures_before_and_after == (len(tasks), 1)
    together = train_cohort([one.task for one in shared])
    for task, structure, trained in zip(tasks, shared, together, strict=True):
        (alone,) = train_cohort([task])
        found = structure.result(trained)
        np.testing.assert_allclose(found.trained.weights, alone.trained.weights, atol=1e-4)
        for mine, theirs in zip(found.trained.slots, alone.trained.slots, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-4)
        np.testing.assert_allclose(
            found.outcome.history["val_loss"], alone.outcome.history["val_loss"], rtol=1e-3
        )


def test_units_that_were_added_stay_zero():
    tasks = fits(neurons=[2, 9], activation=["tanh"])
    narrow, _ = (one.task for one in share_structures(tasks, always))
    ((result),) = train_cohort([narrow])
    assert np.count_nonzero(result.trained.weights) == len(tasks[0].start.weights)
    # One kernel of inputs x units, and two biases of hidden layers start at zero.
    assert len(result.trained.weights) > len(tasks[0].start.weights)


@pytest.mark.parametrize("activation", ["sigmoid", "softplus", "exponential", "hard_sigmoid"])
def test_an_activation_that_is_not_zero_at_zero_keeps_its_width(activation):
    tasks = fits(neurons=[2, 9], dropout=[0.0, 0.2], activation=[activation])
    assert structures([one.task for one in share_structures(tasks, always)]) == 2


def test_batch_normalisation_keeps_its_width():
    tasks = fits(neurons=[2, 9], batch_norm=[True])
    assert structures([one.task for one in share_structures(tasks, always)]) == 2


def test_other_activations_layers_outputs_and_optimizers_stay_apart():
    tasks = [
        *fits(activation=["relu", "tanh"], hidden_layers=[1, 2]),
        *fits(optimizer=["sgd", "adam"]),
    ]
    shared = share_structures(tasks, always)
    assert structures([one.task for one in shared]) == structures(tasks)


def test_nothing_is_shared_where_it_does_not_pay():
    tasks = fits(neurons=[3, 6])
    assert [one.task for one in share_structures(tasks, lambda own, shared: False)] == tasks


def test_a_wide_layer_is_not_imposed_on_a_large_narrow_population():
    few = fits(neurons=[3, 6])
    assert seconds_of([one.task for one in share_structures(few, always)]) < seconds_of(few)
    rows = {"training": training_rows(2000), "validation": validation_rows(400), "epochs": 200}
    narrow = [example(neurons=2, rate=0.001 * k, **rows).task for k in range(1, 60)]
    many = [*narrow, example(neurons=200, **rows).task]
    assert seconds_of([one.task for one in share_structures(many, always)]) > seconds_of(many)


def test_equal_members_are_still_trained_once():
    from skhp.training.cohort.cohort import Cohort

    task, other = fits(neurons=[3, 6])
    shared = [one.task for one in share_structures([task, task, other], always)]
    assert Cohort(shared).running == 2


def test_results_of_a_population_come_back_in_their_own_structure():
    tasks = fits(neurons=[3, 6], dropout=[0.0, 0.2])
    for number, result in train_population(tasks, PopulationOptions(), SilentProgress()):
        assert result.trained.weights.shape == tasks[number].start.weights.shape


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_zero_at_zero_is_what_the_activation_says(activation):
    import keras

    function = keras.activations.get(activation)
    value = float(keras.ops.convert_to_numpy(function(keras.ops.zeros((1, 1))))[0, 0])
    assert zero_at_zero(function) == (value == 0.0)
