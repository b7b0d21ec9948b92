"""Say in a sentence what a comparison has found."""

from __future__ import annotations

from math import isnan
from typing import Any

__all__ = ["decimal", "metric_title", "p_value_text", "split_count", "verdict_sentence"]

_LEVEL = 0.05
_TITLES = {"f1": "F1", "roc_auc": "ROC AUC", "r2": "R2"}


def verdict_sentence(
    row: Any,
    name: str,
    baseline: str,
    metric: str,
    n_repeats: int,
    n_folds: int,
    n_estimators: int = 1,
) -> str:
    """What an estimator gains over the baseline, how sure that is, and how much a seed moves it.

    Parameters
    ----------
    row : mapping
        The row of the estimator and metric in the frame of a `Comparison`.
    name, baseline, metric : str
    n_repeats, n_folds : int
    n_estimators : int, default=1
        How many were compared to the baseline. Of several, a difference is clear only if it is so
        by the p-value that Holm's method adjusts for that.

    Returns
    -------
    str

    Examples
    --------
    >>> row = {"difference": 0.12, "difference_low": 0.05, "difference_high": 0.19,
    ...     "p_value": 0.002, "seed_std": 0.02}
    >>> sentence = verdict_sentence(row, "network", "logistic", "f1", 30, 5)
    >>> first, second = sentence.split(" over ")
    >>> first
    'The F1 of network is 0.120 higher than that of logistic (95% interval 0.050 to 0.190, p = 0.002)'
    >>> second
    '30 repeats of 5 folds; another seed alone moves it by about 0.020.'
    """  # noqa: E501
    title, difference = metric_title(metric), row["difference"]
    low, high = row["difference_low"], row["difference_high"]
    over = f"over {split_count(n_repeats, n_folds)}"
    luck = _luck(row["seed_std"])
    if isnan(low):
        return (
            f"The {title} of {name} is {_amount(difference)} that of {baseline} {over}, which do "
            f"not tell how much of that is luck{luck}."
        ).replace("1 split, which do", "1 split, which does")
    p_value, is_clear = p_value_text(row["p_value"]), not low <= 0 <= high
    if n_estimators > 1:
        adjusted = row["p_value_adjusted"]
        p_value += f", by Holm for {n_estimators} estimators {p_value_text(adjusted)}"
    if low == high == 0:
        return f"No difference: {name} and {baseline} have the same {title} in every fold {over}."
    if is_clear and n_estimators > 1 and adjusted >= _LEVEL:
        return (
            f"No clear difference, since {n_estimators} estimators were compared: the {title} of "
            f"{name} is {_amount(difference)} that of {baseline} (95% interval of the difference "
            f"{decimal(low)} to {decimal(high)}, {p_value}) {over}{luck}."
        )
    if not is_clear:
        return (
            f"No clear difference: the {title} of {name} is {_amount(difference)} that of "
            f"{baseline}, but the 95% interval of the difference, {decimal(low)} to "
            f"{decimal(high)}, holds 0 ({p_value}) {over}{luck}."
        )
    nearer, farther = sorted((abs(low), abs(high)))
    return (
        f"The {title} of {name} is {_amount(difference)} that of {baseline} (95% interval "
        f"{decimal(nearer)} to {decimal(farther)}, {p_value}) {over}{luck}."
    )


def split_count(n_repeats: int, n_folds: int) -> str:
    """How often was split, in words.

    Examples
    --------
    >>> split_count(30, 5), split_count(1, 5), split_count(1, 1)
    ('30 repeats of 5 folds', '5 folds', '1 split')
    """
    if n_repeats == 1:
        return "1 split" if n_folds == 1 else f"{n_folds} folds"
    return f"{n_repeats} repeats of {'1 split' if n_folds == 1 else f'{n_folds} folds'}"


def metric_title(metric: str) -> str:
    """The name of a metric as it is written in a sentence.

    Examples
    --------
    >>> metric_title("f1"), metric_title("neg_mean_absolute_error"), metric_title("my_cost")
    ('F1', 'negative mean absolute error', 'my_cost')
    """
    if metric.startswith("neg_"):
        return f"negative {metric.removeprefix('neg_').replace('_', ' ')}"
    return _TITLES.get(metric, metric)


def decimal(value: float, signed: bool = False) -> str:
    """A number of three decimals, or of four digits where it is large.

    Examples
    --------
    >>> decimal(0.1234), decimal(0.5, signed=True), decimal(-123456.7), decimal(float("nan"))
    ('0.123', '+0.500', '-1.235e+05', '-')
    """
    if isnan(value):
        return "-"
    sign = "+" if signed else ""
    text = f"{value:{sign}.3f}" if abs(value) < 1000 else f"{value:{sign}.4g}"
    return text.replace("-0.000", "0.000")


def p_value_text(p_value: float) -> str:
    """A p-value of three decimals.

    Examples
    --------
    >>> p_value_text(0.0312), p_value_text(1e-9)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _amount(difference: float) -> str:
    if difference == 0:
        return "equal to"
    return f"{decimal(abs(difference))} {'higher' if difference > 0 else 'lower'} than"


def _luck(seed_std: float) -> str:
    if isnan(seed_std):
        return ""
    if seed_std == 0:
        return "; its seed has no part in it"
    return f"; another seed alone moves it by about {decimal(seed_std)}"
