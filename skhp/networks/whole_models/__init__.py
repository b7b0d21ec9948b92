"""Keras models of users as networks: as known layers, vectorised, or called."""
