"""Networks: frozen descriptions, and what is computed for many members at once."""

import skhp.objectives  # loads TensorFlow quietly, so it comes first  # noqa: F401
