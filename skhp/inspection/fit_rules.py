"""The rules for the curves of one fit; each is a function from a fit to a finding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from skhp.inspection.examined_fit import (
    ExaminedFit,
    Finding,
    falling_share,
    noise,
    share_of_late_fall,
)
from skhp.inspection.value_text import is_number, number_text

# Each limit is far from what healthy fits show, so that chance does not give a finding.
_ERRATIC = 0.1  # scatter of single epochs, as a share of the loss of knowing nothing
_WORSE_THAN_NOTHING = 1.2  # times the loss of knowing nothing
_STILL_FALLING = 0.1  # share of the whole fall that came in the last quarter of the epochs
_SLOW = 1000  # epochs to halve the loss
_STEADY = 0.8  # share of the epochs that lowered the training loss
_RISEN = 1.1  # validation loss at the end, divided by its lowest value
_LEAST_RISE = 0.05  # as a share of the loss of knowing nothing
_GAP = 0.3  # validation minus training loss, as a share of the loss of knowing nothing
_SHORT_WAIT = 3  # epochs without an improvement
_STILL_LEARNING = 0.005  # share of the training loss that each of the last epochs took off
_NOTHING_LEARNT = 0.97  # times the loss of a constant prediction
_LEAST_ROWS = 30
_LEAST_OF_CLASS = 5
_MANY_TIMES = 10.0  # a larger share is printed as a multiple
_LARGEST_IN_FULL = 1e7
_MUCH_L2, _MUCH_DROPOUT = 1e-4, 0.5
_FAR_FROM_UNIT = 10.0  # size or deviation of a target, or 1 divided by its deviation
_LEAST_EPOCHS = 30
_LAST_FALL = 0.01  # share of the whole fall that came in the last tenth of the epochs


def findings_of_fit(fit: ExaminedFit) -> list[Finding]:
    """The findings of all rules, or of a few of them where the loss explodes or stands still."""
    # The scale of the target comes first, because it may cause all other findings.
    target = _found(fit, [target_not_scaled])
    for rule in (non_finite_loss, learning_rate_too_high, learning_rate_too_low):
        if (finding := rule(fit)) is not None:
            return [*target, finding, *_found(fit, [few_validation_rows])]
    return target + _found(
        fit, [underfitting, overfitting, too_few_epochs, stopped_too_early, few_validation_rows]
    )


def target_not_scaled(fit: ExaminedFit) -> Finding | None:
    """A regressor learns numbers far from the unit scale that initial weights are made for.

    The output has to grow for many epochs to reach values around 1,000, and each step of the
    learning rate overshoots values around 0.001.
    """
    target = fit.unscaled_target
    if target is None or target.means is None or target.deviations is None:
        return None
    columns = list(zip(target.means, target.deviations, strict=True))
    far = [
        (mean, deviation)
        for mean, deviation in columns
        if math.isfinite(deviation)
        and deviation > 0
        and (math.hypot(mean, deviation) > _FAR_FROM_UNIT or deviation < 1 / _FAR_FROM_UNIT)
    ]
    if not far:
        return None
    mean, deviation = max(far, key=lambda column: abs(math.log(column[1])))
    mend = "Wrap the regressor in scikit-learn's TransformedTargetRegressor with a StandardScaler"
    parameter = "transformer"
    if "scale_target" in fit.parameters:
        mend, parameter = "Set scale_target=True", "scale_target"
    which = "The target" if len(columns) == 1 else f"{len(far)} of {len(columns)} targets"
    one = "has" if len(columns) == 1 else "are far from unit scale; one of them has"
    return Finding(
        "target_not_scaled",
        f"{which} {one} the mean {number_text(mean)} and the standard deviation "
        f"{number_text(deviation)}, and is not scaled; a network learns best if the mean is 0 and "
        f"the deviation is 1. {mend}.",
        deviation,
        parameter,
    )


def non_finite_loss(fit: ExaminedFit) -> Finding | None:
    """The loss became NaN or infinite."""
    finite = np.isfinite(fit.loss) & np.isfinite(fit.watched)
    if finite.all() and fit.stop_reason != "non_finite_loss":
        return None
    epoch = int(np.argmin(finite)) + 1 if not finite.all() else len(fit.loss)
    return Finding(
        "non_finite_loss",
        f"The loss became NaN or infinite in epoch {epoch}. Try a smaller "
        f"{fit.named('learning_rate')} and inputs scaled to unit variance.",
        float(epoch),
        fit.own_name("learning_rate"),
    )


def learning_rate_too_high(fit: ExaminedFit) -> Finding | None:
    """The training loss scatters, or stays above the loss of a constant prediction."""
    late = fit.loss[len(fit.loss) // 4 :]
    scatter = noise(late) / fit.reference
    level = float(np.median(fit.loss[len(fit.loss) // 2 :])) / fit.reference
    if scatter > _ERRATIC:
        return Finding(
            "learning_rate_too_high",
            f"The training loss is erratic: from epoch to epoch it scatters by {_of(scatter)} "
            f"the loss of knowing nothing. Try a smaller {fit.named('learning_rate')}.",
            scatter,
            fit.own_name("learning_rate"),
        )
    # The penalty of large weights may lift the loss above any level, but such a loss falls evenly.
    if level > _WORSE_THAN_NOTHING and falling_share(late) < _STEADY and len(fit.loss) > 3:
        return Finding(
            "learning_rate_too_high",
            f"The training loss stays at {number_text(round(level, 1))} times the loss of knowing "
            f"nothing. Try a smaller {fit.named('learning_rate')}.",
            level,
            fit.own_name("learning_rate"),
        )
    return None


def learning_rate_too_low(fit: ExaminedFit) -> Finding | None:
    """The training loss falls steadily, but takes too many epochs to halve."""
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
        f"The training loss falls evenly, but at a pace that takes {_count(epochs)} epochs to "
        f"halve it. Try a larger {fit.named('learning_rate')}.",
        epochs,
        fit.own_name("learning_rate"),
    )


def underfitting(fit: ExaminedFit) -> Finding | None:
    """No loss falls below the loss of a constant prediction."""
    if fit.constant_loss is None or _still_falls(fit):
        return None
    least = min(float(np.median(np.sort(curve)[:3])) for curve in (fit.loss, fit.watched))
    share = least / fit.constant_loss
    if share < _NOTHING_LEARNT:
        return None
    parameter = fit.own_name("neurons")
    useless = "the columns do not tell the target"
    advice = f"try {fit.larger_network}; if that changes nothing, {useless}"
    for penalty, much in (("l2", _MUCH_L2), ("dropout", _MUCH_DROPOUT)):
        name = fit.own_name(penalty)
        value: Any = fit.parameters.get(name)
        # The default of scikit-learn's alpha is 1e-4.
        if is_number(value) and (value >= much if name == penalty else value > much):
            parameter, advice = name, f"try a smaller {fit.named(penalty)}"
            break
    return Finding(
        "underfitting",
        f"The network underfits: its least loss is {_of(share)} the loss of predicting the same "
        f"for all rows, so {advice}.",
        share,
        parameter,
    )


def overfitting(fit: ExaminedFit) -> Finding | None:
    """The validation loss rose from its least, or is far above the training loss."""
    if fit.val_loss is None or len(fit.loss) < 4:
        return None
    return _risen(fit, fit.val_loss) or _gaping(fit, fit.val_loss)


def _risen(fit: ExaminedFit, val_loss: np.ndarray) -> Finding | None:
    """The weights kept come from an epoch long after the best one."""
    if fit.parameters.get("early_stopping"):
        # Early stopping kept the best epoch, by the loss or by the curve that it watched.
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
        f"try fewer {fit.own_name('epochs')}, {fit.smaller_network}.",
        now / least,
        "early_stopping" if "early_stopping" in fit.parameters else fit.own_name("epochs"),
    )


def _gaping(fit: ExaminedFit, val_loss: np.ndarray) -> Finding | None:
    """At the kept epoch, the gap to the training loss is wide, and wider than at first."""
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
        f"the validation rows, a gap that grew to {_of(gap)} the loss of knowing nothing. Try "
        f"{fit.smaller_network}, or more rows.",
        gap,
        fit.own_name("l2"),
    )


def too_few_epochs(fit: ExaminedFit) -> Finding | None:
    """The training ended at its last epoch while it was improving."""
    if fit.stop_reason != "epochs" or not fit.epochs_are_given:
        return None
    n_epochs = len(fit.loss)
    more = f"Try more {fit.own_name('epochs')}, or a larger {fit.named('learning_rate')}."
    share = share_of_late_fall(fit.watched)
    if _still_falls(fit):
        return Finding(
            "too_few_epochs",
            f"The training was over after {n_epochs} epochs while the loss was still improving at "
            f"the last epoch: {share:.0%} of its fall came in the last quarter. {more}",
            share,
            fit.own_name("epochs"),
        )
    chosen = fit.chosen_by is not None and fit.kept_epoch == n_epochs and n_epochs > 1
    if not chosen and not _ends_at_its_best(fit):
        return None
    curve = fit.chosen_by or ("loss" if fit.val_loss is None else "val_loss")
    return Finding(
        "too_few_epochs",
        f"{curve} was still improving at the last epoch: the best epoch is the last one, "
        f"{n_epochs} of {n_epochs}. {more}",
        share,
        fit.own_name("epochs"),
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
        f"brought no improvement, while the training loss was falling by {pace:.1%} an epoch: the "
        f"lack of improvement may be chance. Try a larger {fit.named('patience')}.",
        float(waited),
        fit.own_name("patience"),
    )


def few_validation_rows(fit: ExaminedFit) -> Finding | None:
    """Early stopping watches too few rows, so that their loss is mostly chance."""
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
        f"epoch from a lucky one. Try a larger {fit.named('validation_fraction')}, or "
        f"no early stopping, with {fit.own_name('epochs')} found by a search.",
        float(count),
        fit.own_name("validation_fraction"),
    )


def _around(curve: np.ndarray, epoch: int) -> float:
    """Median of an epoch, counted from 1, and the two before it."""
    return float(np.median(curve[max(0, epoch - 3) : epoch]))


def _still_falls(fit: ExaminedFit) -> bool:
    return all(share_of_late_fall(curve) >= _STILL_FALLING for curve in (fit.loss, fit.watched))


def _ends_at_its_best(fit: ExaminedFit) -> bool:
    """Whether nothing chose the last epoch, and yet it is the best one by more than noise."""
    if fit.chosen_by is not None or len(fit.loss) < _LEAST_EPOCHS:
        return False
    for curve in (fit.loss, fit.watched):
        tenth = len(curve) // 10
        before, end = (float(np.median(part)) for part in (curve[-2 * tenth : -tenth], curve[-3:]))
        whole = float(curve[0]) - end
        if whole <= 0 or before - end < max(_LAST_FALL * whole, 2 * noise(curve)):
            return False
    return int(np.argmin(fit.watched)) == len(fit.watched) - 1


def _found(fit: ExaminedFit, rules: list[Callable[[ExaminedFit], Finding | None]]) -> list[Finding]:
    return [finding for rule in rules if (finding := rule(fit)) is not None]


def _of(share: float) -> str:
    """A share as a percentage, or as a multiple if it is large."""
    return f"{share:.0%} of" if share < _MANY_TIMES else f"{number_text(float(share))} times"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number < _LARGEST_IN_FULL else number_text(number)
