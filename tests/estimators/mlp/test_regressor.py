"""The regressor: shapes, losses and metrics."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from skhp import KerasMLPRegressor

pytestmark = pytest.mark.slow


def quick(**parameters):
    return KerasMLPRegressor(**{"epochs": 6, "random_state": 0, "neurons": 4} | parameters)


def test_no_hidden_layer_finds_the_least_squares(regression):
    X, y = regression
    fitted = quick(
        hidden_layers=0,
        early_stopping=False,
        batch_size="full",
        learning_rate=0.1,
        epochs=400,
        lr_schedule="cosine",
        scale_target=False,
    ).fit(X, y)
    exact = LinearRegression().fit(X, y)
    kernel, bias = fitted.model_.get_weights()
    np.testing.assert_allclose(kernel[:, 0], exact.coef_, atol=1e-3)
    np.testing.assert_allclose(bias[0], exact.intercept_, atol=1e-3)


def test_shape_of_predictions_is_that_of_the_targets(regression):
    X, y = regression
    assert quick(epochs=1).fit(X, y).predict(X).shape == y.shape
    both = np.column_stack([y, -y])
    assert quick(epochs=1).fit(X, both).predict(X).shape == both.shape
    with pytest.warns(Warning, match="column-vector"):
        column = quick(epochs=1).fit(X, y[:, None])
    assert column.predict(X).shape == y.shape


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "log_cosh"])
def test_every_loss_learns(loss, regression):
    fitted = quick(loss=loss, epochs=60, learning_rate=0.05).fit(*regression)
    assert fitted.score(*regression) > 0.8


def test_absolute_error_ignores_an_outlier_that_squared_error_follows(regression):
    X, y = regression
    spoiled = y.copy()
    spoiled[:6] = 40
    scores = {
        loss: quick(
            loss=loss,
            hidden_layers=0,
            epochs=200,
            learning_rate=0.05,
            batch_size="full",
            early_stopping=False,
        )
        .fit(X, spoiled)
        .score(X[6:], y[6:])
        for loss in ("absolute_error", "squared_error")
    }
    assert scores["absolute_error"] > 0.95 > scores["squared_error"]


def test_val_r2_is_that_of_the_whole_set(regression):
    X, y = regression
    both = np.column_stack([y, y**2])
    fitted = quick(monitor="val_r2", epochs=20, learning_rate=0.05)
    fitted.fit(X, both, X_val=X[::2], y_val=both[::2])
    assert fitted.best_epoch_ == np.argmax(fitted.history_["val_r2"]) + 1
    np.testing.assert_allclose(
        max(fitted.history_["val_r2"]), r2_score(both[::2], fitted.predict(X[::2])), rtol=1e-6
    )


def test_partial_fit_needs_as_many_targets_as_before(regression):
    X, y = regression
    model = quick().partial_fit(X, y)
    with pytest.raises(ValueError, match="2 targets"):
        model.partial_fit(X, np.column_stack([y, y]))


def test_class_weight_is_no_parameter_of_a_regressor():
    with pytest.raises(TypeError, match="class_weight"):
        KerasMLPRegressor(class_weight="balanced")


def test_r2_needs_two_rows_to_validate_on():
    X, y = np.arange(4.0)[:, None], np.arange(4.0)
    with pytest.raises(ValueError, match="val_r2"):
        quick(monitor="val_r2").fit(X, y)
