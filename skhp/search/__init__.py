"""Searchers of hyperparameters: scikit-learn's and scikit-optimize's, and what they lack."""

from skhp.search.grid import GridSearchCV
from skhp.search.halving import HalvingGridSearchCV, HalvingRandomSearchCV
from skhp.search.randomized import RandomizedSearchCV

__all__ = [
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
]
