"""Rules that find what the curves of one fit say; each is a function from a fit to a finding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from skhp.diagnosis.curve_statistics import falling_share, noise, share_of_late_fall
from skhp.diagnosis.examined_fit import ExaminedFit
from skhp.diagnosis.findings import Finding

__all__ = ["findings_of_fit"]

# Each limit is far from what healthy fits show, so that a finding is no matter of luck.
_ERRATIC = 0.1  # scatter of single epochs, in losses of a constant prediction
_WORSE_THAN_NOTHING = 1.2  # losses of a constant prediction
_STILL_FALLING = 0.1  # share of the whole fall that came in the last quarter of the epochs
_SLOW = 1000  # epochs to halve the loss
_STEADY = 0.8  # share of the epochs that lowered the training loss
_RISEN = 1.1  # validation loss at the end over its least
_LEAST_RISE = 0.05  # losses of a constant prediction
_GAP = 0.3  # validation minus training loss, in losses of a constant prediction
_SHORT_WAIT = 3  # epochs without an improvement
_STILL_LEARNING = 0.005  # share of the training loss that went in each of the last epochs
_NOTHING_LEARNT = 0.97  # losses of a constant prediction
_LEAST_ROWS = 30
_LEAST_OF_CLASS = 5


def findings_of_fit(fit: ExaminedFit) -> list[Finding]:
    """What the rules find.

    A loss that exploded, or that is erratic, says nothing else; nor does one that hardly moved.
    """
    for rule in (non_finite_loss, learning_rate_too_high, learning_rate_too_low):
        if (finding := rule(fit)) is not None:
            return [finding, *_found(fit, [few_validation_rows])]
    return _found(
        fit, [underfitting, overfitting, too_few_epochs, stopped_too_early, few_validation_rows]
    )


def non_finite_loss(fit: ExaminedFit) -> Finding | None:
    """The loss became NaN or infinite."""
    finite = np.isfinite(fit.loss) & np.isfinite(fit.watched)
    if finite.all() and fit.stop_reason != "non_finite_loss":
        return None
    epoch = int(np.argmin(finite)) + 1 if not finite.all() else len(fit.loss)
    return Finding(
        "non_finite_loss",
        f"The loss became NaN or infinite in epoch {epoch}. Try a smaller learning_rate"
        f"{_now(fit, 'learning_rate')} and inputs scaled to unit variance.",
        float(epoch),
        "learning_rate",
    )


def learning_rate_too_high(fit: ExaminedFit) -> Finding | None:
    """The training loss jumps about, or ends above that of knowing nothing without falling."""
    late = fit.loss[len(fit.loss) // 4 :]
    scatter = noise(late) / fit.reference
    level = float(np.median(fit.loss[len(fit.loss) // 2 :])) / fit.reference
    if scatter > _ERRATIC:
        return Finding(
            "learning_rate_too_high",
            f"The training loss is erratic: from epoch to epoch it scatters by {scatter:.0%} of "
            f"the loss of knowing nothing. Try a smaller learning_rate"
            f"{_now(fit, 'learning_rate')}.",
            scatter,
            "learning_rate",
        )
    # A penalty of large weights may be above any loss, but falls evenly.
    if level > _WORSE_THAN_NOTHING and falling_share(late) < _STEADY and len(fit.loss) > 3:
        return Finding(
            "learning_rate_too_high",
            f"The training loss stays at {level:.1f} times that of knowing nothing. Try a smaller "
            f"learning_rate{_now(fit, 'learning_rate')}.",
            level,
            "learning_rate",
        )
    return None


def learning_rate_too_low(fit: ExaminedFit) -> Finding | None:
    """The training loss falls steadily, but so slowly that it will not get anywhere."""
    if len(fit.loss) < 4 or falling_share(fit.loss) < _STEADY:
        return None
    pace = float(fit.loss[0] - fit.loss[-1]) / (len(fit.loss) - 1)
    if pace <= 0 or share_of_late_fall(fit.loss) < _STILL_FALLING:
        return None
    epochs = float(fit.loss[-1]) / 2 / pace
    if epochs < _SLOW:
        return None
    return Finding(
        "learning_rate_too_low",
        f"The training loss falls evenly, but at a pace that takes {epochs:,.0f} epochs to halve "
        f"it. Try a larger learning_rate{_now(fit, 'learning_rate')}.",
        epochs,
        "learning_rate",
    )


def underfitting(fit: ExaminedFit) -> Finding | None:
    """No loss gets below that of a constant prediction."""
    if fit.constant_loss is None or _still_falls(fit):
        return None
    least = min(float(np.median(np.sort(curve)[:3])) for curve in (fit.loss, fit.watched))
    share = least / fit.constant_loss
    if share < _NOTHING_LEARNT:
        return None
    parameter = "neurons"
    advice = "try more neurons or hidden_layers; if that changes nothing, the columns say nothing"
    for penalty, much in (("l2", 1e-4), ("dropout", 0.5)):
        value = fit.parameters.get(penalty)
        if isinstance(value, float | int) and value >= much:
            parameter, advice = penalty, f"try a smaller {penalty} (now {value:g})"
            break
    return Finding(
        "underfitting",
        f"The network underfits: its least loss is {share:.0%} of that of predicting the same for "
        f"all rows, so {advice}.",
        share,
        parameter,
    )


def overfitting(fit: ExaminedFit) -> Finding | None:
    """The validation loss rose from its least, or is far above the training loss."""
    if fit.val_loss is None or len(fit.loss) < 4:
        return None
    return _risen(fit, fit.val_loss) or _gaping(fit, fit.val_loss)


def _risen(fit: ExaminedFit, val_loss: np.ndarray) -> Finding | None:
    """The weights kept are those of an epoch long after the best one."""
    if fit.parameters.get("early_stopping"):
        # They are those of the best epoch, if not by the loss then by what was watched.
        return None
    until = val_loss[: fit.kept_epoch]
    width = max(3, len(until) // 10)
    if len(until) <= width:
        return None
    levels = np.median(sliding_window_view(until, width), axis=1)
    now, least, trained = float(levels[-1]), float(levels.min()), _around(fit.loss, fit.kept_epoch)
    risen = now - least
    if now < _RISEN * least or risen < max(_LEAST_RISE * fit.reference, 3 * noise(val_loss)):
        return None
    return Finding(
        "overfitting",
        f"The network overfits: the validation loss was {least:.3g} around epoch "
        f"{int(np.argmin(until)) + 1} and is {now:.3g} in epoch {fit.kept_epoch}, whose weights "
        f"were kept, while the training loss fell to {trained:.3g}. Set early_stopping=True, or "
        "try fewer epochs or neurons, a larger l2 or dropout.",
        now / least,
        "early_stopping" if "early_stopping" in fit.parameters else "epochs",
    )


def _gaping(fit: ExaminedFit, val_loss: np.ndarray) -> Finding | None:
    """The gap to the training loss is wide where the weights were kept, and grew until there."""
    if fit.parameters.get("class_weight") is not None:
        # The training loss is weighted and the validation loss is not.
        return None
    now, trained = _around(val_loss, fit.kept_epoch), _around(fit.loss, fit.kept_epoch)
    gap = (now - trained) / fit.reference
    first = float(np.median((val_loss - fit.loss)[:3])) / fit.reference
    if gap < _GAP or gap - first < _GAP / 2:
        return None
    return Finding(
        "overfitting",
        f"The network overfits: its loss is {trained:.3g} on the training rows and {now:.3g} on "
        f"the validation rows, a gap of {gap:.0%} of the loss of knowing nothing that grew while "
        "it trained. Try fewer neurons, a larger l2 or dropout, or more rows.",
        gap,
        "l2",
    )


def too_few_epochs(fit: ExaminedFit) -> Finding | None:
    """The training ended at its last epoch while the loss was falling."""
    if fit.stop_reason != "epochs" or not _still_falls(fit):
        return None
    share = share_of_late_fall(fit.watched)
    return Finding(
        "too_few_epochs",
        f"The training was over after {len(fit.loss)} epochs while the loss was still falling: "
        f"{share:.0%} of its fall came in the last quarter. Try more epochs, or a larger "
        f"learning_rate{_now(fit, 'learning_rate')}.",
        share,
        "epochs",
    )


def stopped_too_early(fit: ExaminedFit) -> Finding | None:
    """Patience ran out after a few epochs while the network was learning."""
    waited = len(fit.loss) - fit.kept_epoch
    if fit.stop_reason != "patience" or waited > _SHORT_WAIT or len(fit.loss) < 2:
        return None
    pace = float(np.median(-np.diff(fit.loss)[-3:])) / float(fit.loss[-1])
    if pace < _STILL_LEARNING:
        return None
    return Finding(
        "stopped_too_early",
        f"Early stopping ended the training after {len(fit.loss)} epochs, when {waited} had "
        f"brought no improvement, while the training loss was falling by {pace:.1%} an epoch: that "
        f"may be chance. Try a larger patience{_now(fit, 'patience')}.",
        float(waited),
        "patience",
    )


def few_validation_rows(fit: ExaminedFit) -> Finding | None:
    """So few rows are watched that their loss is mostly luck."""
    if fit.rarest_held_out is not None and fit.rarest_held_out < _LEAST_OF_CLASS:
        count, of_what = fit.rarest_held_out, " of the rarest class"
    elif fit.held_out_rows is not None and fit.held_out_rows < _LEAST_ROWS:
        count, of_what = fit.held_out_rows, ""
    else:
        return None
    rows = "row" if count == 1 else "rows"
    return Finding(
        "few_validation_rows",
        f"Early stopping watched only about {count} {rows}{of_what}, too few to tell a better "
        f"epoch from a lucky one. Try a larger validation_fraction"
        f"{_now(fit, 'validation_fraction')}, or early_stopping=False with epochs found by a "
        "search.",
        float(count),
        "validation_fraction",
    )


def _around(curve: np.ndarray, epoch: int) -> float:
    """Median of an epoch, counted from 1, and the two before it."""
    return float(np.median(curve[max(0, epoch - 3) : epoch]))


def _still_falls(fit: ExaminedFit) -> bool:
    return all(share_of_late_fall(curve) >= _STILL_FALLING for curve in (fit.loss, fit.watched))


def _found(fit: ExaminedFit, rules: list[Callable[[ExaminedFit], Finding | None]]) -> list[Finding]:
    return [finding for rule in rules if (finding := rule(fit)) is not None]


def _now(fit: ExaminedFit, parameter: str) -> str:
    value = fit.parameters.get(parameter)
    return f" (now {value:g})" if isinstance(value, float | int) else ""
