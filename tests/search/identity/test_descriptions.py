import copy
import enum
import functools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from skhp.search.identity.descriptions import described, digest, parameters_text
from skhp.search.identity.value_descriptions import text_of, without_counters

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half a character cannot be written as UTF-8, and a "$" marks what is not plain.
    | st.text(st.characters(codec="utf-8", exclude_characters="$")),
    lambda inner: (
        st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="$")), inner, max_size=3)
    ),
    max_leaves=8,
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.tuples(inner, inner)
        | st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.booleans(), inner, max_size=3)
        | st.sampled_from([{"$list": []}, {"$float": "nan"}, {"$dict": [["a", 1]]}])
    ),
    max_leaves=8,
)


def as_json_reads(value):
    if isinstance(value, tuple):
        return list(map(as_json_reads, value))
    if isinstance(value, dict):
        return {name: as_json_reads(inner) for name, inner in value.items()}
    return value


def strict(value):
    """A form in which two values are equal only where types and bits are."""
    if isinstance(value, dict):
        pairs = [(strict(name), strict(inner)) for name, inner in value.items()]
        return "dict", sorted(pairs, key=repr)
    if isinstance(value, tuple | list):
        return type(value).__name__, [strict(inner) for inner in value]
    if isinstance(value, float) and math.isnan(value):
        return "float", "nan"
    return type(value).__name__, repr(value)


@given(st.dictionaries(st.text(st.characters(exclude_characters="$")), PLAIN))
def test_what_json_knows_comes_back_as_it_was(parameters):
    read = json.loads(parameters_text(parameters))
    assert strict(read) == strict(as_json_reads(parameters))


@given(ANY, ANY)
def test_two_values_share_a_text_only_where_they_are_equal(one, other):
    same = strict(one) == strict(other)
    assert (text_of(described(one)) == text_of(described(other))) == same
    assert text_of(described(one)) == text_of(described(copy.deepcopy(one)))
    text_of(described(one)).encode()


@given(st.integers(-(2**31), 2**31 - 1), st.floats(width=32), st.booleans(), st.text())
def test_numbers_of_numpy_are_those_of_python(integer, number, boolean, text):
    of_numpy = [np.int64(integer), np.float32(number), np.float64(number), np.bool_(boolean)]
    of_python = [integer, number, number, boolean]
    assert parameters_text({"a": of_numpy}) == parameters_text({"a": of_python})
    text = text.rstrip("\0")  # NumPy's texts end where only zeros follow.
    assert text_of(described(np.str_(text))) == text_of(described(text))


def test_the_order_of_names_does_not_count():
    assert parameters_text({"a": 1, "b": 2}) == parameters_text({"b": 2, "a": 1})
    assert digest({0: 1, "a": 2}) == digest({"a": 2, 0: 1})


class Colour(enum.Enum):
    RED = 1
    BLUE = 1.0j


class Plain:
    def __init__(self, value):
        self.value = value


class Unpicklable(Plain):
    def __reduce_ex__(self, protocol):
        raise TypeError("no pickle")


def doubled(x):
    return 2 * x


def times(factor):
    def multiply(x):
        return factor * x

    return multiply


def with_default(default):
    def add(x, y=default):
        return x + y

    return add


X = np.arange(12.0).reshape(4, 3)
FRAME = pandas.DataFrame({"a": [1, 2], "b": ["u", None]})
FITTED = LogisticRegression().fit(X, [0, 1, 0, 1])

# Each differs from all the others.
DIFFERENT = {
    "tuple": (1, 2),
    "list": [1, 2],
    "set": {1, 2},
    "set of texts": set("abcdefgh"),
    "text": "(1, 2)",
    "bytes": b"1",
    "complex": 1j,
    "enum": Colour.RED,
    "other of the enum": Colour.BLUE,
    "range": range(2),
    "slice": slice(1, 2),
    "function": doubled,
    "lambda": lambda x: 3 * x,
    "other lambda": lambda x: 4 * x,
    "closure": times(2),
    "closure over another": times(3),
    "default": with_default(1),
    "other default": with_default(2),
    "partial": functools.partial(doubled, 1),
    "other partial": functools.partial(doubled, 2),
    "builtin": len,
    "ufunc": np.sin,
    "method": "abc".upper,
    "class": Plain,
    "other class": Ridge,
    "object": Plain(1),
    "other object": Plain(2),
    "unpicklable": Unpicklable(1),
    "other unpicklable": Unpicklable(2),
    "longdouble": np.longdouble(1),
    "other longdouble": np.nextafter(np.longdouble(1), np.longdouble(2)),
    "longdoubles": np.array([1, 2], dtype=np.longdouble),
    "dtype": np.dtype("f4"),
    "generator": np.random.default_rng(0),
    "random state": np.random.RandomState(0),
    "other random state": np.random.RandomState(1),
    "global random state": check_random_state(None),
    "distribution": stats.uniform(0, 1),
    "other distribution": stats.uniform(0, 2),
    "time": np.datetime64("2024-01-01"),
    "timestamp": pandas.Timestamp("2024-01-01"),
    "missing": pandas.NA,
    "estimator": Ridge(),
    "parameter": Ridge(alpha=2.0),
    "output": StandardScaler().set_output(transform="pandas"),
    "no output": StandardScaler(),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
    "nested parameter": make_pipeline(StandardScaler(), Ridge(alpha=2.0)),
    "search": GridSearchCV(Ridge(), {"alpha": [1]}),
    "random search": RandomizedSearchCV(Ridge(), {"alpha": stats.uniform(0, 1)}),
    "frozen": FrozenEstimator(FITTED),
    "frozen otherwise": FrozenEstimator(LogisticRegression(C=0.1).fit(X, [0, 1, 0, 1])),
    "frozen after other rows": FrozenEstimator(LogisticRegression().fit(X, [0, 0, 1, 1])),
    "scorer": make_scorer(f1_score),
    "scorer of a class": make_scorer(f1_score, pos_label=2),
    "loss": make_scorer(f1_score, greater_is_better=False),
    "array": X,
    "shape": X.ravel(),
    "value": X + np.eye(4, 3),
    "dtype of array": X.astype(np.float32),
    "integers": X.astype(int),
    "objects": np.array([1, "1", None], dtype=object),
    "other objects": np.array(["1", 1, None], dtype=object),
    "parted objects": np.array(["a", "sb"], dtype=object),
    "objects parted elsewhere": np.array(["as", "b"], dtype=object),
    "strings": np.array(["a", "bc"]),
    "other strings": np.array(["ab", "c"]),
    "mask": np.ma.masked_array([1.0, 2.0], [True, False]),
    "other mask": np.ma.masked_array([1.0, 2.0], [False, True]),
    "records": np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "names of records": np.array([(1, 2.0)], dtype=[("a", int), ("c", float)]),
    "sparse": sparse.csr_matrix(X),
    "sparse by columns": sparse.csc_matrix(X),
    "sparse array": sparse.csr_array(X),
    "sparse value": sparse.csr_matrix(X + 1),
    "frame": FRAME,
    "names": FRAME.rename(columns={"a": "c"}),
    "order of columns": FRAME[["b", "a"]],
    "index": FRAME.set_axis([5, 6]),
    "column": FRAME["a"],
    "texts": FRAME.assign(b=["u", "v"]),
    "category": FRAME.assign(b=pandas.Categorical(["u", None])),
    "categories": FRAME.assign(b=pandas.Categorical(["u", None], ["v", "u"])),
    "ordered": FRAME.assign(b=pandas.Categorical(["u", None], ordered=True)),
    "nullable": FRAME.assign(a=pandas.array([1, None])),
    "whole nullable": FRAME.assign(a=pandas.array([1, 2])),
    "time zone": FRAME.assign(a=pandas.to_datetime([1, 2], utc=True)),
    "no time zone": FRAME.assign(a=pandas.to_datetime([1, 2])),
}


def with_wide_indices(matrix):
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indptr = matrix.indptr.astype(np.int64)
    return matrix


def test_different_things_differ():
    texts = {name: text_of(described(value)) for name, value in DIFFERENT.items()}
    by_text = {}
    for name, text in texts.items():
        by_text.setdefault(text, []).append(name)
    assert [names for names in by_text.values() if len(names) > 1] == []


def test_nothing_names_an_address():
    for name, value in DIFFERENT.items():
        assert " at 0x" not in text_of(described(value)), name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (times(2), times(2)),
        (with_default(1), with_default(1)),
        (Plain([1]), Plain([1])),
        (Unpicklable([1]), Unpicklable([1])),
        (FITTED, LogisticRegression()),
        (FrozenEstimator(FITTED), FrozenEstimator(copy.deepcopy(FITTED))),
        (Colour.RED, Colour(1)),
        (X, np.asfortranarray(X)),
        (X[::2], X[::2].copy()),
        (sparse.csr_matrix(X), sparse.csr_matrix(sparse.coo_matrix(X))),
        (sparse.csr_matrix(X), with_wide_indices(sparse.csr_matrix(X))),
        (FRAME, FRAME.copy()),
        (stats.uniform(0, 1), stats.uniform(0, 1)),
        (make_scorer(f1_score, pos_label=2), make_scorer(f1_score, pos_label=2)),
    ],
    # The same in every process that collects the tests.
    ids=lambda value: type(value).__name__,
)
def test_the_same_made_anew_is_the_same(one, other):
    assert text_of(described(one)) == text_of(described(other))


def test_a_distribution_stays_itself_while_numpy_draws():
    before = digest(stats.uniform(0, 1))
    stats.uniform(0, 1).rvs()
    assert digest(stats.uniform(0, 1)) == before


def test_what_holds_itself_has_an_end():
    own = [1]
    own.append(own)
    other = [1, [1]]
    thing = Plain(None)
    thing.value = thing
    assert digest(own) != digest(other)
    assert digest(thing) != digest(Plain(None))


def method_class(body):
    scope = {"Ridge": Ridge, "__name__": "mine"}
    exec(f"class Mine(Ridge):\n    def fit(self, X, y):\n        {body}", scope)
    return scope["Mine"]


def test_an_estimator_of_ones_own_counts_by_its_code():
    one, same, other = map(method_class, ("return self", "return self", "return super().fit(X, y)"))
    assert digest(one()) == digest(same())
    assert digest(one()) != digest(other())
    assert digest(one) != digest(other)


def test_code_of_the_recorded_packages_counts_by_name():
    assert described(f1_score) == {"$function": "sklearn.metrics._classification.f1_score"}
    assert described(PCA) == {"$class": "sklearn.decomposition._pca.PCA"}


def test_another_process_finds_the_same():
    code = (
        "import sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        "from tests.search.identity.test_descriptions import DIFFERENT\n"
        "from skhp.search.identity.descriptions import digest\n"
        "print(*map(digest, DIFFERENT.values()))"
    )
    # Sets of texts have another order with another seed.
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    there = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    here = list(map(digest, DIFFERENT.values()))
    differing = [name for k, name in enumerate(DIFFERENT) if here[k] != there[k]]
    assert differing == []
    assert len(here) == len(there)


def test_networks_count_by_configuration_and_weights():
    keras = pytest.importorskip("keras")

    def network(value=1.0, units=2, activation="relu", optimizer="adam"):
        inputs = keras.Input((3,))
        hidden = keras.layers.Dense(2, activation, kernel_initializer="zeros")
        outputs = keras.layers.Dense(units, kernel_initializer="zeros")
        model = keras.Model(inputs, outputs(hidden(inputs)))
        hidden.bias.assign([value, value])
        model.compile(optimizer, "mse")
        return model

    class Own(keras.Model):
        def __init__(self, network):
            super().__init__()
            self.network = network

    # The names that Keras makes up count up with every one of these.
    made = [
        network,
        lambda: network(value=2.0),
        lambda: network(units=3),
        lambda: network(activation="tanh"),
        lambda: network(optimizer="sgd"),
        lambda: network(optimizer=keras.optimizers.Adam(0.1)),
        lambda: keras.optimizers.Adam(0.1),
        lambda: keras.optimizers.Adam(0.2),
        lambda: keras.losses.BinaryCrossentropy(label_smoothing=0.1),
        lambda: keras.losses.BinaryCrossentropy(),
        lambda: keras.callbacks.EarlyStopping(patience=3),
        lambda: keras.callbacks.EarlyStopping(patience=4),
        lambda: Own(network()),
        lambda: Own(network(value=2.0)),
    ]
    digests = [[digest(make()) for make in made] for _ in range(2)]
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(made)


def test_a_shared_layer_is_told_from_two_layers():
    def configuration(*names):
        layers = [{"class_name": "Dense", "config": {"name": name}} for name in names]
        return {"layers": layers, "output": [names[-1], 0], "name": "model_8"}

    same = without_counters(configuration("dense_4", "dense_5"))
    assert same == without_counters(configuration("dense", "dense_1"))
    assert same["output"] == ["dense#1", 0]
    assert same != without_counters(configuration("dense_4", "dense_4"))
    assert same != without_counters(configuration("other_4", "other_5"))
