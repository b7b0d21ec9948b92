"""Members that saw the same rows: computed together, each as if it were alone."""

import copy
import gc
import pickle
import threading
import weakref

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skhp import KerasMLPClassifier
from skhp.networks.predictions import predicted_logits
from skhp.training import trained_network as shared_outputs
from skhp.training.trained_network import MemberWeights, SharedOutputs, TrainedNetwork

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), np.arange(40) % 3
    return KerasMLPClassifier(neurons=7, epochs=1, random_state=0).fit(X, y)._trained_network


@pytest.fixture
def members(network):
    rng = np.random.default_rng(1)
    size = network.member.weights.size
    return [
        MemberWeights(rng.normal(size=size).astype(np.float32), network.member.state)
        for _ in range(6)
    ]


@pytest.fixture
def together(monkeypatch):
    """How many rows were computed for all shared_outputs at once, call by call."""
    calls = []
    original = shared_outputs.predicted_logits_of_members

    def counted(network, weights, states, X):
        calls.append(len(X))
        return original(network, weights, states, X)

    monkeypatch.setattr(shared_outputs, "predicted_logits_of_members", counted)
    return calls


def rows_of(n_rows, seed=2):
    return np.random.default_rng(seed).normal(size=(n_rows, 5)).astype(np.float32)


def alone(network, member, X):
    return predicted_logits(network.network, member.weights, member.state, X)


@pytest.mark.parametrize("n_rows", [1, 31, 32, 100])
def test_each_has_the_outputs_that_it_has_alone_bit_by_bit(network, members, together, n_rows):
    X, family = rows_of(n_rows), SharedOutputs(members)
    for member in reversed(members):
        found = family.logits(network.network, member, X.copy())
        np.testing.assert_array_equal(found, alone(network, member, X))
    assert together == [n_rows]


def test_several_kinds_of_rows_are_kept_apart(network, members, together):
    kinds, family = [rows_of(20), rows_of(20, seed=3), rows_of(30)], SharedOutputs(members)
    for member in members:
        for X in kinds:
            found = family.logits(network.network, member, X)
            np.testing.assert_array_equal(found, alone(network, member, X))
    assert together == [20, 20, 30]


def test_rows_that_only_another_asks_for_are_computed_for_it_alone(network, members, together):
    family = SharedOutputs(members)
    family.logits(network.network, members[0], rows_of(20))
    for number, member in enumerate(members[1:]):
        X = rows_of(11, seed=10 + number)
        np.testing.assert_array_equal(
            family.logits(network.network, member, X), alone(network, member, X)
        )
    assert together == [20]


def test_ever_new_rows_are_not_computed_for_all_each_time(network, members, together):
    family = SharedOutputs(members)
    for seed in range(20):
        X = rows_of(9, seed)
        np.testing.assert_array_equal(
            family.logits(network.network, members[0], X), alone(network, members[0], X)
        )
    assert len(together) == 3


def test_rows_that_were_changed_in_place_are_other_rows(network, members):
    X, family = rows_of(20), SharedOutputs(members)
    family.logits(network.network, members[0], X)
    X += 1.0
    np.testing.assert_array_equal(
        family.logits(network.network, members[1], X), alone(network, members[1], X)
    )


def test_outputs_belong_to_who_asked_for_them(network, members):
    X, family = rows_of(20), SharedOutputs(members)
    for _ in range(2):
        outputs = family.logits(network.network, members[0], X)
        np.testing.assert_array_equal(outputs, alone(network, members[0], X))
        outputs[:] = 0.0


def test_a_stranger_is_computed_alone(network, members, together):
    stranger, X = MemberWeights(members[0].weights + 1, members[0].state), rows_of(20)
    found = SharedOutputs(members).logits(network.network, stranger, X)
    np.testing.assert_array_equal(found, alone(network, stranger, X))
    assert together == []


def test_too_many_outputs_are_not_kept(network, members, together, monkeypatch):
    monkeypatch.setattr(shared_outputs, "_MOST_NUMBERS", 6 * 20 * 3 - 1)
    X, family = rows_of(20), SharedOutputs(members)
    np.testing.assert_array_equal(
        family.logits(network.network, members[0], X), alone(network, members[0], X)
    )
    assert together == []


def test_threads_may_ask_at_once(network, members, together):
    X, family = rows_of(50), SharedOutputs(members)
    found = {}

    def ask(number):
        found[number] = family.logits(network.network, members[number], X)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(members))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [50]
    for number, member in enumerate(members):
        np.testing.assert_array_equal(found[number], alone(network, member, X))


def test_a_network_outlives_its_siblings(network, members):
    family = SharedOutputs(members)
    one = TrainedNetwork(network.description, network.objective, members[0], shared_outputs=family)
    X = rows_of(20)
    expected = one.logits(X)
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        np.testing.assert_array_equal(copied.logits(X), expected)
    kept = weakref.ref(family)
    del family
    gc.collect()
    assert kept() is None
    np.testing.assert_array_equal(one.logits(X), expected)


def test_a_model_that_was_asked_for_is_what_predicts(network, members):
    family = SharedOutputs(members)
    one = TrainedNetwork(network.description, network.objective, members[0], shared_outputs=family)
    X = rows_of(20)
    before = one.logits(X)
    one.model.trainable_variables[-1].assign_add([1.0, 0.0, 0.0])
    np.testing.assert_allclose(one.logits(X) - before, [[1.0, 0.0, 0.0]] * 20, atol=1e-5)


def test_a_search_computes_the_outputs_of_each_fold_once(together):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.arange(60) % 2
    network = KerasMLPClassifier(neurons=3, epochs=2, random_state=0)
    rates = {"learning_rate": [0.1, 0.01, 0.001]}
    search = GridSearchCV(network, rates, cv=3, refit=False, return_train_score=True)
    with joblib.parallel_config(backend="skhp"):
        together_scored = search.fit(X, y).cv_results_
    assert sorted(together) == [20] * 3 + [40] * 3
    one_by_one = search.fit(X, y).cv_results_
    for name in ("mean_test_score", "mean_train_score"):
        np.testing.assert_array_equal(together_scored[name], one_by_one[name])


def test_large_networks_have_no_siblings(together, monkeypatch):
    monkeypatch.setattr(shared_outputs, "_MOST_NUMBERS", 2 * (4 * 3 + 3 + 3 + 1) - 1)
    rng = np.random.default_rng(0)
    network = KerasMLPClassifier(neurons=3, epochs=2, random_state=0)
    search = GridSearchCV(network, {"learning_rate": [0.1, 0.01]}, cv=2, refit=False)
    with joblib.parallel_config(backend="skhp"):
        search.fit(rng.normal(size=(60, 4)), np.arange(60) % 2)
    assert together == []
