"""A study of a series: errors against scikit-learn's, folds in time, settings out of range."""

import itertools

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from skhp import JournalMismatchError
from skhp.exceptions import SettingsError, StudyError
from skhp.sequences import sliding_windows
from skhp.study.series.forecasts import RIDGE_ALPHAS
from skhp.study.series.series_study import SeriesSettings, run_series_study

pytestmark = pytest.mark.slow

FEW = {"folds": 2, "repeats": 1, "verdict_repeats": 1}


def test_errors_are_those_on_the_last_quarter(study, sales):
    X, y, places = sliding_windows(sales.values, 15, target="sold")
    test = places >= 90
    assert test.sum() == 30
    for name, predicted in (
        ("last value", X[test, -1, 0]),
        ("season ago", X[test, -12, 0]),
        ("ridge", study.ridge.best_estimator_.predict(X[test])),
    ):
        errors = study.errors[name]
        assert errors.mae == pytest.approx(mean_absolute_error(y[test], predicted))
        assert errors.rmse == pytest.approx(root_mean_squared_error(y[test], predicted))
        assert errors.score == pytest.approx(-errors.mae)
    predicted = study.pipeline.predict(X[test])
    first = study.repeats[0].scores
    assert first.mae == pytest.approx(mean_absolute_error(y[test], predicted))
    assert list(study.errors) == ["last value", "season ago", "ridge"]


def test_the_network_is_tuned_in_folds_that_follow_one_another(study):
    tried = study.search.cv_results_["params"]
    assert {params["network__time_steps"] for params in tried} == {6, 12, 15}
    assert len(tried) == study.n_candidates == 4 * 2 * 3
    pipeline = clone(study.search.estimator).set_params(**study.search.best_params_)
    split = study.windows.split
    by_hand = cross_val_score(
        pipeline,
        split.X_train,
        split.y_train,
        cv=TimeSeriesSplit(3),
        scoring="neg_mean_absolute_error",
    )
    assert study.search.best_score_ == pytest.approx(by_hand.mean())


def test_the_network_is_compared_to_each_simple_forecast_on_stretches(study):
    comparison = study.scored.compared_to("ridge", ("ridge", "network"))
    assert comparison.names == ("network",)
    assert (comparison.n_repeats, comparison.n_folds, comparison.drawn_anew) == (2, 10, False)
    windows, scores = study.windows, study.scored.scores["last value"].of_repeats
    stretches = TimeSeriesSplit(10, test_size=len(windows.y) // 20).split(windows.y)
    for (_, test), one in zip(stretches, scores[0], strict=True):
        expected = mean_absolute_error(windows.y[test], windows.X[test, -1, 0])
        assert one.scores["neg_mean_absolute_error"] == pytest.approx(-expected)
    assert comparison.metrics == ("neg_mean_absolute_error", "neg_root_mean_squared_error")
    assert set(study.scored.scores) == {"last value", "season ago", "ridge", "network", "dummy"}


def test_the_next_forecast_is_of_the_last_window(study, sales):
    window = sales.values.to_numpy()[None, -15:]
    assert study.next_forecast == pytest.approx(study.pipeline.predict(window)[0])


def test_scales_are_learnt_from_the_windows_to_learn_from(study):
    scaler = study.pipeline[0]
    np.testing.assert_allclose(scaler.mean_, study.windows.split.X_train.mean(axis=(0, 1)))


def test_progress_tells_of_every_candidate_and_training(sales, network):
    told = []
    settings = SeriesSettings(**FEW, search="random", candidates=3)
    run_series_study(sales, settings, network=network, on_progress=told.append)
    stages = [list(of) for _, of in itertools.groupby(told, lambda one: one.stage)]
    assert [of[0].stage for of in stages] == ["search", "baseline", "repeats", "verdict"]
    for of, total in zip(stages, (3, 2 * 3 * len(RIDGE_ALPHAS), 1, 4 * 10), strict=True):
        assert of[-1].done >= of[-1].total == total
    assert stages[0][-1].best_score > 0


def test_a_study_goes_on_from_its_journal_and_no_other_does(sales, network, tmp_path):
    settings = {**FEW, "search": "random", "candidates": 2, "journal": tmp_path / "journal"}
    first = run_series_study(sales, SeriesSettings(**settings), network=network)
    again = run_series_study(sales, SeriesSettings(**settings), network=network)
    assert again.search.best_score_ == first.search.best_score_
    with pytest.raises(JournalMismatchError, match="is of another search"):
        run_series_study(sales, SeriesSettings(**settings, horizon=2), network=network)


def test_the_error_to_tune_by_may_be_named_in_short(sales, network):
    settings = SeriesSettings(**FEW, scoring="RMSE", search="random", candidates=2)
    study = run_series_study(sales, settings, network=network)
    assert study.scoring == "neg_root_mean_squared_error"
    assert study.repeats[0].scores.score == pytest.approx(-study.repeats[0].scores.rmse)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, "horizon is 0: at least 1 is needed"),
        ({"horizon": -3}, "horizon is -3"),
        ({"scoring": "f1"}, "unknown scoring 'f1' for a series"),
        ({"scoring": "rsme"}, "Did you mean 'rmse'"),
        ({"scoring": "neg_mean_squared_log_error"}, "unknown scoring"),
        ({"folds": 1}, "folds is 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message) as caught:
        SeriesSettings(**changes)
    assert isinstance(caught.value, StudyError)


@pytest.mark.slow
def test_recurrent_networks_train_together_and_find_a_pattern_that_the_last_value_misses(
    sales, trained_together
):
    from skhp import KerasRNNRegressor

    settings = SeriesSettings(folds=2, repeats=2, verdict_repeats=1, search="random", candidates=3)
    network = KerasRNNRegressor(neurons=8, epochs=60)
    with trained_together() as populations:
        study = run_series_study(sales, settings, network=network)
    assert sum(populations) == 3 * 2 + 2 + 10
    assert np.mean([one.scores.mae for one in study.repeats]) < study.errors["last value"].mae


def test_the_default_network_stops_by_the_latest_windows(sales, monkeypatch):
    class NotedError(Exception):
        pass

    def note(pipeline, *_, **__):
        raise NotedError(pipeline)

    monkeypatch.setattr("skhp.study.tuning.search_network", note)
    with pytest.raises(NotedError) as caught:
        run_series_study(sales, SeriesSettings(**FEW))
    (pipeline,) = caught.value.args
    assert pipeline[-1].validation_rows == "last"
