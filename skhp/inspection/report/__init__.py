"""The report of a search, as a page of HTML."""
