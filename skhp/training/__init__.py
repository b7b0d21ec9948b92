"""Training of networks: the inputs of a fit, its rows and their order, and its results."""

import skhp.objectives  # loads TensorFlow quietly, so it comes first  # noqa: F401
