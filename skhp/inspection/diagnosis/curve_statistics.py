"""Statistics of training curves that single epochs do not upset."""

from __future__ import annotations

import numpy as np

__all__ = ["falling_share", "noise", "share_of_late_fall", "smoothed"]

# The standard deviation of normal noise is so many times its median absolute deviation.
_NORMAL = 1.4826


def smoothed(curve: np.ndarray) -> np.ndarray:
    """Medians of each epoch with its two neighbours; the first and the last as they are."""
    if len(curve) < 3:
        return curve
    middle = np.median([curve[:-2], curve[1:-1], curve[2:]], axis=0)
    return np.concatenate([curve[:1], middle, curve[-1:]])


def noise(curve: np.ndarray) -> float:
    """Standard deviation of the scatter of single epochs around a curve that bends slowly.

    It is taken from the median absolute second difference, in which slopes cancel and a few jumps
    do not count; 0 for fewer than four epochs.
    """
    if len(curve) < 4:
        return 0.0
    bends = curve[2:] - 2 * curve[1:-1] + curve[:-2]
    return float(_NORMAL * np.median(np.abs(bends)) / np.sqrt(6))


def share_of_late_fall(curve: np.ndarray) -> float:
    """Which share of its whole fall a curve fell in the last quarter of its epochs.

    A straight fall has a quarter; an exponential one that ends after two time constants has a
    tenth; one that has come to rest has nothing. 0 for a curve that fell by no more than its noise.
    """
    if len(curve) < 2:
        return 0.0
    quiet = smoothed(curve)
    quarter = max(1, len(curve) // 4)
    # The ends are single epochs, so medians of what surrounds them stand for them.
    width = min(3, quarter)
    end = float(np.median(curve[-width:]))
    before = float(np.median(curve[-quarter - width : len(curve) - quarter] if quarter else end))
    fall, whole = before - end, float(quiet[0]) - end
    if whole <= 0 or fall <= 2 * noise(curve[-2 * quarter - 2 :]) / np.sqrt(width):
        return 0.0
    return fall / whole


def falling_share(curve: np.ndarray) -> float:
    """Share of the epochs whose value is below that of the epoch before."""
    return float(np.mean(np.diff(curve) < 0)) if len(curve) > 1 else 0.0
