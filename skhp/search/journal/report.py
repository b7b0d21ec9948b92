"""A journal as text of 80 columns."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean, pstdev

from skhp.exceptions import JournalDamagedError
from skhp.population.cohorts.state_files import StatePlace, states_beside
from skhp.search.journal.finished_folds import FinishedFold
from skhp.search.journal.reading import JournalContents, read_journal_file
from skhp.shared.terminal import as_text, facts, indented, text_table

_HEADINGS = ("mean", "std", "folds", "failed", "epochs", "fit s", "iter")


@dataclass(frozen=True)
class _Candidate:
    """The finished folds of one candidate in one iteration."""

    parameters: str
    iteration: int
    folds: Sequence[FinishedFold]

    def scores(self, name: str) -> list[float]:
        return [fold.scores.get(name, math.nan) for fold in self.folds]


def report_of_file(path: Path, best: int = 10) -> str:
    """The report of a journal, with its best candidates; a JournalError if it cannot be read."""
    try:
        return render_journal(path, read_journal_file(path), best)
    except JournalDamagedError as error:
        raise JournalDamagedError(f"{error}; give the path of a whole journal") from None


def render_journal(path: Path, contents: JournalContents, best: int = 10) -> str:
    """The identity of the search, how much of it is finished, and the best candidates."""
    finished = list(contents.finished.values())
    candidates = _candidates(finished)
    known = [
        (part.name, text)
        for part in fields(contents.identity)
        if (text := getattr(contents.identity, part.name))
    ]
    states = states_beside(StatePlace(Path(path).resolve(), contents.identity.digest()))
    under_way = [
        ("under way", f"{path.name!r} cannot be read" if about is None else str(about))
        for path, about in states
    ]
    named = facts([*known, ("", ""), *_progress(finished, candidates), *under_way], gap=1)
    report = as_text(f"Journal of a search: {path}", "", indented(named))
    scores = list(dict.fromkeys(name for fold in finished for name in fold.scores))
    if scores:
        # The first score of a fit is the score of the test rows by the first metric.
        name = next((name for name in scores if name.startswith("test")), scores[0])
        report += as_text("", f"Best candidates by mean {name}:", "")
        report += _table(name, candidates, best)
    return report


def _candidates(finished: Sequence[FinishedFold]) -> list[_Candidate]:
    groups: dict[tuple[str, int], list[FinishedFold]] = defaultdict(list)
    for fold in finished:
        groups[fold.parameters, fold.iteration].append(fold)
    return [_Candidate(*key, folds) for key, folds in groups.items()]


def _progress(
    finished: Sequence[FinishedFold], candidates: Sequence[_Candidate]
) -> Iterator[tuple[str, str]]:
    failed = sum(fold.error is not None for fold in finished)
    different = len({candidate.parameters for candidate in candidates})
    if not finished:
        yield "finished", "nothing yet"
        return
    yield "candidates", str(different)
    if iterations := max(candidate.iteration for candidate in candidates):
        yield "iterations", str(iterations + 1)
    yield "fits", f"{len(finished)} finished, {failed} of them failed"
    seconds = [sum(fold.fit_seconds for fold in finished)]
    seconds.append(sum(fold.score_seconds for fold in finished))
    yield "seconds", f"{seconds[0]:.1f} of fits, {seconds[1]:.1f} of scores"
    times = sorted(fold.finished_at for fold in finished)
    yield "finished", f"{times[0]} to {times[-1]}"


def _table(name: str, candidates: Sequence[_Candidate], best: int) -> str:
    # A score from fewer rows or fewer folds cannot be compared with one from more.
    def rank(candidate: _Candidate) -> tuple[float, ...]:
        mean = fmean(candidate.scores(name))
        worst = math.isnan(mean)
        return (-candidate.iteration, -len(candidate.folds), worst, 0.0 if worst else -mean)

    ranked = sorted(candidates, key=rank)[:best]
    rows = []
    for candidate in ranked:
        folds, scores = candidate.folds, candidate.scores(name)
        epochs = [fold.epochs for fold in folds if fold.epochs is not None]
        # An infinite score has no deviation.
        deviation = pstdev(scores) if all(map(math.isfinite, scores)) else math.nan
        rows.append(
            (
                f"{fmean(scores):.4g}",
                f"{deviation:.2g}",
                str(len(folds)),
                str(sum(fold.error is not None for fold in folds)),
                f"{fmean(epochs):.1f}" if epochs else "-",
                f"{fmean(fold.fit_seconds for fold in folds):.2f}",
                str(candidate.iteration),
            )
        )
    head, *lines = as_text(indented(text_table(_HEADINGS, rows))).splitlines(keepends=True)
    # The parameters of a candidate stand below its numbers.
    parameters = [as_text(indented(candidate.parameters, 4)) for candidate in ranked]
    return head + "".join(part for both in zip(lines, parameters, strict=True) for part in both)
