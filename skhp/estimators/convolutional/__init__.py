"""Convolutional networks as scikit-learn estimators."""
