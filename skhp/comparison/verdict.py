"""The verdict of a comparison in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, isnan, log10
from typing import Any

from skhp.comparison.statistics import CorrectedTTest, least_clear_difference, rows_needed
from skhp.shared.natural_scores import natural_name

_LEVEL = 0.05
_TITLES = {"f1": "F1", "roc_auc": "ROC AUC", "r2": "R2", "neg_brier_score": "Brier score"}
# A score below this is a rounding error, and a number above this has more digits than anyone reads.
_ROUNDING, _LARGEST = 1e-9, 1e9
# A difference counts as none if even this multiple of the rows would not make it clear.
_MOST_TIMES_THE_ROWS = 100


@dataclass(frozen=True)
class DummyScore:
    """The best constant answer to a metric, such as "always 'sick'", and its score.

    `score` is positive for errors and losses, too; `is_perfect` means that no score is better.
    """

    answer: str
    score: float
    is_perfect: bool = False


def verdict_sentence(
    row: Any,
    name: str,
    baseline: str,
    metric: str,
    n_repeats: int,
    n_folds: int,
    n_estimators: int = 1,
    *,
    n_rows: int | None = None,
    n_values: int | None = None,
    lower_is_better: bool = False,
    beats_dummy: bool = True,
) -> str:
    """What an estimator gains over the baseline, how sure that is, and how much a seed moves it.

    Only a difference that the corrected test calls clear is a gain or a loss; with several
    estimators, the p-value that Holm's method adjusts has to be clear as well. `n_values` is the
    number of differences that were tested, if not one for each split. With `n_rows`, the sentence
    says how many rows would be needed. An estimator that does not beat the dummy has no gain.
    """
    title, difference = metric_title(metric, lower_is_better), row["difference"]
    low, high = row["difference_low"], row["difference_high"]
    over = f"over {split_count(n_repeats, n_folds)}"
    luck = _luck(row["seed_std"])
    amount = _amount(difference, lower_is_better)
    if isnan(low):
        return (
            f"The {title} of {name} is {amount} that of {baseline} {over}, which do "
            f"not tell how much of that is luck{luck}."
        ).replace("1 split, which do", "1 split, which does")
    p_value, is_clear = p_value_text(row["p_value"]), not low <= 0 <= high
    if n_estimators > 1:
        adjusted = row["p_value_adjusted"]
        p_value += f", by Holm for {n_estimators} estimators {p_value_text(adjusted)}"
    if low == high == 0:
        return f"No difference: {name} and {baseline} have the same {title} in every fold {over}."
    if not is_clear or (n_estimators > 1 and adjusted >= _LEVEL):
        test = CorrectedTTest(difference, low, high, row["p_value"])
        n_values = n_repeats * n_folds if n_values is None else n_values
        least = least_clear_difference(test, n_values, n_estimators)
        many = f", since {n_estimators} estimators were compared" if is_clear else ""
        but = (
            f" (95% interval of the difference {decimal(low)} to {decimal(high)}, {p_value})"
            if is_clear
            else f", but the 95% interval of the difference, {decimal(low)} to {decimal(high)}, "
            f"holds 0 ({p_value})"
        )
        return (
            f"No clear difference{many}: the {title} of {name} is {amount} that of {baseline}"
            f"{but} {over}{luck}.{_more_rows(difference, least, n_rows)}"
        )
    is_gain = (difference < 0) == lower_is_better
    word = "Loss" if not is_gain else "Gain" if beats_dummy else "No gain"
    nearer, farther = sorted((abs(low), abs(high)))
    return (
        f"{word}: the {title} of {name} is {amount} that of {baseline} (95% interval "
        f"{decimal(nearer)} to {decimal(farther)}, {p_value}) {over}{luck}."
    )


def _more_rows(difference: float, least: float, n_rows: int | None) -> str:
    """How large a difference these rows can show, and how many rows the one found needs."""
    if n_rows is None:
        return ""
    these = f" These {n_rows:,} rows can show a difference of about {decimal(least)}"
    needed = rows_needed(n_rows, difference, least) if difference else float("inf")
    if needed > n_rows * _MOST_TIMES_THE_ROWS:
        return f"{these}; this one is so near to 0 that more rows are of no use."
    if needed <= n_rows:
        # Holm's method asks less of the second p-value than of the smallest.
        return f"{these}."
    # Only the first two digits of the estimate can be trusted.
    step = 10 ** max(0, floor(log10(needed)) - 1)
    about = -(-int(needed) // step) * step
    return f"{these}; to show this one, about {about:,} would be needed."


def dummy_sentences(
    dummy: DummyScore, rows: Mapping[str, Any], metric: str, lower_is_better: bool = False
) -> str:
    """Sentences that name the estimators that are not better than the dummy, or an empty text."""
    title = metric_title(metric, lower_is_better)
    said = f"the dummy ({dummy.answer}, {title} {decimal(dummy.score)})"
    if dummy.is_perfect:
        return f"{title[:1].upper()}{title[1:]} alone tells little: nothing is better than {said}."
    worse = [name for name, row in rows.items() if row["dummy_difference"] <= 0]
    unclear = [
        name
        for name, row in rows.items()
        if name not in worse and row["dummy_difference_low"] <= 0 <= row["dummy_difference_high"]
    ]
    sentences = []
    for names, better in ((worse, "better"), (unclear, "clearly better")):
        if names:
            sentences.append(f"{_none_of(names)} {better} than {said}.")
            said = "the dummy"
    return " ".join(sentences)


def _none_of(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is not"
    if len(names) == 2:
        return f"Neither {names[0]} nor {names[1]} is"
    return f"None of {', '.join(names[:-1])} and {names[-1]} is"


def split_count(n_repeats: int, n_folds: int) -> str:
    """The number of splits in words."""
    if n_repeats == 1:
        return "1 split" if n_folds == 1 else f"{n_folds} folds"
    return f"{n_repeats} repeats of {'1 split' if n_folds == 1 else f'{n_folds} folds'}"


def metric_title(metric: str, lower_is_better: bool = False) -> str:
    """The name of a metric as it is written in a sentence."""
    if metric in _TITLES:
        return _TITLES[metric]
    return natural_name(metric) if lower_is_better else metric


def metric_key(name: str) -> str:
    """A key that the label and the scorer's name of a metric share, whatever their capitals."""
    plain = re.sub(r"[\W_]+", "", name.lower().replace("\u00b2", "2"))
    return re.sub(r"^neg(ative)?", "", plain) or plain


def decimal(value: float, signed: bool = False) -> str:
    """A number with three decimals; whole where it is large, with three digits where it is tiny."""
    if isnan(value):
        return "-"
    sign, size = "+" if signed else "", abs(value)
    if _ROUNDING < size < 0.0005 or size >= _LARGEST:
        return f"{value:{sign}.3g}"
    text = f"{value:{sign}.3f}" if size < 1000 else f"{value:{sign}.0f}"
    return text.replace("-0.000", "0.000")


def p_value_text(p_value: float) -> str:
    """A p-value with three decimals."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _amount(difference: float, lower_is_better: bool) -> str:
    if difference == 0:
        return "equal to"
    word = "higher" if difference > 0 else "lower"
    if lower_is_better:
        # Not every reader knows that a lower error is better.
        word += " (worse)" if difference > 0 else " (better)"
    return f"{decimal(abs(difference))} {word} than"


def _luck(seed_std: float) -> str:
    if isnan(seed_std):
        return ""
    if seed_std == 0:
        return "; its seed has no effect"
    return f"; another seed alone moves it by about {decimal(seed_std)}"
