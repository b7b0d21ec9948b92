"""Settings that hold for one thread or for the process, as a task's caller has them."""

from __future__ import annotations

import pickle
import random
import sys
import warnings
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import Any

import numpy as np
import sklearn

from skhp.compat.joblib import set_thread_configuration, thread_configuration

# `catch_warnings` replaces these names of the module, the last with `record=True`. All threads of a
# process share them before Python 3.14.
_WARNING_SETTINGS = ("filters", "showwarning", "_showwarnmsg_impl")


class CallerSettings:
    """The settings of the thread that makes a call, for the threads of its tasks.

    They are context variables and the settings of scikit-learn, joblib, NumPy and Keras.
    """

    def __init__(self) -> None:
        self._context = copy_context()
        self._scikit_learn = sklearn.get_config()
        self._joblib = thread_configuration()
        self._numpy = np.geterr()
        self._keras = None
        # Who has not loaded Keras has not set anything in it, and does not wait for it to load.
        if "skhp.compat.keras" in sys.modules:
            from skhp.compat import keras

            self._keras = keras.thread_settings()

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function with these settings, in a new thread."""
        return self._context.copy().run(self._configured, function)

    def _configured(self, function: Callable[[], Any]) -> Any:
        set_thread_configuration(self._joblib)
        if self._keras is not None:
            from skhp.compat import keras

            keras.set_thread_settings(self._keras)
        with sklearn.config_context(**self._scikit_learn), np.errstate(**self._numpy):
            return function()


def warning_settings() -> dict[str, Any]:
    """What `warnings.catch_warnings` would restore."""
    return {name: value for name, value in vars(warnings).items() if name in _WARNING_SETTINGS}


def set_warning_settings(settings: dict[str, Any]) -> None:
    """Restore what `warning_settings` returned."""
    if all(vars(warnings)[name] is value for name, value in settings.items()):
        return
    vars(warnings).update(settings)
    # Python remembers which warnings were shown until it is told that the filters have changed,
    # which this context does.
    with warnings.catch_warnings():
        pass


def generator_states(others: Iterable[Any] = ()) -> tuple[bytes, ...]:
    """The states of NumPy's and Python's global random generators, and of other generators."""
    states = (np.random.get_state(), random.getstate(), *others)
    return tuple(pickle.dumps(state) for state in states)
