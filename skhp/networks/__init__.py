"""Networks: frozen descriptions, and the Keras models that are built from them."""

from skhp.networks.quiet_tensorflow import import_tensorflow_quietly

import_tensorflow_quietly()

from skhp.networks.batched_network import (  # noqa: E402
    ActivationLayer,
    BatchedNetwork,
    DenseLayer,
    DropoutLayer,
    NetworkNumbers,
    batched_network,
    flattened,
    network_numbers,
    unflattened,
    zero_at_zero,
)
from skhp.networks.build import build_network, rescaled_network  # noqa: E402
from skhp.networks.description import (  # noqa: E402
    ACTIVATIONS,
    NetworkDescription,
    NetworkStructure,
    OutputKind,
    describe_network,
    layer_sizes,
)
from skhp.networks.familiar_losses import (  # noqa: E402
    CLASSIFICATION_ALIASES,
    REGRESSION_ALIASES,
    is_for_two_classes,
    own_loss,
    why_not,
)
from skhp.networks.initial_network import (  # noqa: E402
    InitialNetwork,
    initial_network,
    numbers_of,
)
from skhp.networks.logits import logits  # noqa: E402
from skhp.networks.losses import (  # noqa: E402
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    NetworkLoss,
    keras_loss,
)
from skhp.networks.network_memory import (  # noqa: E402
    COPIES_OF_WEIGHTS,
    NetworkSize,
    network_size,
)
from skhp.networks.optimizers import (  # noqa: E402
    OPTIMIZERS,
    SCHEDULES,
    PlateauSchedule,
    Schedule,
    schedule_from,
)
from skhp.networks.predictions import (  # noqa: E402
    predicted_logits,
    predicted_logits_of_members,
)
from skhp.networks.program_cache import CacheCounts, ProgramCache  # noqa: E402
from skhp.networks.saving import (  # noqa: E402
    SavedNetwork,
    compile_network,
    copy_network,
    restore_network,
    save_network,
)

__all__ = [
    "ACTIVATIONS",
    "CLASSIFICATION_ALIASES",
    "CLASSIFICATION_LOSSES",
    "COPIES_OF_WEIGHTS",
    "OPTIMIZERS",
    "REGRESSION_ALIASES",
    "REGRESSION_LOSSES",
    "SCHEDULES",
    "ActivationLayer",
    "BatchedNetwork",
    "CacheCounts",
    "DenseLayer",
    "DropoutLayer",
    "InitialNetwork",
    "NetworkDescription",
    "NetworkLoss",
    "NetworkNumbers",
    "NetworkSize",
    "NetworkStructure",
    "OutputKind",
    "PlateauSchedule",
    "ProgramCache",
    "SavedNetwork",
    "Schedule",
    "batched_network",
    "build_network",
    "compile_network",
    "copy_network",
    "describe_network",
    "flattened",
    "import_tensorflow_quietly",
    "initial_network",
    "is_for_two_classes",
    "keras_loss",
    "layer_sizes",
    "logits",
    "network_numbers",
    "network_size",
    "numbers_of",
    "own_loss",
    "predicted_logits",
    "predicted_logits_of_members",
    "rescaled_network",
    "restore_network",
    "save_network",
    "schedule_from",
    "unflattened",
    "why_not",
    "zero_at_zero",
]
