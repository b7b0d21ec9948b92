"""Networks: frozen descriptions, and the Keras models that are built from them."""

from skhp.compat.quiet_tensorflow import import_tensorflow_quietly

import_tensorflow_quietly()

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
from skhp.networks.layered_network import LayeredNetwork, layered_network  # noqa: E402
from skhp.networks.layers import zero_at_zero  # noqa: E402
from skhp.networks.logits import logits  # noqa: E402
from skhp.networks.losses import (  # noqa: E402
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    NetworkLoss,
    keras_loss,
)
from skhp.networks.network import Cost, Network, flattened, unflattened  # noqa: E402
from skhp.networks.network_memory import NetworkSize, network_size  # noqa: E402
from skhp.networks.network_numbers import NetworkNumbers, network_numbers  # noqa: E402
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
    "OPTIMIZERS",
    "REGRESSION_ALIASES",
    "REGRESSION_LOSSES",
    "SCHEDULES",
    "CacheCounts",
    "Cost",
    "InitialNetwork",
    "LayeredNetwork",
    "Network",
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
    "layered_network",
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
