"""Training of networks: what a fit needs, its rows and their order, and what it leaves."""

import skhp.objectives  # loads TensorFlow quietly, so it comes first  # noqa: F401
