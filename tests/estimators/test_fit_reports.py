"""Epochs as tasks of scikit-learn's callbacks; the estimators' own tests are in the contract."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skhp.compat.scikit_learn import CallbackSupportMixin
from skhp.estimators.fit_reports import EpochTasks


class Example(CallbackSupportMixin, BaseEstimator):
    pass


class Plain(BaseEstimator):
    """As every estimator is before scikit-learn 1.9."""


class Asks:
    """A callback that wants the data, the weights and the fitted estimator."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, metadata):
        self.seen.append(metadata)

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.seen.append((X, y, fitted_estimator.coef_))


class Counts(Asks):
    """A callback that wants nothing and never stops."""

    def on_fit_task_begin(self, estimator, context):
        self.seen.append("begin")

    def on_fit_task_end(self, estimator, context):
        self.seen.append("end")


def run(estimator, fitted_attributes):
    tasks = EpochTasks(estimator, 2, "X", "y", np.ones(3), fitted_attributes)
    tasks.fit_begins()
    tasks.epoch_begins()
    stop = tasks.epoch_ends()
    tasks.fit_ends()
    return stop


def never():
    raise AssertionError("nobody asked for the fitted estimator")


def test_without_callback_support_nothing_happens():
    assert run(Plain(), never) is False


@pytest.mark.skipif(not hasattr(Example, "set_callbacks"), reason="needs scikit-learn 1.9")
class TestWithCallbacks:
    def test_fitted_attributes_are_made_only_for_those_who_ask(self):
        counts = Counts()
        assert run(Example().set_callbacks(counts), never) is False
        assert counts.seen == ["begin", "begin", "end", "end"]

    def test_data_weights_and_fitted_estimator_are_passed(self):
        asks = Asks()
        run(Example().set_callbacks(asks), lambda: {"coef_": 5})
        begin, _, epoch_end, fit_end = asks.seen
        assert begin["sample_weight"].tolist() == [1, 1, 1]
        assert epoch_end == fit_end == ("X", "y", 5)
