"""scikit-learn estimators."""

import skhp.objectives  # loads TensorFlow quietly, so it comes first  # noqa: F401
