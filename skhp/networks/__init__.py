"""Networks: frozen descriptions, and the Keras models that are built from them."""

from skhp.networks.quiet_tensorflow import import_tensorflow_quietly

import_tensorflow_quietly()

from skhp.networks.build import build_network  # noqa: E402
from skhp.networks.description import (  # noqa: E402
    ACTIVATIONS,
    NetworkDescription,
    NetworkStructure,
    OutputKind,
    describe_network,
)
from skhp.networks.logits import logits  # noqa: E402
from skhp.networks.losses import (  # noqa: E402
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    keras_loss,
)
from skhp.networks.optimizers import (  # noqa: E402
    OPTIMIZERS,
    SCHEDULES,
    PlateauSchedule,
    Schedule,
    schedule_from,
)
from skhp.networks.saving import (  # noqa: E402
    SavedNetwork,
    compile_network,
    copy_network,
    restore_network,
    save_network,
)

__all__ = [
    "ACTIVATIONS",
    "CLASSIFICATION_LOSSES",
    "OPTIMIZERS",
    "REGRESSION_LOSSES",
    "SCHEDULES",
    "NetworkDescription",
    "NetworkStructure",
    "OutputKind",
    "PlateauSchedule",
    "SavedNetwork",
    "Schedule",
    "build_network",
    "compile_network",
    "copy_network",
    "describe_network",
    "import_tensorflow_quietly",
    "keras_loss",
    "logits",
    "restore_network",
    "save_network",
    "schedule_from",
]
