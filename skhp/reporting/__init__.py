"""Pages that say what a search found, to keep and to hand on."""

from skhp.reporting.search_report import ReportAddition, write_report

__all__ = ["ReportAddition", "write_report"]
