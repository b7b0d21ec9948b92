import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import (
    GridSearchCV,
    HistoryDisplay,
    KerasClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
)
from skhp.inspection.training_history import TrainingHistory, training_history

pytestmark = pytest.mark.slow

NETWORK = KerasMLPClassifier(epochs=8, learning_rate=0.05, patience=3, random_state=0)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_curves_of_a_fit(two_classes):
    fitted = NETWORK.fit(*two_classes)
    display = HistoryDisplay.from_estimator(fitted)
    train, validation = display.lines_
    assert train.get_ydata().tolist() == fitted.history_["loss"]
    assert validation.get_ydata().tolist() == fitted.history_["val_loss"]
    assert train.get_xdata().tolist() == list(range(1, fitted.n_iter_ + 1))
    assert display.best_epoch_line_.get_xdata() == [fitted.best_epoch_] * 2
    best = f"best epoch: {fitted.best_epoch_}"
    assert labels(display.ax_) == ["training rows", "validation rows", best]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    assert display.ax_.get_title() == "KerasMLPClassifier"
    assert display.bands_ == []


def test_within_a_pipeline_and_a_search(two_classes):
    pipeline = make_pipeline(StandardScaler(), NETWORK)
    grid = {"kerasmlpclassifier__learning_rate": [0.05, 0.03]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(*two_classes)
    display = HistoryDisplay.from_estimator(search)
    expected = search.best_estimator_[-1].history_["loss"]
    assert display.lines_[0].get_ydata().tolist() == expected


def test_fits_of_folds_are_a_band(two_classes):
    fits = cross_validate(NETWORK, *two_classes, cv=3, return_estimator=True)["estimator"]
    display = HistoryDisplay.from_estimator(fits)
    assert display.ax_.get_title() == "KerasMLPClassifier, 3 fits"
    assert len(display.bands_) == 2
    middle = np.median([fit.history_["loss"][0] for fit in fits])
    assert display.lines_[0].get_ydata()[0] == pytest.approx(middle)


def test_the_band_reaches_from_the_lowest_to_the_highest_fit_in_training():
    curves = [[4, 3, 2, 1], [5, 4, 3], [6, 5], [9, 8, 7, 6]]
    histories = [TrainingHistory("A", {"loss": tuple(curve)}) for curve in curves]
    display = HistoryDisplay(histories).plot()
    (line,), (band,) = display.lines_, display.bands_
    assert line.get_ydata().tolist() == [5.5, 4.5, 3, 3.5]
    corners = band.get_paths()[0].vertices
    for epoch, (low, high) in enumerate([(4, 9), (3, 8), (2, 7), (1, 6)], start=1):
        of_epoch = corners[corners[:, 0] == epoch, 1]
        assert (of_epoch.min(), of_epoch.max()) == (low, high)


def test_the_band_ends_where_fewer_than_half_are_in_training():
    histories = [TrainingHistory("A", {"loss": (3.0,) * n}) for n in (2, 3, 9)]
    assert len(HistoryDisplay(histories).plot().lines_[0].get_xdata()) == 3


def test_the_median_of_best_epochs_is_marked():
    curves = {"loss": (1.0,) * 9}
    histories = [TrainingHistory("A", curves, kept_epoch=n, watched="val_loss") for n in (2, 3, 9)]
    display = HistoryDisplay(histories).plot()
    assert display.best_epoch_line_.get_xdata() == [3, 3]
    assert "median best epoch: 3" in labels(display.ax_)


def test_without_a_kept_epoch_the_least_loss_is_marked_as_that():
    history = TrainingHistory("A", {"loss": (3, 2, 1), "val_loss": (3, 2, 2.5)})
    display = HistoryDisplay([history]).plot()
    assert "epoch of least validation loss: 2" in labels(display.ax_)
    unwatched = HistoryDisplay([TrainingHistory("A", {"loss": (3, 2, 1)})]).plot()
    assert unwatched.best_epoch_line_ is None
    assert labels(unwatched.ax_) == ["training rows"]


def test_a_metric_that_is_watched(two_classes):
    fitted = KerasMLPClassifier(epochs=3, monitor="val_f1", random_state=0).fit(*two_classes)
    display = HistoryDisplay.from_estimator(fitted, metric="f1")
    (line,) = display.lines_
    assert line.get_ydata().tolist() == fitted.history_["val_f1"]
    assert line.get_label() == "validation rows"
    with pytest.raises(ValueError, match=r"metric='f11' .* one of f1, loss.* mean 'f1'"):
        HistoryDisplay.from_estimator(fitted, metric="f11")


def test_networks_of_scikit_learn(two_classes):
    fitted = MLPClassifier(early_stopping=True, max_iter=500, tol=0.01, random_state=0)
    fitted.fit(*two_classes)
    history = training_history(fitted)
    assert list(history.curves["loss"]) == fitted.loss_curve_
    assert fitted.validation_scores_[history.kept_epoch - 1] == max(fitted.validation_scores_)


def test_within_a_classifier_with_a_threshold(two_classes):
    tuned = TunedThresholdClassifierCV(NETWORK, cv=2).fit(*two_classes)
    display = HistoryDisplay.from_estimator(tuned)
    assert display.lines_[0].get_ydata().tolist() == tuned.estimator_.history_["loss"]


@pytest.mark.parametrize(
    ("losses", "scale"), [((1, 0.5), "linear"), ((1, 0.001), "log"), ((1, 0), "linear")]
)
def test_the_axis_is_logarithmic_over_decades(losses, scale):
    display = HistoryDisplay([TrainingHistory("A", {"loss": losses})]).plot()
    assert display.ax_.get_yscale() == scale


def test_losses_that_are_not_finite_are_left_out():
    history = TrainingHistory("A", {"loss": (1, np.inf, np.nan)}, kept_epoch=1)
    display = HistoryDisplay([history]).plot()
    assert display.lines_[0].get_ydata()[0] == 1
    assert np.isnan(display.lines_[0].get_ydata()[1:]).all()
    assert np.isfinite(display.ax_.get_ylim()).all()


def test_on_given_axes_in_a_given_style():
    _, ax = plt.subplots()
    display = HistoryDisplay([TrainingHistory("A", {"loss": (2, 1)})])
    assert display.plot(ax, line_kw={"color": "black"}).ax_ is ax
    assert display.figure_ is ax.figure
    assert display.lines_[0].get_color() == "black"


@pytest.mark.parametrize("estimator", [NETWORK.__class__(), LogisticRegression()])
def test_what_has_no_history_is_told(estimator):
    with pytest.raises(NotFittedError, match=f"{type(estimator).__name__} has no history_"):
        HistoryDisplay.from_estimator(estimator)
    with pytest.raises(NotFittedError, match="refit=True"):
        HistoryDisplay.from_estimator(GridSearchCV(estimator, {}))
    with pytest.raises(ValueError, match="one fitted estimator or more"):
        HistoryDisplay.from_estimator([])


def test_without_matplotlib_its_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    display = HistoryDisplay([TrainingHistory("A", {"loss": (2, 1)})])
    with pytest.raises(ImportError, match=r"HistoryDisplay draws .* pip install matplotlib"):
        display.plot()


# ---------------------------------------------------------------- what was watched


@pytest.mark.parametrize("monitor", ["val_f1", "val_average_precision", "val_accuracy"])
def test_what_was_watched_is_drawn_with_its_own_best_epoch(two_classes, monitor):
    fitted = KerasMLPClassifier(epochs=12, patience=4, monitor=monitor, random_state=1)
    fitted.fit(*two_classes)
    display = HistoryDisplay.from_estimator(fitted)
    name = monitor.removeprefix("val_")
    assert display.ax_.get_ylabel() == name
    (line,) = display.lines_
    assert line.get_ydata().tolist() == fitted.history_[monitor]
    best = int(np.argmax(fitted.history_[monitor])) + 1
    assert display.best_epoch_line_.get_xdata() == [best] * 2
    assert f"best epoch: {best}" in labels(display.ax_)
    # On another curve the same line says what chose it.
    loss = HistoryDisplay.from_estimator(fitted, metric="loss")
    assert loss.best_epoch_line_.get_xdata() == [best] * 2
    assert f"best epoch by {monitor}: {best}" in labels(loss.ax_)


def test_another_name_of_a_metric_is_drawn_by_the_recorded_one(two_classes):
    fitted = KerasMLPClassifier(epochs=4, monitor="val_f1", random_state=0).fit(*two_classes)
    fitted.monitor = "val_f1_score"
    history = training_history(fitted)
    assert (history.watched, history.kept_epoch) == ("val_f1", fitted.best_epoch_)


def test_a_search_that_watches_a_metric_draws_it(two_classes):
    search = GridSearchCV(
        NETWORK, {"learning_rate": [0.05, 0.03]}, cv=2, early_stopping={"monitor": "val_f1"}
    ).fit(*two_classes)
    assert HistoryDisplay.from_estimator(search).ax_.get_ylabel() == "f1"


def test_less_is_better_of_an_error(two_classes):
    X, y = two_classes
    fitted = KerasMLPRegressor(epochs=6, monitor="val_mean_absolute_error", random_state=0)
    fitted.fit(X, y.astype(float))
    display = HistoryDisplay.from_estimator(fitted)
    best = int(np.argmin(fitted.history_["val_mean_absolute_error"])) + 1
    assert display.best_epoch_line_.get_xdata() == [best] * 2


def test_without_early_stopping_the_last_epoch_is_not_called_the_best(two_classes):
    fitted = KerasMLPClassifier(epochs=5, early_stopping=False, random_state=0).fit(*two_classes)
    assert HistoryDisplay.from_estimator(fitted).best_epoch_line_ is None
    refitted = GridSearchCV(NETWORK, {"learning_rate": [0.05]}, cv=2, refit_epochs="median")
    assert HistoryDisplay.from_estimator(refitted.fit(*two_classes)).best_epoch_line_ is None


def test_weights_that_nothing_chose_are_not_called_the_best():
    history = TrainingHistory("A", {"loss": (3.0, 2.0, 1e30, np.nan)}, kept_epoch=3)
    assert "epoch of the weights kept: 3" in labels(HistoryDisplay([history]).plot().ax_)


def test_fits_that_watched_different_things_show_the_loss():
    curves = {"loss": (3.0, 2.0), "val_loss": (3.0, 2.0), "val_f1": (0.5, 0.6)}
    histories = [TrainingHistory("A", curves, 2, watched) for watched in ("val_f1", "val_loss")]
    display = HistoryDisplay(histories).plot()
    assert display.ax_.get_ylabel() == "loss"
    assert "median epoch of the weights kept: 2" in labels(display.ax_)


def test_the_axis_has_no_epoch_zero(two_classes):
    display = HistoryDisplay([TrainingHistory("A", {"loss": (1.0,) * 30})]).plot()
    low, high = display.ax_.get_xlim()
    assert 0 < low < 1
    assert 30 < high < 31


def keras_model(meta):
    import keras

    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


@pytest.mark.parametrize("restores", [True, False])
@pytest.mark.parametrize("pickled", [False, True])
def test_a_wrapped_model_says_by_its_callback_what_was_watched(two_classes, restores, pickled):
    import keras

    fitted = KerasClassifier(
        keras_model,
        loss="binary_crossentropy",
        metrics=["accuracy"],
        optimizer__learning_rate=0.1,
        epochs=6,
        validation_split=0.3,
        random_state=0,
        callbacks=keras.callbacks.EarlyStopping(
            monitor="val_accuracy", mode="max", patience=3, restore_best_weights=restores
        ),
    ).fit(*two_classes)
    if pickled:
        fitted = pickle.loads(pickle.dumps(fitted))
    display = HistoryDisplay.from_estimator(fitted)
    best = int(np.argmax(fitted.history_["val_accuracy"])) + 1
    assert display.ax_.get_ylabel() == "accuracy"
    assert len(display.lines_) == 2
    assert display.best_epoch_line_.get_xdata() == [best] * 2
    what = "best epoch" if restores else "epoch of greatest validation accuracy"
    assert f"{what}: {best}" in labels(display.ax_)


def test_networks_of_scikit_learn_draw_the_score_they_watched(two_classes):
    fitted = MLPClassifier(early_stopping=True, max_iter=300, tol=0.01, random_state=0)
    display = HistoryDisplay.from_estimator(fitted.fit(*two_classes))
    assert display.ax_.get_ylabel() == "accuracy"
    best = int(np.argmax(fitted.validation_scores_)) + 1
    assert display.best_epoch_line_.get_xdata() == [best] * 2


def test_within_a_regressor_with_a_transformed_target(two_classes):
    X, y = two_classes
    scaled = TransformedTargetRegressor(KerasMLPRegressor(epochs=3), transformer=StandardScaler())
    display = HistoryDisplay.from_estimator(scaled.fit(X, y.astype(float)))
    assert display.lines_[0].get_ydata().tolist() == scaled.regressor_.history_["loss"]


def test_a_class_that_a_program_made_for_itself_is_not_named(two_classes):
    class _Own(KerasMLPClassifier):
        pass

    fitted = _Own(epochs=2, random_state=0).fit(*two_classes)
    assert HistoryDisplay.from_estimator(fitted).ax_.get_title() == "KerasMLPClassifier"
