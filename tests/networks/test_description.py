import dataclasses
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.exceptions import InvalidParameterError
from skhp.networks.build import build_network, initial_network, network_of, numbers_of
from skhp.networks.description import (
    NetworkDescription,
    automatic_neurons,
    layer_sizes,
    multilayer_perceptron,
    network_size,
)
from skhp.networks.layered_network import layered_network
from skhp.networks.layers import (
    ACTIVATIONS,
    ActivationDescription,
    BatchNormalizationDescription,
    DenseDescription,
    DropoutDescription,
)
from skhp.networks.network import flattened, network_numbers, unflattened

SIZES = st.lists(st.integers(1, 500), max_size=6)


def description(**changes):
    parameters = {
        "n_inputs": 10,
        "n_outputs": 3,
        "output": "multiclass",
        "hidden_layers": 2,
        "neurons": (8, 4),
        "activation": "relu",
        "batch_norm": False,
        "dropout": 0.0,
        "l2": 0.0,
    }
    return multilayer_perceptron(**parameters | changes)


@settings(deadline=None)
@given(st.integers(1, 10**6))
def test_automatic_neurons_are_two_thirds_of_the_inputs_and_at_least_two(n_inputs):
    neurons = automatic_neurons(n_inputs)
    assert neurons >= 2
    if n_inputs >= 3:
        assert neurons <= n_inputs * 2 / 3 < neurons + 1


@pytest.mark.parametrize(
    ("n_inputs", "neurons"), [(1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (30, 20)]
)
def test_automatic_neurons_of_small_tables(n_inputs, neurons):
    assert automatic_neurons(n_inputs) == neurons


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(1, 500), st.integers(1, 100))
def test_one_number_is_the_size_of_every_layer(hidden_layers, neurons, n_inputs):
    assert layer_sizes(hidden_layers, neurons, n_inputs) == (neurons,) * hidden_layers


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(1, 100))
def test_auto_gives_every_layer_the_automatic_number(hidden_layers, n_inputs):
    expected = (automatic_neurons(n_inputs),) * hidden_layers
    assert layer_sizes(hidden_layers, "auto", n_inputs) == expected


@settings(deadline=None)
@given(SIZES)
def test_a_list_a_tuple_and_an_array_mean_the_same(sizes):
    expected = tuple(sizes)
    assert layer_sizes(len(sizes), sizes, n_inputs=5) == expected
    assert layer_sizes(len(sizes), expected, n_inputs=5) == expected
    assert layer_sizes(len(sizes), np.array(sizes, dtype=np.int32), n_inputs=5) == expected


@settings(deadline=None)
@given(SIZES.filter(bool))
def test_sizes_are_plain_ints(sizes):
    from_array = layer_sizes(len(sizes), np.array(sizes), n_inputs=5)
    from_numpy_integer = layer_sizes(2, np.int64(sizes[0]), n_inputs=5)
    assert {type(size) for size in from_array + from_numpy_integer} == {int}


@settings(deadline=None)
@given(SIZES, st.integers(0, 6))
def test_another_number_of_sizes_than_layers_is_refused_with_both_numbers(sizes, hidden_layers):
    if len(sizes) == hidden_layers:
        hidden_layers += 1
    with pytest.raises(InvalidParameterError) as error:
        layer_sizes(hidden_layers, sizes, n_inputs=5)
    entries = "1 entry" if len(sizes) == 1 else f"{len(sizes)} entries"
    assert f"has {entries}, but" in str(error.value)
    assert f"hidden_layers={hidden_layers}" in str(error.value)


@settings(deadline=None)
@given(SIZES, st.integers(1, 500), st.integers(1, 100))
def test_as_many_layers_as_there_are_sizes_and_otherwise_one(sizes, neurons, n_inputs):
    assert layer_sizes("auto", sizes, n_inputs) == tuple(sizes)
    assert layer_sizes("auto", neurons, n_inputs) == (neurons,)
    assert layer_sizes("auto", "auto", n_inputs) == (automatic_neurons(n_inputs),)


@pytest.mark.parametrize(
    "wrong", [0, -3, 2.0, 2.5, True, False, None, "8", np.float64(4), np.True_, (4,), math.nan]
)
@pytest.mark.parametrize("place", [0, 1])
def test_anything_but_whole_numbers_from_one_up_is_refused_by_name(wrong, place):
    neurons = [5, 5]
    neurons[place] = wrong
    with pytest.raises(InvalidParameterError, match="each layer needs a whole number") as error:
        layer_sizes(2, neurons, n_inputs=5)
    assert f"holds {wrong!r};" in str(error.value)


@pytest.mark.parametrize("neurons", [True, np.array(5), np.float64(4)])
def test_a_value_that_is_not_a_number_of_neurons_is_refused(neurons):
    with pytest.raises(InvalidParameterError, match="neurons must be a whole number"):
        layer_sizes(2, neurons, n_inputs=5)


@pytest.mark.parametrize("neurons", [np.array([4.0, 4.0]), np.array([[4, 4], [4, 4]])])
def test_arrays_of_other_numbers_or_more_dimensions_are_refused(neurons):
    with pytest.raises(InvalidParameterError, match="each layer needs a whole number"):
        layer_sizes(2, neurons, n_inputs=5)


def test_the_mistake_in_a_size_is_told_before_the_mistake_in_the_length():
    with pytest.raises(InvalidParameterError, match="holds 0"):
        layer_sizes(3, (4, 0), n_inputs=5)


def test_a_network_without_hidden_layers_has_no_sizes():
    assert layer_sizes(0, "auto", n_inputs=7) == ()
    assert layer_sizes(0, (), n_inputs=7) == ()


def test_a_perceptron_is_a_tuple_of_its_layers():
    made = description(dropout=0.25, l2=1e-3, batch_norm=True, neurons="auto")
    assert made.input_shape == (10,)
    assert made.output == "multiclass"
    hidden = (
        DenseDescription(6, use_bias=False, l2=1e-3),
        BatchNormalizationDescription(),
        ActivationDescription("relu"),
        DropoutDescription(0.25),
    )
    assert made.layers == (*hidden, *hidden, DenseDescription(3, l2=1e-3))
    activation = ActivationDescription("relu")
    assert description().layers == (
        *(DenseDescription(8), activation, DenseDescription(4), activation),
        DenseDescription(3),
    )


def test_a_structure_holds_all_but_the_numbers():
    made = description(dropout=0.25, l2=1e-3)
    assert made.structure == description(dropout=0.5)
    assert made.structure.structure == made.structure


def test_descriptions_are_frozen():
    made = description()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.output = "binary"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.layers[0].units = 3


def test_the_last_layer_of_a_regression_network_has_no_activation():
    layers = (DenseDescription(1), ActivationDescription("relu"))
    with pytest.raises(InvalidParameterError, match=r"function='relu'.*an activation; end with"):
        network_of(NetworkDescription((2,), layers, "regression"))


KINDS = {
    "plain": {},
    "linear": {"activation": "linear", "output": "regression"},
    "all kinds": {"batch_norm": True, "dropout": 0.3, "l2": 0.02},
    "dropout": {"dropout": 0.3, "output": "binary", "n_outputs": 1},
    "no hidden layer": {"hidden_layers": 0, "neurons": ()},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_walk_tells_what_the_keras_model_of_it_is(kind):
    described = description(**KINDS[kind])
    model = build_network(described, 3)
    assert network_of(described) == layered_network(model)
    assert numbers_of(described) == network_numbers(model)
    assert network_size(described).weights == sum(
        math.prod(weight.shape) for weight in model.weights if "seed" not in weight.path
    )
    initial = initial_network(described, 3)
    for values, variables in (
        (initial.weights, model.trainable_variables),
        (initial.state, model.non_trainable_weights),
    ):
        assert np.array_equal(values, flattened([variable.numpy() for variable in variables]))


def test_networks_of_one_structure_are_one_object():
    one, other = description(dropout=0.2), description(dropout=0.4, l2=0.1)
    assert network_of(one) is network_of(other)
    assert initial_network(one, 3) is initial_network(other, 3)


@pytest.mark.parametrize("changes", [{}, {"batch_norm": True, "dropout": 0.3}])
def test_every_second_number_of_the_seed_draws_a_kernel(changes):
    # So that weights stay those of networks that were trained before layers were a tuple.
    states = np.random.SeedSequence(5).generate_state(2 * 2 + 1)
    shapes = [(10, 8), (8, 4), (4, 3)]
    expected = [
        keras.initializers.GlorotUniform(int(state) & 0x7FFFFFFF)(shape).numpy()
        for state, shape in zip(states[::2], shapes, strict=True)
    ]
    initial = initial_network(description(**changes), 5)
    arrays = unflattened(initial.weights, initial.network.weight_shapes)
    kernels = [array for array in arrays if array.ndim == 2]
    for kernel, drawn in zip(kernels, expected, strict=True):
        assert np.array_equal(kernel, drawn)


def test_the_noise_of_dropout_is_drawn_by_the_numbers_between():
    states = np.random.SeedSequence(5).generate_state(4)
    layers = build_network(description(dropout=0.5), 5).layers
    seeds = [layer.seed for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert seeds == [int(state) & 0x7FFFFFFF for state in states[1::2]]


def test_equal_parameters_give_one_cohort_whatever_their_types():
    plain = description(batch_norm=True, neurons=(8, 4), dropout=0.5)
    from_numpy = description(
        batch_norm=np.True_, neurons=np.array([8, 4]), dropout=np.float32(0.5), l2=0
    )
    assert plain == from_numpy
    assert len({plain.structure: 1, from_numpy.structure: 2}) == 1
    assert hash(plain) == hash(from_numpy)
    assert repr(plain) == repr(from_numpy)


def test_numbers_that_keep_the_program_keep_the_cohort():
    one = description(dropout=0.2, l2=1e-4)
    other = description(dropout=0.5, l2=1e-2)
    assert one.structure == other.structure
    assert one != other


@pytest.mark.parametrize(
    "change",
    [
        {"n_inputs": 11},
        {"n_outputs": 4},
        {"output": "regression"},
        {"neurons": (4, 8)},
        {"neurons": (8,), "hidden_layers": 1},
        {"activation": "tanh"},
        {"batch_norm": True},
        {"dropout": 0.1},
    ],
)
def test_whatever_changes_the_program_changes_the_cohort(change):
    assert description(**change).structure != description().structure


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_keras_knows_every_activation(activation):
    values = keras.activations.get(activation)(np.array([[-1.0, 0.0, 2.0]], dtype=np.float32))
    assert np.isfinite(np.array(values)).all()
