"""Compare a tuned network to a tuned baseline: the library behind ``skhp tune``."""

from skhp.comparison.errors import OutputError, SettingsError, StudyError, TableError
from skhp.comparison.files import check_directory, write_files
from skhp.comparison.labels import OriginalLabels
from skhp.comparison.repeats import Repeat, Split
from skhp.comparison.report import render_files, render_report
from skhp.comparison.scores import SCORINGS, Scores
from skhp.comparison.study import Settings, Study, run_study
from skhp.comparison.study_page import check_page, pipeline_path, write_page
from skhp.comparison.tables import Table, digits_table, make_table, read_table
from skhp.comparison.target import Target

__all__ = [
    "SCORINGS",
    "OriginalLabels",
    "OutputError",
    "Repeat",
    "Scores",
    "Settings",
    "SettingsError",
    "Split",
    "Study",
    "StudyError",
    "Table",
    "TableError",
    "Target",
    "check_directory",
    "check_page",
    "digits_table",
    "make_table",
    "pipeline_path",
    "read_table",
    "render_files",
    "render_report",
    "run_study",
    "write_files",
    "write_page",
]
