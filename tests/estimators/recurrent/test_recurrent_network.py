"""Recurrent estimators: their rows, their networks, their searches and their forecasts."""

import functools
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ParameterGrid,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import InvalidParameterError, KerasRNNClassifier, KerasRNNRegressor
from skhp.population import fit_together

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(0)
WAVE = np.sin(np.arange(90) / 4) + 0.05 * RANDOM.normal(size=90)
X = np.lib.stride_tricks.sliding_window_view(WAVE, 10)[:-1].copy()
Y = WAVE[10:]
TOKENS = RANDOM.integers(1, 9, size=(80, 7))
TOKENS[:, 5:] *= RANDOM.random((80, 2)) < 0.5
LABELS = np.where((TOKENS == 3).any(axis=1), "three", "none")


def regressor(**parameters):
    given = {"neurons": 4, "epochs": 3, "learning_rate": 0.02, "random_state": 0}
    return KerasRNNRegressor(**{**given, **parameters})


def classifier(**parameters):
    given = {"neurons": 4, "epochs": 3, "learning_rate": 0.02, "random_state": 0}
    return KerasRNNClassifier(**{**given, "embedding_dim": 3, **parameters})


@functools.cache
def fitted_regressor(**parameters):
    """A fit that several tests look at and none changes."""
    return regressor(**parameters).fit(X, Y)


@functools.cache
def fitted_on_two_channels():
    return regressor(epochs=1).fit(np.stack([X, X], axis=2), Y)


def weights_of(fitted):
    return fitted._trained_network.member.weights


# Networks


@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": "lstm", "bidirectional": True},
        {"cell": "gru", "time_steps": 4},
        {"cell": "simple", "hidden_layers": 2, "batch_size": "full"},
    ],
)
def test_a_population_trains_keras_own_layers_as_keras_does(parameters):
    estimators = [regressor(**parameters, engine=engine) for engine in ("population", "keras")]
    fits = [estimator.fit(X, Y) for estimator in estimators]
    np.testing.assert_allclose(*map(weights_of, fits), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(fits[0].predict(X), fits[1].predict(X), rtol=1e-3, atol=1e-4)
    assert fits[0].history_["val_loss"] == pytest.approx(fits[1].history_["val_loss"], rel=1e-3)
    for fitted in fits:
        first, *_ = fitted.model_.layers
        kinds = {
            "lstm": keras.layers.LSTM,
            "gru": keras.layers.GRU,
            "simple": keras.layers.SimpleRNN,
        }
        recurrent = first.forward_layer if fitted.bidirectional else first
        assert type(recurrent) is kinds[fitted.cell]
        assert all(type(layer).__module__.startswith("keras.") for layer in fitted.model_.layers)
    windows = X[:, -(fits[0].time_steps or 10) :, None].astype(np.float32)
    np.testing.assert_allclose(
        fits[0].model_.predict(windows, verbose=0)[:, 0], fits[0].predict(X), rtol=1e-4, atol=1e-5
    )


def test_tokens_are_learnt_as_keras_learns_them():
    # With a vocabulary that is larger than what is seen: no other token may change.
    fits = [
        classifier(engine=engine, vocabulary_size=12).fit(TOKENS, LABELS)
        for engine in ("population", "keras")
    ]
    np.testing.assert_allclose(*map(weights_of, fits), rtol=1e-3, atol=1e-4)


def test_dropout_is_of_what_layers_hand_on_and_never_of_the_series():
    settings = {"cell": "simple", "epochs": 1}
    dropping = regressor(hidden_layers=2, dropout=0.3, recurrent_dropout=0.1, **settings)
    plain = regressor(hidden_layers=2, **settings)
    fit_together([(dropping, X, Y), (plain, X, Y)])
    first, second, dropped, *_ = dropping.model_.layers
    assert (first.dropout, second.dropout, dropped.rate) == (0.0, 0.3, 0.3)
    assert (first.recurrent_dropout, second.recurrent_dropout) == (0.1, 0.1)
    assert not np.allclose(weights_of(dropping), weights_of(plain), atol=1e-4)
    tokens = classifier(dropout=0.3, **settings).fit(TOKENS, LABELS)
    assert tokens.model_.layers[1].dropout == 0.3


# Rows


def test_a_window_is_the_last_steps_of_a_row():
    whole, windowed = regressor(epochs=1), regressor(epochs=1, time_steps=4)
    changed = X.copy()
    changed[:, :-4] = 7
    fits = [whole.fit(X[:, -4:], Y), windowed.fit(X, Y), clone(windowed).fit(changed, Y)]
    expected = fits[0].predict(X[:, -4:])
    np.testing.assert_array_equal(fits[1].predict(changed), expected)
    np.testing.assert_array_equal(fits[2].predict(X), expected)
    assert fits[1].n_features_in_ == 10
    assert fits[1].model_.input_shape == (None, 4, 1)


def test_columns_are_steps_of_one_channel():
    plain, channel = fitted_regressor(), regressor().fit(X[:, :, None], Y)
    np.testing.assert_array_equal(plain.predict(X), channel.predict(X[:, :, None]))
    np.testing.assert_array_equal(plain.predict(X[:, :, None]), channel.predict(X))
    assert channel.n_channels_in_ == 1
    table = pd.DataFrame(X, columns=[f"lag {k}" for k in range(10)])
    assert regressor(epochs=1).fit(table, Y).feature_names_in_[0] == "lag 0"


def test_padding_has_no_influence_wherever_it_is():
    fitted = classifier(bidirectional=True).fit(TOKENS, LABELS)
    assert fitted.vocabulary_size_ == 9
    rows = [[3, 1, 4, 0, 0, 0, 0], [0, 0, 0, 0, 3, 1, 4], [0, 3, 0, 0, 1, 0, 4]]
    probabilities = fitted.predict_proba(rows)
    np.testing.assert_allclose(probabilities, probabilities[:1].repeat(3, axis=0), rtol=1e-5)
    other = fitted.predict_proba([[3, 1, 4, 5, 0, 0, 0]])
    assert not np.allclose(other, probabilities[0], rtol=1e-5)


def test_several_channels_and_several_targets():
    series = np.stack([X, X**2], axis=2)
    targets = np.stack([Y, -Y], axis=1)
    fitted = regressor(epochs=30).fit(series, targets)
    assert fitted.n_channels_in_ == 2
    assert fitted.predict(series).shape == targets.shape
    assert fitted.score(series, targets) > 0.5


BAD_ROWS = [
    (regressor(), [[1.0, 2.0], [3.0]] * 40, r"2 steps in row 0 and 1 in row 1"),
    (regressor(), [[[1.0], [2.0]], [[3.0]]] * 40, r"2 steps in row 0 and 1 in row 1"),
    (regressor(), [[[1.0], [2.0, 3.0]]] * 80, "the same number of channels in each step"),
    (regressor(), X[:, :, None][:, :, :0], r"the shape \(80, 10, 0\), but .* one channel"),
    (
        regressor(),
        pd.Series(list(X)),
        r"shape \(10,\) in row 0.* one array of the shape \(80, 10\)",
    ),
    (regressor(time_steps=11), X, r"time_steps=11, but the series in X have 10 steps"),
    (regressor(), X[:, :, None, None], r"4 dimensions, with the shape \(80, 10, 1, 1\)"),
    (classifier(), TOKENS[:, :, None], r"the shape \(80, 7, 1\), but with embedding_dim"),
    (classifier(), TOKENS - 3, r"X holds -\d in row \d+, step \d, which is a negative"),
    (classifier(), TOKENS + 0.5, r"X holds \d\.5 in row 0, step 0, which is not a whole"),
    (classifier(vocabulary_size=5), TOKENS, r"the token 8 in row \d+, .* tokens from 0 to 4"),
    (classifier(), np.where(TOKENS == 3, np.nan, TOKENS), "NaN"),
    (classifier(), np.array([list("abcdefg")] * 80), "takes numbers"),
]


@pytest.mark.parametrize(("estimator", "rows", "message"), BAD_ROWS)
def test_rows_that_cannot_be_learnt_from_are_refused(estimator, rows, message):
    target = LABELS if isinstance(estimator, KerasRNNClassifier) else Y
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(rows, target)


def test_other_rows_than_in_fit_are_refused():
    series = np.stack([X, X], axis=2)
    fitted = fitted_on_two_channels()
    for rows, message in (
        (series[:, :, :1], "X has 1 channels, but KerasRNNRegressor is expecting 2 channels"),
        (series[:, 1:], "X has 9 .* is expecting 10"),
        (X, "X has 1 channels"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.predict(rows)


def test_tokens_that_fit_lacked_are_skipped_unless_the_vocabulary_is_given():
    fitted = classifier().fit(TOKENS, LABELS)
    rows = [[3, 1, 9, 4, 0, 0, 0], [3, 1, 4, 0, 0, 0, 0], [3, 1, 400, 4, 10, 9, 0]]
    probabilities = fitted.predict_proba(rows)
    np.testing.assert_allclose(probabilities, probabilities[:1].repeat(3, axis=0), rtol=1e-5)
    unknown, padding = fitted.predict_proba([[9] * 7, [0] * 7])
    np.testing.assert_array_equal(unknown, padding)
    given = classifier(vocabulary_size=9, epochs=1).fit(TOKENS, LABELS)
    with pytest.raises(ValueError, match=r"token 400 in row 2, step 2, .*vocabulary_size=9 has"):
        given.predict(rows)
    with pytest.raises(ValueError, match="the token 9"):
        given.fit(TOKENS, LABELS, X_val=TOKENS + 1, y_val=LABELS)
    # In training, the network would silently never learn of a larger token.
    with pytest.raises(ValueError, match="seen in fit, of size 9, has tokens from 0 to 8"):
        fitted.partial_fit(TOKENS + 1, LABELS)
    with pytest.raises(ValueError, match="seen in fit, of size 9"):
        fitted.set_params(warm_start=True).fit(TOKENS + 1, LABELS)


def test_a_search_scores_folds_that_have_tokens_which_the_training_lacked():
    # The first fold to score has the tokens 9 and 10, and no other row has them.
    rows = TOKENS.copy()
    rows[:40:2, 0], rows[1:40:2, 0] = 9, 10
    folds = KFold(2)
    skipped = np.where(rows > 8, 0, rows)
    network = classifier(epochs=2, cell="simple")
    search = skhp.GridSearchCV(
        network,
        {"learning_rate": [0.02, 0.1]},
        cv=folds,
        scoring="roc_auc",
        error_score="raise",
        refit=False,
    ).fit(rows, LABELS)
    for parameters, score in zip(
        search.cv_results_["params"], search.cv_results_["split0_test_score"], strict=True
    ):
        train, test = next(folds.split(rows))
        alone = clone(network).set_params(**parameters).fit(rows[train], LABELS[train])
        assert alone.vocabulary_size_ == 9
        probabilities = alone.predict_proba(skipped[test])[:, 1]
        assert score == pytest.approx(roc_auc_score(LABELS[test], probabilities), abs=1e-3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cell": "lstn"}, "Did you mean 'lstm'"),
        ({"hidden_layers": 0}, "'hidden_layers'"),
        ({"hidden_layers": 2, "neurons": (3,)}, "1 entry, but hidden_layers=2"),
        ({"neurons": 0}, "'neurons'"),
        ({"recurrent_dropout": 1.0}, "'recurrent_dropout'"),
        ({"time_steps": 0}, "'time_steps'"),
        ({"vocabulary_size": 5, "embedding_dim": None}, "set embedding_dim"),
        ({"hidden_layers": 10**9}, "above max_memory"),
        ({"hidden_layers": "auto", "neurons": [1] * 10**6}, "above max_memory"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(InvalidParameterError, match=message):
        classifier(**parameters).fit(TOKENS, LABELS)


# Searches

GRID = {
    "neurons": [3, 4],
    "learning_rate": [0.01, 0.1],
    "batch_size": [16, 20],
    "time_steps": [4, None],
    "epochs": [1, 3],
}


def test_the_members_of_a_search_join_one_population(trained_together):
    folds = TimeSeriesSplit(2)
    search = skhp.GridSearchCV(
        regressor(), GRID, cv=folds, scoring="neg_mean_squared_error", refit=False
    )
    with trained_together() as sizes:
        search.fit(X, Y)
    assert sizes == [2 * len(ParameterGrid(GRID))]
    # Between them, these two have each value of each parameter.
    for number in (13, 18):
        alone = cross_val_score(
            regressor(**search.cv_results_["params"][number]),
            X,
            Y,
            cv=folds,
            scoring="neg_mean_squared_error",
        )
        assert search.cv_results_["mean_test_score"][number] == pytest.approx(
            alone.mean(), rel=1e-3
        )


def test_rates_of_dropout_differ_within_one_program():
    rates = [(0.2, 0.1), (0.4, 0.1), (0.4, 0.3)]
    estimators = [
        classifier(cell="simple", dropout=dropout, recurrent_dropout=recurrent, epochs=2)
        for dropout, recurrent in rates
    ]
    together = fit_together([(estimator, TOKENS, LABELS) for estimator in estimators])
    networks = {fitted._trained_network.network for fitted in together}
    assert len(networks) == 1
    for fitted, estimator in zip(together, estimators, strict=True):
        alone = clone(estimator).fit(TOKENS, LABELS)
        np.testing.assert_allclose(weights_of(fitted), weights_of(alone), rtol=1e-3, atol=1e-4)
    assert not np.allclose(weights_of(together[0]), weights_of(together[1]), atol=1e-3)


def test_who_has_ended_early_is_left_out_of_the_program(monkeypatch):
    # An LSTM is no work for XLA, and still moves to a smaller program where most have ended.
    from skhp.training.cohort import packed_members

    monkeypatch.setattr(packed_members, "pays_to_move", lambda running, spared, done: spared > 0)
    estimators = [
        regressor(epochs=40, patience=patience, learning_rate=rate, engine="population")
        for patience, rate in ((1, 0.5), (2, 0.5), (40, 1e-4))
    ]
    together = fit_together([(estimator, X, Y) for estimator in estimators])
    assert together[0].n_iter_ < 16 < together[2].n_iter_ == 40
    for fitted, estimator in zip(together, estimators, strict=True):
        alone = clone(estimator).fit(X, Y)
        assert fitted.n_iter_ == alone.n_iter_
        np.testing.assert_allclose(weights_of(fitted), weights_of(alone), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("level", "size"), [("quick", 12), ("normal", 80), ("thorough", 810)])
def test_a_search_space_is_suggested(level, size):
    pipeline = make_pipeline(StandardScaler(), regressor())
    space = skhp.suggest_search_space(pipeline, X, Y, level=level)
    assert len(ParameterGrid(space)) == size
    assert space["kerasrnnregressor__time_steps"][-1] == 10
    assert set(space) == set(space.why())
    series = skhp.suggest_search_space(regressor(), X[:, :, None], Y, level=level)
    assert [*series.values()] == [*space.values()]
    for candidate in list(ParameterGrid(series))[:: size // 4]:
        regressor(**candidate)._check_combination()


def test_early_stopping_thresholds_and_class_weights():
    fitted = classifier(
        epochs=60,
        patience=3,
        learning_rate=0.1,
        monitor="val_f1",
        threshold="tune",
        class_weight="balanced",
        loss="focal",
    ).fit(TOKENS, LABELS)
    assert fitted.stop_reason_ == "patience"
    assert "val_f1" in fitted.history_
    assert fitted.rare_class_ == min(set(LABELS), key=LABELS.tolist().count)
    assert fitted.score(TOKENS, LABELS) > 0.8


def test_a_comparison_takes_series():
    series = np.stack([X, X[::-1]], axis=2)
    y = Y > 0
    network = classifier(embedding_dim=None, epochs=2)
    comparison = skhp.compare({"network": network}, series, y, cv=2, n_repeats=2, n_seeds=1)
    flat = make_pipeline(StandardScaler(), LogisticRegression())
    # The baseline takes rows of columns, and has learnt from the same series.
    accuracy = cross_val_score(flat, series.reshape(len(series), -1), y, cv=2).mean()
    assert accuracy > 0.8
    baseline = comparison.frame.loc[(comparison.baseline, "f1"), "mean"]
    assert baseline == pytest.approx(accuracy, abs=0.1)


def test_diagnosis_and_displays_know_them():
    fitted = regressor(epochs=30, early_stopping=False).fit(X, Y)
    assert "l2" not in str(skhp.diagnose(fitted, Y))
    assert skhp.HistoryDisplay.from_estimator(fitted) is not None


# Forecasts


@pytest.mark.parametrize("time_steps", [None, 4])
def test_a_forecast_rolls_on_its_own_predictions(time_steps):
    fitted = fitted_regressor(time_steps=time_steps)

    def rolled(window, steps):
        values = []
        for _ in range(steps):
            values.append(fitted.predict(window[None])[0])
            window = np.append(window[1:], values[-1])
        return values

    # The last target is known already, so the forecast begins with the value after it.
    newest = np.append(X[-1, 1:], Y[-1])
    np.testing.assert_allclose(fitted.forecast(4), rolled(newest, 4), rtol=1e-4, atol=1e-5)
    forecasts = fitted.forecast(3, X[:2])
    assert forecasts.shape == (2, 3)
    np.testing.assert_allclose(forecasts[1], rolled(X[1], 3), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(fitted.forecast(3, X[:2, :, None]), forecasts)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.forecast(4), fitted.forecast(4))


def test_a_forecast_after_a_search_starts_after_the_last_row():
    search = GridSearchCV(regressor(), {"neurons": [3, 4]}, cv=2)
    best = skhp.GridSearchCV(**search.get_params(deep=False)).fit(X, Y).best_estimator_
    newest = np.append(X[-1, 1:], Y[-1])[None]
    np.testing.assert_allclose(best.forecast(1), best.predict(newest), rtol=1e-5)


def test_what_has_no_forecast_says_so():
    with pytest.raises(ValueError, match="2 channels and 1 targets"):
        fitted_on_two_channels().forecast(3)
    targets = regressor(epochs=1).fit(X, np.stack([Y, Y], axis=1))
    with pytest.raises(ValueError, match="1 channels and 2 targets"):
        targets.forecast(3)
    tokens = KerasRNNRegressor(embedding_dim=2, epochs=1).fit(TOKENS, TOKENS[:, 0])
    with pytest.raises(ValueError, match="was fitted on tokens"):
        tokens.forecast(3)
    fitted = fitted_regressor()
    for steps in (0, 1.5, True, "3"):
        with pytest.raises(InvalidParameterError, match="whole number of steps"):
            fitted.forecast(steps)
    with pytest.raises(ValueError, match="is expecting 10"):
        fitted.forecast(2, X[:, 1:])
    with pytest.raises(ValueError, match="X is a dict"):
        fitted.forecast(2, {"series": X})
