"""Moved."""

from skhp.adoption import *  # noqa: F403
from skhp.adoption import AdoptableFit, adoptable_fit, adopting, prepared_once, shared_preparation  # noqa: F401
