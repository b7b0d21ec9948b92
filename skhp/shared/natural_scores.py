"""Scores that are errors with the sign reversed, as people read them."""

from __future__ import annotations


def natural_score(name: str, score: float) -> float:
    """The score of a named scorer, with errors and losses as positive numbers."""
    return -score if name.startswith("neg_") else score


def natural_name(name: str) -> str:
    """The name to print beside a natural score, without "neg_"."""
    return name.removeprefix("neg_").replace("_", " ") if name.startswith("neg_") else name
