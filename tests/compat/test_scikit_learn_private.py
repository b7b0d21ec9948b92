"""The private names of scikit-learn are there, and do what they are used for."""

import importlib

import numpy as np
import pytest
import sklearn

from skhp.compat import scikit_learn as scikit_learn_private


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.base", "_fit_context"),
        ("sklearn.utils._param_validation", "Interval"),
        ("sklearn.utils._param_validation", "InvalidParameterError"),
        ("sklearn.utils._param_validation", "StrOptions"),
        ("sklearn.utils._param_validation", "validate_parameter_constraints"),
        ("sklearn.utils.validation", "_check_sample_weight"),
    ],
)
def test_a_private_name_is_still_there(module, name):
    assert hasattr(importlib.import_module(module), name)


def test_callbacks_are_those_of_scikit_learn_where_it_has_them():
    if tuple(int(part) for part in sklearn.__version__.split(".")[:2]) >= (1, 9):
        from sklearn.callback import CallbackSupportMixin

        assert scikit_learn_private.CallbackSupportMixin is CallbackSupportMixin
        assert hasattr(CallbackSupportMixin, "_init_callback_context")
    else:
        assert not hasattr(scikit_learn_private.CallbackSupportMixin, "set_callbacks")


def test_without_callback_support_there_is_no_context():
    assert scikit_learn_private.open_callback_context(object(), max_subtasks=3) is None


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="Negative"):
        scikit_learn_private.check_sample_weight([-1.0], np.zeros((1, 1)), ensure_non_negative=True)
