"""The result of a study of a series as text of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, nan
from typing import Any

from skhp.comparison.scores import NumberScores
from skhp.comparison.text import PrintedTable, notes, score_table
from skhp.comparison.verdict import decimal
from skhp.inspection.report.search_report import ReportAddition
from skhp.shared.natural_scores import natural_name, natural_score
from skhp.shared.terminal import as_text, facts, indented, text_table
from skhp.study.network_search import winning_parameters
from skhp.study.repeats import mean_and_deviation
from skhp.study.score_rows import ERRORS, FIELDS_OF_SCORES
from skhp.study.series.forecasts import LAST_VALUE, NETWORK
from skhp.study.series.series_study import SeriesStudy
from skhp.study.series.windows import WindowedSeries
from skhp.study.text import as_sentence, budget_sentence, epochs_of_repeats, number_of_candidates
from skhp.study.winner import settings_in_words
from skhp.tables.dates import date_text

_SCORES_OF_ERRORS = {score: field for score, field in FIELDS_OF_SCORES.items() if field in ERRORS}


def render_series_report(study: SeriesStudy) -> str:
    """The settings, the errors of all forecasts on the test windows, and the verdict."""
    comparison = study.scored.compared_to(LAST_VALUE)
    return as_text(
        f"A recurrent network against simple forecasts of {study.series.target!r}",
        "",
        facts(_facts(study)),
        "",
        "Errors on the test windows, in the unit of the column:",
        "",
        indented(text_table(*_error_table(study))),
        "",
        f"{improvement(study)} One stretch of time does not tell a gain from luck.",
        "",
        "The verdict:",
        "",
        " ".join((_stretches(study), *notes(comparison))),
        "",
        indented(text_table(*score_table(comparison))),
        "",
        *verdicts(study),
        "",
        next_forecast(study),
    )


def verdicts(study: SeriesStudy) -> list[str]:
    """The verdict of the network against each of the simple forecasts, by the score of the search.

    The network is better than all of them only if each of these sentences says so; this claim needs
    no adjusted p-values.
    """
    return [
        study.scored.compared_to(name, (name, NETWORK)).verdict(NETWORK, study.scoring)
        for name in study.errors
    ]


def improvement(study: SeriesStudy) -> str:
    """A sentence that compares the error of each forecast to the error of the last value."""
    field = _SCORES_OF_ERRORS.get(study.scoring, "mae")
    reference = getattr(study.errors[LAST_VALUE], field)
    if not reference:
        return f"The {LAST_VALUE} makes no error on these windows."
    mean, _ = mean_and_deviation(getattr(repeat.scores, field) for repeat in study.repeats)
    errors = {
        f"the {NETWORK}": mean,
        **{name: getattr(one, field) for name, one in study.errors.items() if name != LAST_VALUE},
    }
    shares = [
        f"{name} {abs(1 - error / reference):.1%} {'better' if error <= reference else 'worse'}"
        for name, error in errors.items()
    ]
    shares[0] = shares[0].replace(NETWORK, f"{NETWORK} is", 1)
    listed = f"{', '.join(shares[:-1])} and {shares[-1]}"
    return f"By the {field.upper()}, {listed} than the {LAST_VALUE}."


def against_simple_forecasts(study: SeriesStudy) -> ReportAddition:
    """The section of a page that compares the network with each simple forecast."""
    comparison = study.scored.compared_to(LAST_VALUE)
    rows = []
    for (name, metric), row in comparison.natural_frame.iterrows():
        numbers = (float(row[column]) for column in ("mean", "low", "high"))
        rows.append((str(name), comparison.title(metric), *numbers))
    return ReportAddition(
        "Against simple forecasts",
        (*verdicts(study), " ".join((_stretches(study), *notes(comparison)))),
        ("forecast", "error", "mean", "from", "to (95% interval)"),
        tuple(rows),
    )


def on_the_test_windows(study: SeriesStudy) -> ReportAddition:
    """The section of a page with the errors on the last quarter of the series."""
    trained = "once" if len(study.repeats) == 1 else f"{len(study.repeats)} times"
    rows = tuple(
        (title, *map(float, known.values()), *map(float, of_network))
        for title, known, of_network in _errors(study)
    )
    return ReportAddition(
        "One stretch",
        (
            f"Errors on the {len(study.windows.split.y_test)} test windows of {study.series.name}, "
            f"in the unit of {study.series.target!r}. The winner was trained {trained}; the "
            "pictures show the first of these trainings.",
            improvement(study),
            f"Season: {season_note(study.windows)}",
            next_forecast(study),
            *(f"Look at the series: {note}" for note in study.series.notes),
        ),
        ("error", *study.errors, "network (mean)", "network (std)"),
        rows,
    )


def next_forecast(study: SeriesStudy) -> str:
    """A sentence with the forecast beyond the end of the series, and how to make another."""
    steps, horizon = study.windows.X.shape[1], study.settings.horizon
    ahead = "the step" if horizon == 1 else f"the step {horizon} steps"
    channels = [repr(name) for name in study.series.values.columns]
    named = f", with the channels {', '.join(channels)} in this order" if len(channels) > 1 else ""
    return (
        f"The network forecasts {decimal(study.next_forecast)} for {ahead} after the last row. The "
        f"fitted pipeline takes windows of the shape (windows, {steps}, {len(channels)}){named}; "
        f"the one that ends with the series holds its last {steps} rows."
    )


def _stretches(study: SeriesStudy) -> str:
    stretches, n_windows = study.scored.splits.n_folds, len(study.windows.y)
    size = len(study.scored.splits.of_repeats[0][0].test)
    return (
        f"All forecasts, with the settings above, were trained anew on what comes before each of "
        f"{stretches} stretches of {size} windows in the second half of the {n_windows} windows. "
        f"These settings were chosen on the first {study.windows.n_training} windows, which "
        "flatters the tuned forecasts a little."
    )


def _facts(study: SeriesStudy) -> list[tuple[str, str]]:
    series, settings, windows = study.series, study.settings, study.windows
    scoring = natural_name(study.scoring)
    split = windows.split
    found: list[tuple[str, str]] = [
        ("Series", _series_sentence(study)),
        *(("Look at", as_sentence(note)) for note in series.notes),
        ("Season", as_sentence(season_note(windows))),
        ("Windows", _windows_sentence(study)),
        (
            "Split",
            f"{len(split.y_train)} windows to train and tune on, the {len(split.y_test)} that "
            "follow to test on.",
        ),
        (
            "Tuning",
            f"by {scoring} in {settings.folds} folds, each scored on later windows than it "
            f"learns from, seed {settings.seed}.",
        ),
        ("Ridge", _ridge_sentence(study)),
        ("Network", _network_sentence(study)),
    ]
    if settings.time_budget is not None:
        found.append(("Budget", budget_sentence(study, settings.time_budget)))
    return [*found, ("Time", f"{study.seconds:.0f} s.")]


def _series_sentence(study: SeriesStudy) -> str:
    series = study.series
    channels = list(series.values.columns)
    others = [repr(name) for name in channels if name != series.target]
    more = f", with {', '.join(others)} as further channels" if others else ""
    when = ""
    if series.dates is not None:
        first, last = (date_text(series.dates.of_rows[at]) for at in (0, -1))
        when = f", {first} to {last} by {series.dates.name}"
    return f"{series.name}: {len(series.values)} steps of {series.target!r}{when}{more}."


def season_note(windows: WindowedSeries) -> str:
    """A sentence on the season that was found, or on why there is none."""
    if windows.season is None:
        return f"{windows.no_season_because}; the value a season ago is left out as a forecast."
    return f"the season has {windows.season.length} steps, {windows.season.source}."


def _windows_sentence(study: SeriesStudy) -> str:
    lengths = [str(length) for length in study.windows.time_steps]
    horizon = study.settings.horizon
    ahead = "the step after it" if horizon == 1 else f"the step {horizon} steps after its last one"
    either = " or ".join((", ".join(lengths[:-1]), lengths[-1])) if lengths[1:] else lengths[0]
    return f"{either} steps, each to forecast {ahead}."


def _ridge_sentence(study: SeriesStudy) -> str:
    best = study.ridge.best_params_
    return (
        f"alpha = {best['ridge__regressor__alpha']:.3g}, {best['window__time_steps']} time steps, "
        f"{_best_of(study.ridge, study)}."
    )


def _network_sentence(study: SeriesStudy) -> str:
    parameters, repeats = winning_parameters(study.search), study.settings.repeats
    steps = parameters.pop("network__time_steps")
    return (
        f"{settings_in_words(parameters)}, {steps} time steps, {_best_of(study.search, study)}; "
        f"trained {'once' if repeats == 1 else f'{repeats} times'}, "
        f"{epochs_of_repeats(study.repeats)}."
    )


def _best_of(search: Any, study: SeriesStudy) -> str:
    score = natural_score(study.scoring, search.best_score_)
    return (
        f"the best of {number_of_candidates(search)} with {natural_name(study.scoring)} "
        f"{decimal(score)} in cross-validation"
    )


def _errors(study: SeriesStudy) -> Iterator[tuple[str, dict[str, float], tuple[float, float]]]:
    """Each error: its title, the simple forecasts' values, the network's mean and deviation."""
    titles = dict(ERRORS)
    if study.scoring not in _SCORES_OF_ERRORS:
        titles["score"] = as_sentence(natural_name(study.scoring))

    def known(errors: NumberScores, field: str) -> float:
        number = getattr(errors, field)
        return natural_score(study.scoring, number) if field == "score" else number

    for field, title in titles.items():
        mean, deviation = mean_and_deviation(known(one.scores, field) for one in study.repeats)
        of_simple = {name: known(one, field) for name, one in study.errors.items()}
        yield title, of_simple, (mean, nan if deviation is None else deviation)


def _error_table(study: SeriesStudy) -> PrintedTable:
    rows = []
    for title, known, (mean, spread) in _errors(study):
        of_simple = [decimal(error) for error in known.values()]
        rows.append((title, *of_simple, decimal(mean), "-" if isnan(spread) else decimal(spread)))
    names = [as_sentence(name) for name in study.errors]
    return PrintedTable(("", *names, "Network", "(std)"), rows, 1)
