"""What a training aims at: losses, and the metrics that it is watched by."""

from skhp.compat.quiet_tensorflow import import_tensorflow_quietly

import_tensorflow_quietly()
