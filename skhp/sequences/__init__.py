"""Turn series and texts into the rows that recurrent networks take."""

from typing import TYPE_CHECKING, Any

from skhp.sequences.channel_scaler import ChannelScaler
from skhp.sequences.sliding_windows import sliding_windows

if TYPE_CHECKING:
    from skhp.sequences.token_sequencer import TokenSequencer

__all__ = ["ChannelScaler", "TokenSequencer", "sliding_windows"]


def __getattr__(name: str) -> Any:
    # Only TokenSequencer needs Keras, which takes seconds to import.
    if name == "TokenSequencer":
        from skhp.sequences.token_sequencer import TokenSequencer

        return TokenSequencer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
