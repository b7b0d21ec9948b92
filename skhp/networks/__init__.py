"""Networks: frozen descriptions, and computations for many members at once."""

import skhp.objectives  # loads TensorFlow quietly, so it comes first  # noqa: F401
