"""Any parameters on any rows: an error with a message, or predictions that can be right."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from skhp import (
    KerasCNNClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRNNClassifier,
    KerasRNNRegressor,
)

WRONG = st.sampled_from(
    [
        *(None, "", "auto", "x", "tune", "1e309", b"1", -1, 0, 1.5, 10**30, True),
        *(float("nan"), float("inf"), np.int64(2), np.float32(0.5), np.array([2])),
        *((), [[]], {}, object(), int),
    ]
)
# Few values of what decides the structure, as each structure is traced anew.
RIGHT = {
    "hidden_layers": st.sampled_from([1, "auto"]),
    "neurons": st.sampled_from([2, (2,)]),
    "activation": st.just("relu"),
    "dropout": st.sampled_from([0.0, 0.3]),
    "l2": st.sampled_from([0.0, 0.1, 1e30]),
    "optimizer": st.sampled_from(["sgd", "adam"]),
    "learning_rate": st.sampled_from([1e-3, 0.1, 1e-300, 1e30]),
    "lr_schedule": st.sampled_from([None, "step", {"kind": "step", "every": 1}]),
    "batch_size": st.sampled_from([4, "full"]),
    "early_stopping": st.booleans(),
    "patience": st.sampled_from([1, 10]),
    "min_delta": st.sampled_from([0.0, 1e300]),
    "monitor": st.just("val_loss"),
    "validation_fraction": st.sampled_from([0.2, 0.999, 1e-9]),
    "validation_rows": st.sampled_from(["random", "last"]),
    "max_memory": st.sampled_from([None, "2GB", 10**9, "1KB"]),
    "random_state": st.sampled_from([0, None, 2**32 - 1]),
    "class_weight": st.sampled_from([None, "balanced", {0: 1.0, 1: 1e30}, {0: 0.0}]),
    "threshold": st.sampled_from([0.5, "tune", 0.01]),
    "scale_target": st.booleans(),
    "time_steps": st.sampled_from([None, 2]),
    "embedding_dim": st.sampled_from([None, 2]),
    "filters": st.just(2),
    "image_shape": st.sampled_from([None, (2, 2)]),
}
NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 0.5, 1e-40, 1e30, -1e38, 3e38, 1e39, 1e300, np.nan, np.inf, -np.inf, 2**31, 2**63]
)
TAME = st.floats(-3, 3, width=32)
MISTAKES = (ValueError, TypeError)


@st.composite
def arrays(draw, n_rows, form, tame):
    """Rows of the form of an estimator, or of nearly that form."""
    shape = (n_rows, *draw(form))
    size = int(np.prod(shape))
    values = draw(st.lists(TAME if tame else TAME | NUMBERS, min_size=size, max_size=size))
    array = np.array(values, dtype=np.float64).reshape(shape)
    if tame:
        return array
    kind = draw(
        st.sampled_from(
            ["plain"] * 4
            + ["int", "float32", "text", "object", "list", "bool"]
            + ["sparse", "complex", "date", "bytes", "masked"]
        )
    )
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        if kind == "sparse" and array.ndim == 2:
            return sparse.csr_matrix(array)
        if kind == "list":
            return array.tolist()
        if kind == "masked":
            return np.ma.masked_invalid(array)
        dtype = {"int": np.int64, "float32": np.float32, "text": str, "object": object}
        dtype |= {"bool": bool, "complex": complex, "date": "M8[s]", "bytes": "S5"}
        return array.astype(dtype[kind]) if kind in dtype and kind != "date" else array


@st.composite
def targets(draw, n_rows, of_classes, tame):
    labels = st.sampled_from(
        [[0, 1], [0, 1, 2], ["a", "b"], [True, False], [0.5, 1.5], [1], [None, "a"], [-1, 1, 2**40]]
        if not tame
        else [[0, 1], ["a", "b"]]
    )
    if of_classes:
        choices = draw(labels)
        picked = draw(st.lists(st.sampled_from(choices), min_size=n_rows, max_size=n_rows))
        if tame:
            picked[:4] = choices * 2
        return np.array(picked, dtype=object if None in choices else None)
    numbers = TAME if tame else TAME | NUMBERS
    return np.array(draw(st.lists(numbers, min_size=n_rows, max_size=n_rows)), dtype=np.float64)


@st.composite
def cases(draw, kind, form):
    names = sorted(RIGHT.keys() & kind().get_params(deep=False).keys())
    parameters = {name: draw(RIGHT[name]) for name in draw(st.sets(st.sampled_from(names)))}
    # At most one mistake among the parameters, else hardly any example would train.
    if draw(st.integers(0, 5)) == 0:
        known = sorted(kind().get_params(deep=False))
        parameters[draw(st.sampled_from(known))] = draw(WRONG)
    tame = draw(st.integers(0, 3)) > 0
    n_rows = draw(st.integers(8, 12) if tame else st.integers(0, 12))
    rows = draw(arrays(n_rows, form, tame))
    target = draw(targets(n_rows, kind.__name__.endswith("Classifier"), tame))
    weight = draw(st.sampled_from([None] * 6 + ["ones", "zeros", "wild", "short"]))
    weights = {
        "ones": np.ones(n_rows),
        "zeros": np.zeros(n_rows),
        "wild": np.array([*[1e300, -1.0, np.nan, 0.0] * 3][:n_rows]),
        "short": np.ones(max(n_rows - 1, 0)),
    }
    return parameters, rows, target, weights.get(weight)


FORMS = {
    KerasMLPClassifier: st.sampled_from([(3,)] * 6 + [(0,), (), (3, 1), (1,)]),
    KerasMLPRegressor: st.sampled_from([(3,)] * 6 + [(0,), (), (3, 1), (1,)]),
    KerasRNNClassifier: st.sampled_from([(4, 1)] * 5 + [(4,), (1, 0), (0,), (4, 1, 1)]),
    KerasRNNRegressor: st.sampled_from([(4, 1)] * 5 + [(4,), (1, 0), (0,), (4, 1, 1)]),
    KerasCNNClassifier: st.sampled_from([(4, 4, 1)] * 5 + [(4,), (4, 4), (0, 4, 1), (4, 4, 0)]),
}
SMALL = {
    KerasRNNClassifier: {"cell": "simple", "neurons": 2},
    KerasRNNRegressor: {"cell": "simple", "neurons": 2},
    KerasCNNClassifier: {"filters": 2, "neurons": 2, "hidden_layers": 1},
    KerasMLPClassifier: {"neurons": 2},
    KerasMLPRegressor: {"neurons": 2},
}


# The estimators that were trained, and not refused.
TRAINED: list[type] = []


def check(kind, case):
    parameters, rows, target, weight = case
    with warnings.catch_warnings(action="ignore"):
        try:
            network = kind(**{**SMALL[kind], "epochs": 1, **parameters})
            network.fit(rows, target, sample_weight=weight)
            predicted = network.predict(rows)
        except MISTAKES as error:
            told = str(error).strip()
        else:
            told = None
            TRAINED.append(kind)
    if told is not None:
        assert told
        return
    n_rows = rows.shape[0] if hasattr(rows, "shape") else len(rows)
    assert predicted.shape[0] == n_rows
    if hasattr(network, "classes_"):
        assert np.isin(predicted, network.classes_).all()
        assert set(network.classes_.tolist()) <= set(np.asarray(target).tolist())
        probabilities = network.predict_proba(rows)
        assert probabilities.shape == (n_rows, len(network.classes_))
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    else:
        assert predicted.shape == np.shape(target)
        assert np.isfinite(predicted).all()
    assert 0 <= network.best_epoch_ <= network.n_iter_ <= network.epochs
    assert len(network.history_["loss"]) == network.n_iter_


def fuzzed(kind, examples):
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(kind, FORMS[kind]))
    def run(case):
        check(kind, case)

    run()


@pytest.mark.parametrize("kind", [KerasMLPClassifier, KerasMLPRegressor])
def test_any_parameters_on_any_rows(kind):
    fuzzed(kind, 25)
    # Examples that all end in an error would show little.
    assert TRAINED.count(kind) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMS)
def test_many_parameters_on_many_rows(kind):
    fuzzed(kind, 150)


def test_a_network_that_has_gone_beyond_all_numbers_predicts_nothing():
    # The fuzz test found it: the last update of a fit is not followed by a loss.
    rows = np.linspace(-3, 3, 24).reshape(8, 3)
    target = np.array([0, 1] * 4)
    network = KerasMLPClassifier(
        neurons=4, epochs=1, learning_rate=1e30, early_stopping=False, random_state=1
    ).fit(rows, target)
    assert np.isfinite(network.history_["loss"]).all()
    with pytest.raises(ValueError, match="learning_rate"):
        network.predict_proba(rows)
