"""How a search was done: the settings that it really had, of the search and of what it searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skhp.inspection.report.page import paragraph, table
from skhp.inspection.search_results import SearchResults
from skhp.inspection.training_history import fitted_network
from skhp.inspection.value_text import public_name, value_text

__all__ = ["settings_tables"]


def settings_tables(search: Any, results: SearchResults) -> str:
    """Tables of the parameters of the search and of the estimator that it chose."""
    parameters = search.get_params(deep=False)
    network = _innermost(search)
    own = network.get_params(deep=False)
    found = dict(_explanations(search, results, own))
    rows = [
        [name, f"{value_text(value)}{found.get(name, '')}"] for name, value in parameters.items()
    ]
    fitted = hasattr(search, "best_estimator_")
    which = "that was fitted last" if fitted else "before the parameters that were searched"
    return (
        table(["parameter of the search", "value"], rows)
        + paragraph(f"The {public_name(network)} {which}:")
        + table(
            [f"parameter of {public_name(network)}", "value"],
            ([name, value_text(value)] for name, value in own.items()),
        )
    )


def _innermost(search: Any) -> Any:
    if hasattr(search, "best_estimator_"):
        return fitted_network(search)
    estimator = search.estimator
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def _explanations(
    search: Any, results: SearchResults, network: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """What a setting of the search came to, where its value does not say so."""
    if isinstance(search.scoring, str | None) and value_text(search.scoring).strip("'") != (
        results.metric_title
    ):
        yield "scoring", f": {results.metric_title}"
    yield "cv", f": {search.n_splits_} folds"
    if getattr(search, "refit_epochs", None) is not None:
        epochs = network.get("epochs", network.get("max_iter"))
        yield "refit_epochs", f": refitted for {value_text(epochs)} epochs, without early stopping"
    elif isinstance(network.get("early_stopping"), bool):
        on = "on" if network["early_stopping"] else "off"
        left = getattr(search, "early_stopping", None) is False
        yield "early_stopping", f"{', left to the network' if left else ''}: {on} in the network"
