"""The losses that a training minimises, and the metrics that it is judged by."""

from skhp.compat.quiet_tensorflow import import_tensorflow_quietly

import_tensorflow_quietly()
