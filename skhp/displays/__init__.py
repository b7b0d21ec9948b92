"""Pictures of trainings, searches and thresholds, in the manner of scikit-learn's displays."""

from skhp.displays.history_display import HistoryDisplay
from skhp.displays.search_display import SearchDisplay
from skhp.displays.search_history_display import SearchHistoryDisplay
from skhp.displays.threshold_display import ThresholdDisplay

__all__ = ["HistoryDisplay", "SearchDisplay", "SearchHistoryDisplay", "ThresholdDisplay"]
