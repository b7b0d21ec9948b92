"""The suggested search space follows its rules and runs as it is."""

import copy
import math
import pickle

import joblib
import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV, ParameterGrid, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from skhp import (
    KerasClassifier,
    KerasCNNClassifier,
    KerasCNNRegressor,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRegressor,
)
from skhp.exceptions import InvalidParameterError
from skhp.search.space import perceptron_space
from skhp.search.space.bayesian_space import for_bayes
from skhp.search.space.linear_check import LinearCheck, check_linear
from skhp.search.space.space_reading import for_random
from skhp.search.space.suggested_space import SuggestedSpace, suggest_search_space
from skhp.search.tpe import for_tpe

pytestmark = pytest.mark.slow

LEVELS = ["quick", "normal", "thorough"]


def linear_table(n_rows=300, n_columns=6, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, n_columns))
    return X, X @ np.arange(1.0, n_columns + 1) + random.normal(size=n_rows)


def curved_table(n_rows=300, n_columns=6, seed=0):
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, size=(n_rows, n_columns))
    return X, np.sign(X[:, 0] * X[:, 1]) + 0.1 * random.normal(size=n_rows)


def classes(table, names=("no", "yes")):
    X, y = table
    return X, np.array(names)[(y > np.median(y)).astype(int)]


def size(space):
    return len(ParameterGrid(space))


# ---------------------------------------------------------------- the linear check


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_model_is_enough_for_a_linear_table_only(seed):
    for table, enough in ((linear_table(seed=seed), True), (curved_table(seed=seed), False)):
        assert check_linear(*table, classification=False).is_enough == enough
        assert check_linear(*classes(table), classification=True).is_enough == enough


def test_the_scores_of_the_check_are_those_of_the_field():
    X, y = linear_table()
    check = check_linear(X, y, classification=False)
    noise = 1 / (1 + np.sum(np.arange(1.0, 7) ** 2))
    assert check.metric == "R²"
    assert check.linear_score == pytest.approx(1 - noise, abs=0.01)
    assert (check.n_rows, check.n_folds) == (300, 5)
    # A coin: nobody ranks it better than by chance.
    coin = np.random.default_rng(0).integers(2, size=300)
    check = check_linear(X, coin, classification=True)
    assert check.metric == "ROC AUC"
    assert check.linear_score == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("linear", "enough"), [(0.95, True), (0.9, True), (0.88, True), (0.86, False)]
)
def test_one_standard_error_below_is_enough(linear, enough):
    check = LinearCheck("R²", 100, 5, linear, 0.9, "nearest neighbours", standard_error=0.03)
    assert check.is_enough == enough


def test_few_rows_of_a_class_make_fewer_folds_or_none():
    X, _ = linear_table(50)
    for rare, folds in ((3, 3), (2, 2)):
        y = np.array(["common"] * (50 - rare) + ["rare"] * rare)
        assert check_linear(X, y, classification=True).n_folds == folds
    y = np.array(["common"] * 49 + ["rare"])
    assert check_linear(X, y, classification=True) is None
    assert check_linear(X[:3], np.arange(3.0), classification=False) is None


def test_the_check_takes_three_classes_and_several_targets():
    X, y = linear_table()
    three = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    assert 0.8 < check_linear(X, three, classification=True).linear_score <= 1
    check = check_linear(X, np.column_stack([y, -y]), classification=False)
    assert check.other_name == "nearest neighbours"
    assert check.is_enough


# ---------------------------------------------------------------- the rules


def test_the_space_of_an_example():
    X, y = classes(curved_table(1000, 9))
    space = suggest_search_space(KerasMLPClassifier(), X, y)
    assert space == {
        "hidden_layers": [1, 2],
        "neurons": [6, 64, 256],
        "learning_rate": [0.03, 0.003, 0.0003],
        "batch_size": [16, 64],
        "early_stopping": [True, False],
        "lr_schedule": ["cosine"],
        "monitor": ["val_average_precision"],
        "patience": [40],
    }
    assert "two thirds of the 9 inputs; and 64 and 256" in space.why()["neurons"]
    three = suggest_search_space(KerasMLPClassifier(), X, np.arange(1000) % 3)
    assert set(space) - set(three) == {"monitor", "patience"}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("table", [linear_table, curved_table])
@pytest.mark.parametrize("n_rows", [60, 1000])
def test_sizes_bounds_and_plain_values(level, table, n_rows):
    X, y = table(n_rows, 12)
    space = suggest_search_space(KerasMLPRegressor(), X, y, level=level)
    least, most = {"quick": (10, 20), "normal": (50, 150), "thorough": (200, 1000)}[level]
    assert least <= size(space) <= most
    assert space["hidden_layers"][-2:] == (
        [0, 1] if 0 in space["hidden_layers"] and level == "quick" else [1, 2]
    )
    if n_rows == 1000:
        assert (0 in space["hidden_layers"]) == (table is linear_table)
    assert 8 in space["neurons"]
    assert min(space["neurons"]) >= 2
    assert max(space["neurons"]) == 256
    assert space["early_stopping"] == [True, False]
    assert 1e-5 <= min(space["learning_rate"]) <= max(space["learning_rate"]) <= 0.1
    steps = np.diff(np.log10(space["learning_rate"]))
    np.testing.assert_allclose(steps, steps[0], atol=0.02)
    assert max(space["batch_size"]) <= n_rows * 0.8 * 0.8
    # 60 rows: 38 to learn from in a fold, for 12 inputs.
    assert ("dropout" in space) == (n_rows == 60 or level == "thorough")
    assert ("l2" in space) == (n_rows == 60 and level != "quick")
    for values in space.values():
        assert type(values) is list
        assert all(type(value) in (int, float, bool, str) for value in values)
        assert len(set(values)) == len(values)


def test_batches_fit_the_rows_of_a_fold():
    X, y = linear_table(30, 2)
    space = suggest_search_space(KerasMLPRegressor(), X, y, level="thorough")
    assert space["batch_size"] == [16, 19]
    without = KerasMLPRegressor(early_stopping=False)
    assert suggest_search_space(without, X, y, level="thorough")["batch_size"] == [16, 24]


@pytest.mark.parametrize(
    ("n_columns", "neurons"),
    [(1, [2, 256]), (30, [20, 256]), (384, [256]), (900, [256, 512])],
)
def test_neurons_of_few_and_of_many_inputs(n_columns, neurons, monkeypatch):
    monkeypatch.setattr(perceptron_space, "check_linear", lambda *_, **__: None)
    X, y = np.zeros((10_000, n_columns)), np.zeros(10_000)
    space = suggest_search_space(KerasMLPRegressor(), X, y, level="quick")
    assert space["neurons"] == neurons


def test_large_tables_are_checked_on_a_part(monkeypatch):
    seen = []

    def check(X, y, *, classification):
        seen.append((X.shape, np.mean(y == "yes")))

    monkeypatch.setattr(perceptron_space, "check_linear", check)
    X = np.zeros((100_000, 4))
    y = np.where(np.arange(100_000) % 40 == 0, "yes", "no")
    space = suggest_search_space(KerasMLPClassifier(), X, y, level="quick")
    assert seen == [((2000, 4), 0.025)]
    assert space["hidden_layers"] == [1, 2]
    assert "Too few rows" in space.why()["hidden_layers"]


def test_the_inputs_are_those_behind_the_preparation():
    X, y = curved_table(400, 3)
    table = np.column_stack([X, np.arange(400) % 9]).astype(object)
    columns = make_column_transformer(
        (StandardScaler(), [0, 1, 2]), (OneHotEncoder(handle_unknown="ignore"), [3])
    )
    network = KerasMLPRegressor()
    pipeline = Pipeline([("columns", columns), ("rest", Pipeline([("network", network)]))])
    space = suggest_search_space(pipeline, table, y)
    assert space["rest__network__neurons"] == [8, 64, 256]
    assert all(name.startswith("rest__network__") for name in space)
    assert set(space.why()) == set(space)
    assert "12 inputs" in space.why()["rest__network__neurons"]
    assert not hasattr(columns, "transformers_")
    pipeline.set_params(**{name: values[0] for name, values in space.items()})
    assert network.neurons == 8


@pytest.mark.parametrize("estimator", [KerasClassifier, KerasRegressor])
def test_any_other_network_gets_what_it_has(estimator):
    X, y = np.zeros((100, 5, 2)), np.arange(100) % 2
    counts = []
    for level in LEVELS:
        space = suggest_search_space(make_pipeline(estimator(lambda: None)), X, y, level=level)
        prefix = f"{estimator.__name__.lower()}__"
        assert list(space) == [f"{prefix}optimizer__learning_rate", f"{prefix}batch_size"]
        assert max(space[f"{prefix}batch_size"]) <= 80
        counts.append(size(space))
    assert counts[0] < counts[1] < counts[2]


def test_why_holds_the_numbers():
    X, y = linear_table(60, 12)
    why = suggest_search_space(KerasMLPRegressor(), X, y).why()
    assert set(why) == {
        *("hidden_layers", "neurons", "learning_rate", "batch_size", "dropout", "l2"),
        *("early_stopping", "lr_schedule"),
    }
    check = check_linear(X, y, classification=False)
    assert f"{check.linear_score:.3f}" in why["hidden_layers"]
    assert f"{check.other_score:.3f}" in why["hidden_layers"]
    assert "60 rows" in why["hidden_layers"]
    assert "38 rows" in why["dropout"]
    assert "12 inputs" in why["dropout"]
    assert "38 rows" in why["batch_size"]
    assert "2 steps from 0.01 to 0.001" in why["learning_rate"]
    assert all(reason.endswith(".") for reason in why.values())


# ---------------------------------------------------------------- an ordinary dict


def test_it_is_a_dict_that_survives_copies():
    X, y = linear_table()
    space = suggest_search_space(KerasMLPRegressor(), X, y, level="quick")
    assert isinstance(space, dict)
    assert space == dict(space)
    for same in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space), copy.copy(space)):
        assert type(same) is SuggestedSpace
        assert same == space
        assert same.why() == space.why()
    space.why()["neurons"] = "changed"
    assert space.why()["neurons"] != "changed"
    space["neurons"] = [3]
    assert size(space) * 1 == math.prod(map(len, space.values()))


def test_it_is_the_same_each_time():
    X, y = make_classification(3000, 8, random_state=0)
    first, second = (suggest_search_space(KerasMLPClassifier(), X, y) for _ in range(2))
    assert first == second
    assert first.why() == second.why()


def test_it_runs_in_a_search():
    X, y = make_regression(60, 3, random_state=0)
    network = KerasMLPRegressor(epochs=2, random_state=0)
    space = suggest_search_space(network, X, y, level="quick")
    search = GridSearchCV(network, space, cv=2, refit=False)
    with joblib.parallel_config(backend="skhp"):
        search.fit(X, y)
        random_search = RandomizedSearchCV(network, space, n_iter=2, cv=2, refit=False)
        random_search.fit(X, y)
    assert len(search.cv_results_["params"]) == size(space)
    assert all(np.isfinite(search.cv_results_["mean_test_score"]))
    assert len(random_search.cv_results_["params"]) == 2
    for convert in (for_random, for_bayes, for_tpe):
        convert(space)


@pytest.mark.parametrize(
    ("network", "shape", "blocks"),
    [
        (KerasCNNClassifier(), (40, 8, 8), [1, 2, 3]),
        (KerasCNNClassifier(image_shape=(8, 8)), (40, 64), [1, 2, 3]),
        (KerasCNNRegressor(), (40, 4, 2, 3), [1, 2]),
        (KerasCNNRegressor(), (40, 2, 2), [1]),
        (KerasCNNRegressor(), (40, 1, 1), [1]),
        (KerasCNNClassifier(), (40, 9), [1, 2, 3]),
    ],
)
def test_images_are_halved_as_long_as_they_can_be(network, shape, blocks):
    X, y = np.zeros(shape), np.arange(40) % 2
    sizes = {level: suggest_search_space(network, X, y, level) for level in LEVELS}
    for level, space in sizes.items():
        assert set(space) - {"dropout"} == {
            "hidden_layers",
            "filters",
            "learning_rate",
            "batch_size",
        }
        assert set(space.why()) == set(space)
        assert space["hidden_layers"] == [n for n in blocks if n < 3 or level != "quick"]
        assert ("dropout" in space) == (level != "quick")
    if blocks == [1, 2, 3]:
        assert [size(space) for space in sizes.values()] == [12, 60, 270]


# ---------------------------------------------------------------- errors


def test_mistakes_are_named():
    X, y = linear_table()
    with pytest.raises(InvalidParameterError, match=r"level='quik'.*Did you mean 'quick'"):
        suggest_search_space(KerasMLPRegressor(), X, y, level="quik")
    with pytest.raises(InvalidParameterError, match=r"Nothing is known .*SVC.*as a dict"):
        suggest_search_space(make_pipeline(StandardScaler(), SVC()), X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        suggest_search_space(KerasMLPRegressor(), X, y[:-1])
