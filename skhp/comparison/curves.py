"""Draw the training curves of the repeats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skhp.comparison.repeats import Repeat

__all__ = ["draw_curves"]


def draw_curves(repeats: Sequence[Repeat], path: Path) -> bool:
    """Save the loss of each epoch as PNG: the first repeat in strong lines, the others in thin.

    Parameters
    ----------
    repeats : sequence of Repeat
    path : Path

    Returns
    -------
    bool
        False if matplotlib is not installed, so nothing was drawn.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = {"loss": "tab:blue", "val_loss": "tab:orange"}
    names = {"loss": "training rows", "val_loss": "validation rows"}
    # The first one last, so that it is drawn over the others.
    for number, repeat in reversed(list(enumerate(repeats))):
        for curve in colours.keys() & repeat.history.keys():
            losses = repeat.history[curve]
            axes.plot(
                range(1, len(losses) + 1),
                losses,
                color=colours[curve],
                linewidth=0.6 if number else 2.0,
                alpha=0.4 if number else 1.0,
                label=None if number else names[curve],
            )
    first = repeats[0]
    axes.axvline(
        first.best_epoch,
        color="tab:gray",
        linestyle="--",
        label=f"best epoch of seed {first.seed}",
    )
    others = f" (strong), {len(repeats) - 1} more seeds (thin)" if len(repeats) > 1 else ""
    axes.set(title=f"Training of the network: seed {first.seed}{others}")
    axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    axes.legend()
    figure.savefig(path, format="png", dpi=120)
    return True
