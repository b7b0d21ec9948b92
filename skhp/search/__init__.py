"""Searchers of hyperparameters on those of scikit-learn, and what these lack."""
