"""A journal as text of 80 columns."""

from __future__ import annotations

import math
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean, pstdev

from skhp.exceptions import JournalDamagedError
from skhp.search.journal.finished_fold import FinishedFold
from skhp.search.journal.reading import JournalContents, read_journal_file

__all__ = ["render_journal", "report_of_file"]

_WIDTH = 80
_INDENT = 11


@dataclass(frozen=True)
class _Candidate:
    """The finished folds of one candidate in one iteration."""

    parameters: str
    iteration: int
    folds: Sequence[FinishedFold]

    def scores(self, name: str) -> list[float]:
        return [fold.scores.get(name, math.nan) for fold in self.folds]


def report_of_file(path: Path, best: int = 10) -> str:
    """The report of a journal, whose file is left as it is.

    Parameters
    ----------
    path : path
    best : int, default=10
        How many candidates are listed.

    Returns
    -------
    str

    Raises
    ------
    JournalError
        The file cannot be read as a journal.
    """
    try:
        return render_journal(path, read_journal_file(path), best)
    except JournalDamagedError as error:
        raise JournalDamagedError(f"{error}; give the path of a whole journal") from None


def render_journal(path: Path, contents: JournalContents, best: int = 10) -> str:
    """What search it was, how much of it is finished, and the best candidates.

    Parameters
    ----------
    path : path
        Where the journal is.
    contents : JournalContents
    best : int, default=10
        How many candidates are listed.

    Returns
    -------
    str
        Plain text; no line is longer than 80 characters.
    """
    finished = list(contents.finished.values())
    candidates = _candidates(finished)
    lines = [*_wrapped(f"Journal of a search: {path}", ""), ""]
    for part in fields(contents.identity):
        if text := getattr(contents.identity, part.name):
            lines += _fact(part.name, text)
    lines.append("")
    lines += _progress(finished, candidates)
    scores = list(dict.fromkeys(name for fold in finished for name in fold.scores))
    if scores:
        # The scores of a fit are recorded with that of the test rows, the first metric, in front.
        name = next((name for name in scores if name.startswith("test")), scores[0])
        lines += ["", *_table(name, candidates, best)]
    return "\n".join(lines) + "\n"


def _candidates(finished: Sequence[FinishedFold]) -> list[_Candidate]:
    groups: dict[tuple[str, int], list[FinishedFold]] = defaultdict(list)
    for fold in finished:
        groups[fold.parameters, fold.iteration].append(fold)
    return [_Candidate(*key, folds) for key, folds in groups.items()]


def _progress(finished: Sequence[FinishedFold], candidates: Sequence[_Candidate]) -> list[str]:
    failed = sum(fold.error is not None for fold in finished)
    different = len({candidate.parameters for candidate in candidates})
    if not finished:
        return _fact("finished", "nothing yet")
    lines = _fact("candidates", str(different))
    if iterations := max(candidate.iteration for candidate in candidates):
        lines += _fact("iterations", str(iterations + 1))
    lines += _fact("fits", f"{len(finished)} finished, {failed} of them failed")
    seconds = [sum(fold.fit_seconds for fold in finished)]
    seconds.append(sum(fold.score_seconds for fold in finished))
    lines += _fact("seconds", f"{seconds[0]:.1f} of fits, {seconds[1]:.1f} of scores")
    times = sorted(fold.finished_at for fold in finished)
    return lines + _fact("finished", f"{times[0]} to {times[-1]}")


def _table(name: str, candidates: Sequence[_Candidate], best: int) -> list[str]:
    # A score of fewer rows, or over fewer folds, cannot be compared with one of more.
    def rank(candidate: _Candidate) -> tuple[float, ...]:
        mean = fmean(candidate.scores(name))
        worst = math.isnan(mean)
        return (-candidate.iteration, -len(candidate.folds), worst, 0.0 if worst else -mean)

    ranked = sorted(candidates, key=rank)[:best]
    lines = [
        f"Best candidates by mean {name}:",
        "",
        f"{'mean':>9} {'std':>8} {'folds':>6} {'failed':>7} {'epochs':>7} {'fit s':>8} {'iter':>5}",
    ]
    for candidate in ranked:
        folds, scores = candidate.folds, candidate.scores(name)
        epochs = [fold.epochs for fold in folds if fold.epochs is not None]
        # The deviation of an infinite score is none.
        deviation = pstdev(scores) if all(map(math.isfinite, scores)) else math.nan
        lines.append(
            f"{fmean(scores):>9.4g} {deviation:>8.2g} {len(folds):>6} "
            f"{sum(fold.error is not None for fold in folds):>7} "
            f"{f'{fmean(epochs):.1f}' if epochs else '-':>7} "
            f"{fmean(fold.fit_seconds for fold in folds):>8.2f} {candidate.iteration:>5}"
        )
        lines += _wrapped(candidate.parameters, "    ")
    return lines


def _fact(name: str, text: str) -> list[str]:
    first, *rest = _wrapped(text, " " * (_INDENT + 2))
    return [f"  {name:<{_INDENT}}{first.lstrip()}", *rest]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    ) or [indent]
