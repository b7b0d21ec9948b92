"""Searchers of hyperparameters that extend those of scikit-learn."""
