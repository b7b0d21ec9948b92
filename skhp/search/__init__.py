"""Searchers of hyperparameters: scikit-learn's, scikit-optimize's and Optuna's, and what they lack."""
