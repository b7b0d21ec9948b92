"""Any Keras model as a scikit-learn estimator, with SciKeras' conventions."""
