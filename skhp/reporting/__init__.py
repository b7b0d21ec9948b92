"""Pages that say what a search found, to keep and to hand on."""

from skhp.reporting.search_report import write_report

__all__ = ["write_report"]
