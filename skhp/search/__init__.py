"""Searchers of hyperparameters: scikit-learn's and scikit-optimize's, and what they lack."""

from skhp.search.bayes import BayesSearchCV
from skhp.search.grid import GridSearchCV
from skhp.search.halving import HalvingGridSearchCV, HalvingRandomSearchCV
from skhp.search.layer_sizes import LayerSizes
from skhp.search.randomized import RandomizedSearchCV
from skhp.search.suggested_space import suggest_search_space
from skhp.search.tpe import TPESearchCV

__all__ = [
    "BayesSearchCV",
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "LayerSizes",
    "RandomizedSearchCV",
    "TPESearchCV",
    "suggest_search_space",
]
