"""Tells why Keras trains a network by itself, once for each reason."""

from __future__ import annotations

import functools
import logging
import re

from skhp.exceptions import CannotJoinError


def log_refusal(estimator_name: str, refusal: CannotJoinError) -> None:
    """Tell, once for each reason, that Keras trains a model by itself."""
    # Keras numbers the names of models and layers, and objects have addresses.
    _log_once(estimator_name, re.sub(r"_\d+| at 0x[0-9a-f]+", "", str(refusal)))


@functools.lru_cache(256)
def _log_once(estimator_name: str, reason: str) -> None:
    logging.getLogger("skhp").info(
        "Keras trains the model of %s by itself, and not within a population: %s",
        estimator_name,
        reason,
    )
