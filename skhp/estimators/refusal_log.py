"""Tells why Keras trains a network by itself, once for each reason."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import Any

from skhp.exceptions import CannotJoinError


def callbacks_reason(callbacks: Any) -> str:
    """That there are callbacks of Keras, and which kinds of them."""
    listed = callbacks if isinstance(callbacks, Iterable) else [callbacks]
    kinds = [one if isinstance(one, type) else type(one) for one in listed]
    return f"callbacks run in Python ({', '.join(dict.fromkeys(kind.__name__ for kind in kinds))})"


def log_refusal(estimator_name: str, refusal: CannotJoinError) -> None:
    """Tell, once for each reason, that Keras trains a model by itself."""
    _log_once(estimator_name, refusal.reason)


@functools.lru_cache(256)
def _log_once(estimator_name: str, reason: str) -> None:
    logging.getLogger("skhp").info(
        "Keras trains the model of %s by itself, and not within a population: %s",
        estimator_name,
        reason,
    )
