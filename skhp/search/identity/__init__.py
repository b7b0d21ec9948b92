"""Tells whether a search is the same as an earlier one, whose results it can then reuse."""
